"""Learning curves: what was measured is drawn where it belongs, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from racer.errors import FileError
from racer.viewer.plot import Curve, learning_curves

NAMES = ("return", "progress", "completed", "best_lap")
BLUE, GREEN = (56, 189, 248), (94, 226, 142)


def curve(name: str, steps: int = 50, **values: np.ndarray) -> Curve:
    nothing = np.full(steps, np.nan)
    return Curve(name, np.arange(1, steps + 1) * 1000.0, {key: values.get(key, nothing) for key in NAMES})


def drawn(path: Path, *curves: Curve) -> np.ndarray:
    learning_curves(curves, path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def rows_of(picture: np.ndarray, color: tuple[int, int, int], left: float, right: float) -> np.ndarray:
    """Rows in which a colour stands between two shares of the width, below the names."""
    height, width, _ = picture.shape
    part = picture[round(0.09 * height) :, round(left * width) : round(right * width)]
    return np.unique(np.nonzero(np.abs(part - color).sum(axis=2) < 60)[0]) + round(0.09 * height)


def test_a_rising_return_rises_and_each_run_has_its_colour(tmp_path: Path) -> None:
    rising, falling = curve("a", **{"return": np.arange(50.0)}), curve("b", **{"return": np.arange(50.0)[::-1]})
    picture = drawn(tmp_path / "a.png", rising, falling)
    early, late = rows_of(picture, BLUE, 0.1, 0.3), rows_of(picture, BLUE, 0.7, 0.9)
    assert len(early) and len(late) and late.max() < early.min()
    early, late = rows_of(picture, GREEN, 0.1, 0.3), rows_of(picture, GREEN, 0.7, 0.9)
    assert len(early) and len(late) and early.max() < late.min()


def test_gaps_are_no_zeros(tmp_path: Path) -> None:
    laps = np.where(np.arange(50) < 40, np.nan, 7.0)
    picture = drawn(tmp_path / "a.png", curve("a", best_lap=laps))
    assert not len(rows_of(picture, BLUE, 0.1, 0.6)) and len(rows_of(picture, BLUE, 0.85, 0.97))


def test_odd_trainings_are_drawn(tmp_path: Path) -> None:
    one = {name: np.array([3.0]) for name in NAMES}
    for number, curves in enumerate(
        ([curve("none", 0)], [curve("one", 1, **one)], [curve(f"$x$ {k}") for k in range(40)])
    ):
        assert drawn(tmp_path / f"{number}.png", *curves).std() > 1.0
    with pytest.raises(ValueError, match="no trainings"):
        learning_curves([], tmp_path / "x.png")
    with pytest.raises(FileError, match=r"\.png"):
        learning_curves([curve("a")], tmp_path / "x.xyz")


def test_the_share_of_the_mark_has_a_panel_where_it_is_known(tmp_path: Path) -> None:
    without = drawn(tmp_path / "a.png", curve("a", best_lap=np.full(50, 7.0)))
    rising = curve("a", best_lap=np.full(50, 7.0))
    known = Curve("a", rising.steps, {**rising.values, "of_mark": np.linspace(60.0, 80.0, 50)})
    with_mark = drawn(tmp_path / "b.png", known, rising)
    assert with_mark.shape[0] > 1.2 * without.shape[0]
    lowest = with_mark[round(0.77 * len(with_mark)) :]
    early, late = (np.nonzero(np.abs(lowest[:, a:b] - BLUE).sum(axis=2) < 60)[0] for a, b in ((150, 400), (1000, 1250)))
    assert len(early) and len(late) and late.max() < early.min()
