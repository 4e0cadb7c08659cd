"""Replays: what is saved comes back, what is broken or tampered with is told apart from what was driven."""

import dataclasses

import numpy as np
import pytest
from drives import CAR, drive, ring

from racer.env import TimeTrialVector
from racer.errors import FileError, ReplayError
from racer.racing import drive as race_of, load_agent
from racer.replay import STEP_DTYPE, load_replay, save_replay, verify
from racer.replay.verification import Lap
from racer.track import Track, load_track, track_from_arrays


@pytest.fixture(scope="module")
def replay():
    """Two laps, the first from standing, the second flying."""
    return drive(ring(), laps=2)


@pytest.fixture(scope="module")
def eventful():
    """Five laps: complete, off the track, complete, given up, complete."""
    return drive(ring(), laps=5, leave_in_lap=2, stop_in_lap=4)


@pytest.fixture
def file(replay, tmp_path):
    path = tmp_path / "drive.npz"
    save_replay(replay, path)
    return path


def changed(replay, **columns):
    """A replay whose steps were edited: `column=function of the old column`."""
    steps = replay.steps.copy()
    for name, function in columns.items():
        steps[name] = function(steps[name].copy())
    return dataclasses.replace(replay, steps=steps)


def at(row, value):
    def edit(column):
        column[row] = value
        return column

    return edit


# Round trips


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_saved_comes_back(tmp_path, monkeypatch, reverse):
    track = ring().reverse() if reverse else ring()
    replay = drive(track, laps=3, leave_in_lap=2)
    assert [lap.complete for lap in replay.laps] == [True, False, True]
    path = tmp_path / "drive.npz"
    save_replay(replay, path)
    monkeypatch.chdir(tmp_path)  # where no shelf holds the track
    again = load_replay(path)
    assert again.steps.dtype == STEP_DTYPE
    assert again.steps.tobytes() == replay.steps.tobytes()
    assert again.laps == replay.laps
    assert again.car == replay.car
    assert again.track.reversed is reverse
    assert again.track.about["title"] == "A ring for tests"
    for line in ("center", "inner", "outer"):
        assert np.array_equal(getattr(again.track, line), getattr(track, line))
    for name in ("driver", "reward", "seed", "created", "engine", "digest", "best_lap_s", "completed_laps"):
        assert getattr(again, name) == getattr(replay, name), name
    assert verify(again).ok


def test_the_same_replay_gives_the_same_bytes(replay, file, tmp_path):
    save_replay(load_replay(file), tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()


def test_a_minute_is_small(tmp_path):
    replay = drive(ring(radius=6.0, rows=400), laps=9, speed=1.7, limit_s=60.0)
    assert len(replay.steps) == 900 and len(replay.track.center) == 401
    save_replay(replay, tmp_path / "minute.npz")
    assert (tmp_path / "minute.npz").stat().st_size < 150_000
    noise = np.random.default_rng(0)
    floats = [name for name in STEP_DTYPE.names if STEP_DTYPE[name].kind == "f"]
    rough = changed(replay, **{name: lambda column: noise.normal(size=len(column)) for name in floats})
    save_replay(rough, tmp_path / "worst.npz")
    assert (tmp_path / "worst.npz").stat().st_size < 300_000


def test_a_loaded_replay_cannot_be_changed(file):
    again = load_replay(file)
    for array in (again.steps, again.track.center):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_best_lap_counts_complete_laps_alone(replay):
    laps = (Lap(1, 0.0, 9.0, True, False), Lap(2, 9.0, 1.0, False, True), Lap(3, 10.0, 8.5, True, False))
    assert dataclasses.replace(replay, laps=laps).best_lap_s == 8.5
    assert dataclasses.replace(replay, laps=laps).completed_laps == 2
    assert dataclasses.replace(replay, laps=laps[1:2]).best_lap_s is None


def test_the_digest_tells_drives_apart(replay):
    others = [
        changed(replay, steering_command=at(40, 0.5)),
        changed(replay, steering_command=at(40, 0.1)),
        dataclasses.replace(replay, created="2026-01-02T03:04:06+00:00"),
        dataclasses.replace(replay, car=dataclasses.replace(CAR, grip=9.0)),
        dataclasses.replace(replay, track=ring(rows=61)),
        dataclasses.replace(replay, seed=1),
    ]
    assert len({replay.digest, *(other.digest for other in others)}) == 7
    assert dataclasses.replace(replay, driver="another name").digest == replay.digest


# Writing


def test_nothing_is_overwritten(replay, file):
    before = file.read_bytes()
    with pytest.raises(ReplayError, match=r"drive\.npz exists already"):
        save_replay(dataclasses.replace(replay, seed=7), file)
    assert file.read_bytes() == before
    save_replay(dataclasses.replace(replay, seed=7), file, overwrite=True)
    assert load_replay(file).seed == 7
    assert [path.name for path in file.parent.iterdir()] == ["drive.npz"]


def test_a_dangling_link_is_not_written_through(replay, tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(ReplayError, match="exists already"):
        save_replay(replay, tmp_path / "link.npz")
    assert not (tmp_path / "elsewhere.npz").exists()


def test_any_name_will_do_but_its_folder_must_exist(replay, tmp_path):
    for name in ("drive.replay", "drive.npz", "drive"):
        save_replay(replay, tmp_path / name)
        assert load_replay(tmp_path / name).digest == replay.digest
    with pytest.raises(FileError, match="does not exist"):
        save_replay(replay, tmp_path / "no folder" / "drive.replay")


def test_what_could_not_be_read_again_is_not_saved(replay, tmp_path):
    wrong = changed(replay, speed=at(5, np.nan))
    with pytest.raises(ReplayError, match=r"cannot be saved as .*drive\.npz: .*'steps\.speed'.* row 5"):
        save_replay(wrong, tmp_path / "drive.npz")
    with pytest.raises(ReplayError, match="laps"):
        save_replay(dataclasses.replace(replay, laps=replay.laps[:1]), tmp_path / "drive.npz")
    huge = dataclasses.replace(replay, steps=np.zeros(400_000, STEP_DTYPE))
    with pytest.raises(ReplayError, match="MiB"):
        save_replay(huge, tmp_path / "drive.npz")
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_printed_are_saved_without_what_cannot(replay, tmp_path):
    odd = dataclasses.replace(replay, driver="a\x1b[31m\nb\udc80" + "c" * 500, reward="")
    save_replay(odd, tmp_path / "drive.npz")
    again = load_replay(tmp_path / "drive.npz")
    assert again.driver.startswith("a [31m b cc") and len(again.driver) <= 200
    assert again.reward == ""


# Driving again


def rounded(laps):
    """Commands are kept in radians and driven in degrees: the last bit of a time may differ."""
    return [dataclasses.replace(lap, start_s=round(lap.start_s, 9), time_s=round(lap.time_s, 9)) for lap in laps]


def test_what_was_driven_holds(replay, eventful, file):
    verdict = verify(load_replay(file))
    assert (verdict.ok, verdict.reason) == (True, "")
    assert rounded(verdict.laps) == rounded(replay.laps)
    verdict = verify(eventful)
    assert (verdict.ok, verdict.reason) == (True, "")
    assert [lap.complete for lap in verdict.laps] == [True, False, True, False, True]
    assert [lap.off_track for lap in verdict.laps] == [False, True, False, False, False]
    assert verdict.laps[2].time_s == pytest.approx(verdict.laps[0].time_s, abs=1e-9)  # standing again
    assert all(verify(drive(ring().reverse(), laps=laps)).ok for laps in (1, 2))


@pytest.mark.parametrize("name", ["pebble", "monsoon", "dune", "fjord"])
@pytest.mark.parametrize("reverse", [False, True])
def test_races_hold(name, reverse, tmp_path):
    track = load_track(name).reverse() if reverse else load_track(name)
    env = TimeTrialVector(1, track)
    race = race_of(load_agent("pure_pursuit").make(env), track, laps=3)
    env.close()
    save_replay(race, tmp_path / "race.replay")
    again = load_replay(tmp_path / "race.replay")
    verdict = verify(again)
    assert (verdict.ok, verdict.reason) == (True, "")
    assert rounded(verdict.laps) == rounded(race.laps)
    assert race.laps == again.laps
    assert len(race.laps) == 3


def test_last_bits_do_not_matter_but_a_tenth_of_a_millimetre_does(replay):
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, len(replay.steps))
    for name in ("x", "y", "heading", "speed", "steering_angle", "yaw_rate", "s", "distance", "offset"):
        assert verify(changed(replay, **{name: lambda column: column + 5e-6 * noise})).ok, name
        verdict = verify(changed(replay, **{name: lambda column: column + 1e-4 * noise}))
        assert not verdict.ok and name.replace("_", " ") in verdict.reason
    assert verify(changed(replay, heading=lambda column: column + 2.0 * np.pi)).ok
    assert verify(changed(replay, s=lambda column: column - replay.track.length)).ok


def doctored():
    """Ways to cheat, each with a word of the reason it is refused for."""
    first = lambda replay, **change: (dataclasses.replace(replay.laps[0], **change), *replay.laps[1:])  # noqa: E731
    grip = dataclasses.replace(CAR, grip=20.0)
    yield (
        "lap time",
        lambda r: dataclasses.replace(r, laps=first(r, time_s=r.laps[0].time_s - 0.01)),
        "time of its lap 1",
    )
    yield "lap start", lambda r: dataclasses.replace(r, laps=first(r, start_s=0.01)), "start of its lap 1"
    yield "off-track hidden", lambda r: changed(r, off_track=np.zeros_like), "off track is False"
    yield (
        "lap completed",
        lambda r: dataclasses.replace(
            r, laps=tuple(dataclasses.replace(lap, complete=True, off_track=False) for lap in r.laps)
        ),
        "its lap 2 is told otherwise",
    )
    yield "a lap more", lambda r: dataclasses.replace(r, laps=(*r.laps, r.laps[0])), "tells of 6 laps"
    yield "steering", lambda r: changed(r, steering_command=at(30, 0.2)), "in step 31 (at 2.07 s) its"
    yield (
        "speed",
        lambda r: changed(r, speed_command=lambda column: column * 1.2),
        "in step 1 (at 0.07 s) its",
    )
    yield (
        "less restarts",
        lambda r: changed(r, restart=lambda column: column & (np.cumsum(column) < 3)),
        "driving it again gives",
    )
    yield "grip", lambda r: dataclasses.replace(r, car=grip), "driving it again gives"
    yield (
        "no restart",
        lambda r: changed(r, restart=lambda column: np.arange(len(column)) == 0),
        "driving it again",
    )
    yield "teleport", lambda r: changed(r, x=at(50, 3.0)), "in step 50 (at 3.33 s) its x is 3"
    yield "never started", lambda r: changed(r, restart=np.zeros_like), "never put on the start line"
    yield "nothing", lambda r: dataclasses.replace(r, steps=r.steps[:0]), "never put on the start line"
    yield "no action", lambda r: changed(r, speed_command=at(50, np.nan)), "cannot be driven"


@pytest.mark.parametrize(("cheat", "word"), [pytest.param(c, w, id=i) for i, c, w in doctored()])
def test_what_was_not_driven_does_not_hold(eventful, cheat, word):
    verdict = verify(cheat(eventful))
    assert not verdict.ok
    assert word in verdict.reason


def test_another_version_of_racer_is_named(replay):
    old = dataclasses.replace(replay, engine="0.0.9")
    assert verify(old).ok
    verdict = verify(changed(old, x=at(50, 3.0)))
    assert "recorded with racer 0.0.9; this is" in verdict.reason


def test_who_leaves_the_track_must_not_go_on():
    cut = drive(ring(), laps=1, leave_in_lap=1, and_go_on=True)
    assert cut.laps[0].complete and cut.steps["off_track"].any()
    verdict = verify(cut)
    assert not verdict.ok and "left the track in step 40, but drove on" in verdict.reason


def test_crossing_the_line_off_the_track_completes_no_lap():
    crossed = 0
    for k in range(8):
        replay = drive(ring(), laps=1, leave_in_lap=1, leave_after_s=4.7 + k / 15.0)
        before, last = replay.steps["distance"][-2:]
        crossed += replay.laps[0].off_track and 2.0 * last - before > replay.track.length
        verdict = verify(replay)
        assert (verdict.ok, verdict.reason) == (True, "")
        assert verdict.laps[0].complete != replay.steps["off_track"][-1]
    assert crossed > 0


def test_a_wider_road_does_not_hold(eventful):
    track = eventful.track
    wide = track_from_arrays(track.name, track.center, track.inner * 0.7, track.outer * 1.3)
    verdict = verify(dataclasses.replace(eventful, track=wide))
    assert not verdict.ok and "wheels on track" in verdict.reason


def test_an_open_road_is_refused_not_run(replay):
    road = Track("open", *(line[:40] for line in (replay.track.center, replay.track.inner, replay.track.outer)))
    verdict = verify(dataclasses.replace(replay, track=road))
    assert not verdict.ok and "cannot be driven" in verdict.reason
