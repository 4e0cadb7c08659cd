"""`racer.reward.landscape` and its picture: what a reward pays at most and at least at every place of the road."""

import numpy as np
import pytest
from episodes import load_track
from PIL import Image

from racer.errors import FileError, RewardError
from racer.reward import check, landscape, load_reward
from racer.track import nearest
from racer.viewer.plot import reward_map


def seen(function, track="harbor"):
    return landscape(load_reward(function), load_track(track))


def test_every_place_is_on_the_road_once_around():
    track = load_track("harbor")
    points = seen("progress").points
    flat = points.reshape(-1, 2)
    away = np.hypot(*(nearest(flat, track.center)[0] - flat).T)
    assert away.max() < 0.5 * track.width_max and len(points) > 40
    across = np.hypot(*(points[:, -1] - points[:, 0]).T)
    np.testing.assert_allclose(across, 0.95 * track.width_min, rtol=0.02)
    gaps = np.hypot(*(np.roll(points[:, 4], -1, axis=0) - points[:, 4]).T)
    assert gaps.max() < 1.3 * gaps.min(), "evenly along the centre line, over the start line, too"


def test_the_most_and_the_least_are_over_speeds_and_headings():
    found = seen(lambda params: params["speed"])
    assert (found.best == 4.0).all() and (found.worst == 1.0).all()
    track = load_track("harbor")
    found = seen(lambda params: params["heading"])
    turn = (found.best - found.worst) % 360
    assert np.isclose(turn, 60.0).mean() > 0.8, "30 degrees to both sides, but where it wraps"
    found = seen(lambda params: params["distance_from_center"])
    middle = found.points.shape[1] // 2
    np.testing.assert_allclose(found.best, found.worst, atol=1e-9)
    assert found.best[:, middle].max() < 1e-6
    assert found.best[:, 0].min() > 0.8 * 0.5 * track.width_min


def test_what_changed_since_the_last_step_is_seen(tmp_path):
    """The metres gained: those of one step of driving at 4 m/s, and of one at 1 m/s 30 degrees off."""
    found = seen("progress")
    middle = found.points.shape[1] // 2
    assert np.median(found.best[:, middle]) == pytest.approx(4 / 15, rel=0.05)
    assert np.median(found.worst[:, middle]) == pytest.approx(np.cos(np.pi / 6) / 15, rel=0.05)
    assert found.worst.min() > 0.0, "the start line is no exception"


def test_a_reward_that_fails_is_named():
    with pytest.raises(RewardError, match="ZeroDivisionError"):
        seen(lambda params: 1 / 0)


def test_the_picture_shows_where_it_pays(tmp_path):
    """A reward for the left half: on the sheet's first road there is about as much bright as dark."""
    track, reward = load_track("harbor"), load_reward(lambda params: float(params["is_left_of_center"]))
    file = tmp_path / "left.png"
    reward_map(check(reward, track), landscape(reward, track), track, "left of the centre", file)
    picture = np.asarray(Image.open(file).convert("RGB")).astype(int)
    half = picture[: picture.shape[0] * 2 // 3, : picture.shape[1] // 2]
    bright, dark = (np.abs(half - color).sum(axis=2) < 60 for color in ((253, 231, 37), (68, 1, 84)))
    assert 0.5 < bright.sum() / dark.sum() < 2.0 and bright.sum() > 0.01 * half[..., 0].size
    with pytest.raises(FileError):
        reward_map(check(reward, track), landscape(reward, track), track, "left", tmp_path / "left.xyz")
