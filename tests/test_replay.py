"""Replays: what is saved comes back, what is broken or tampered with is told apart from what was driven."""

import dataclasses

import numpy as np
import pytest
from drives import CAR, altered, drive, ring

from racer.env import TimeTrialVector
from racer.errors import FileError, ReplayError
from racer.racing import drive as race_of, load_agent
from racer.replay import STEP_DTYPE, STEP_S, Drive, Lap, Recorder, Replay, load_replay, save_replay, verify
from racer.sim import Rules, World, physics_version
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
    path = tmp_path / "drive.replay"
    save_replay(replay, path)
    return path


def changed(replay, **columns):
    """A replay whose steps were edited: `column=function of the old column`."""
    steps = replay.steps.copy()
    for name, function in columns.items():
        steps[name] = function(steps[name].copy())
    return altered(replay, steps=steps)


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
    path = tmp_path / "drive.replay"
    save_replay(replay, path)
    monkeypatch.chdir(tmp_path)  # where no shelf holds the track
    again = load_replay(path)
    assert again.steps.dtype == STEP_DTYPE
    assert again.steps.tobytes() == replay.steps.tobytes()
    assert again.laps == replay.laps
    assert again.car == replay.car
    assert again.track.reversed is reverse
    assert again.track.metadata["title"] == "A ring for tests"
    for line in ("center", "inner", "outer"):
        assert np.array_equal(getattr(again.track, line), getattr(track, line))
    for name in ("driver", "reward", "seed", "created", "engine", "digest", "best_lap_s", "completed_laps"):
        assert getattr(again, name) == getattr(replay, name), name
    assert verify(again).ok


def test_the_same_replay_gives_the_same_bytes(replay, file, tmp_path):
    save_replay(load_replay(file), tmp_path / "again.replay")
    assert (tmp_path / "again.replay").read_bytes() == file.read_bytes()


def test_a_minute_is_small(tmp_path):
    replay = drive(ring(radius=6.0, rows=400), laps=9, speed=1.7, limit_s=60.0)
    assert len(replay.steps) == 900 and len(replay.track.center) == 401
    save_replay(replay, tmp_path / "minute.replay")
    assert (tmp_path / "minute.replay").stat().st_size < 150_000
    noise = np.random.default_rng(0)
    floats = [name for name in STEP_DTYPE.names if STEP_DTYPE[name].kind == "f"]
    rough = changed(replay, **{name: lambda column: noise.normal(size=len(column)) for name in floats})
    save_replay(rough, tmp_path / "worst.replay")
    assert (tmp_path / "worst.replay").stat().st_size < 300_000


def test_a_loaded_replay_cannot_be_changed(file):
    again = load_replay(file)
    for array in (again.steps, again.track.center):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_best_lap_counts_complete_laps_alone(replay):
    laps = (Lap(1, 0.0, 9.0, True, False), Lap(2, 9.0, 1.0, False, True), Lap(3, 10.0, 8.5, True, False))
    assert altered(replay, laps=laps).best_lap_s == 8.5
    assert altered(replay, laps=laps).completed_laps == 2
    assert altered(replay, laps=laps[1:2]).best_lap_s is None


def test_the_digest_tells_drives_apart(replay):
    others = [
        changed(replay, steering_command_deg=at(40, 25.0)),
        changed(replay, steering_command_deg=at(40, 5.0)),
        dataclasses.replace(replay, car=dataclasses.replace(CAR, grip=9.0)),
        dataclasses.replace(replay, track=ring(rows=61)),
        dataclasses.replace(replay, rules=dataclasses.replace(replay.rules, penalty_s=0.0)),
    ]
    assert len({replay.digest, *(other.digest for other in others)}) == 6


def test_the_digest_is_that_of_what_was_driven(replay):
    """Who drove, when, with which seed and for which reward changes nothing that a car did."""
    same = [
        altered(replay, driver="another name"),
        altered(replay, reward="another reward"),
        dataclasses.replace(replay, created="2026-01-02T03:04:06+00:00"),
        dataclasses.replace(replay, seed=1),
        dataclasses.replace(replay, engine="9.9.9"),
        dataclasses.replace(replay, track=dataclasses.replace(replay.track, name="other")),
    ]
    assert {other.digest for other in same} == {replay.digest}


def test_what_the_actuators_cut_off_makes_no_other_drive():
    full = drive(ring(), laps=1, leave_in_lap=1)
    beyond = changed(full, steering_command_deg=lambda column: np.where(column >= 30.0, 44.0, column))
    assert (beyond.steps["steering_command_deg"] > 40.0).any()
    assert beyond.digest == full.digest
    assert verify(beyond).ok


def test_a_lap_has_the_same_digest_whatever_was_driven_after_it(replay):
    longer = drive(ring(), laps=4)
    for lap in (0, 1):
        assert longer.lap_digest(longer.laps[lap]) == replay.lap_digest(replay.laps[lap])
    assert replay.lap_digest(replay.laps[0]) != replay.lap_digest(replay.laps[1])
    assert longer.digest != replay.digest


@pytest.mark.parametrize("of", [lambda replay: replay, lambda replay: replay.drives[0]])
def test_a_description_is_one_short_line(replay, of):
    text = repr(of(replay))
    assert len(text) < 200 and "array" not in text and "\n" not in text
    assert "test driver" in text and f"{replay.best_lap_s:.3f} s" in text and str(len(replay.steps)) in text


def test_the_mean_speed_is_that_of_the_way_driven(replay):
    way = np.hypot(np.diff(replay.steps["x"]), np.diff(replay.steps["y"]))
    rows = np.flatnonzero(replay.steps["lap"] == 2)
    driven = way[rows[:-1]].sum() / (len(rows[:-1]) * STEP_S)
    assert replay.drives[0].mean_speed_mps(replay.laps[1]) == pytest.approx(driven, rel=1e-3)
    assert replay.drives[0].mean_speed_mps() < replay.drives[0].mean_speed_mps(replay.laps[1]), "it began standing"
    assert np.isnan(altered(replay, steps=replay.steps[:0]).drives[0].mean_speed_mps())


# Several cars


def test_a_race_of_several_cars_is_recorded_saved_and_driven_again(tmp_path):
    """Two races of three cars, each car at another speed: laps, rows and proof are each car's own."""
    track, rules = ring(), Rules(start="line", laps=9)
    world, recorder = World(track, 2, 3, rules=rules), Recorder(2, 3)
    world.seed(0)
    world.reset()
    speed, gained = np.array([[1.5, 2.0, 1.0], [1.2, 1.8, 2.2]]), np.zeros((2, 3))
    before = world.cars["offset"].copy()
    for _ in range(150):
        steering = 10.0 - 40.0 * world.cars["offset"] - 400.0 * (world.cars["offset"] - before)
        before = world.cars["offset"].copy()
        commands = np.stack([steering, speed], axis=-1)
        recorder.before(world.cars)
        recorder.act(commands, gained)
        world.step(commands, gained)
        recorder.after(world.cars, world.cars["status"], np.zeros((2, 3), np.bool_))
    recorder.close()
    steps = recorder.take()
    assert steps.shape == (150, 2, 3)
    for race in (0, 1):
        drives = tuple(Drive(f"car {j}", "none", tuple(recorder.laps[race][j]), steps[:, race, j]) for j in range(3))
        found = physics_version()
        replay = Replay(track, CAR, drives, 0, "2026-01-02T03:04:05+00:00", "1", found.motion, found.bits)
        save_replay(replay, tmp_path / f"{race}.replay")
        again = load_replay(tmp_path / f"{race}.replay")
        assert [one.driver for one in again.drives] == ["car 0", "car 1", "car 2"]
        for one, other in zip(again.drives, drives, strict=True):
            assert one.steps.tobytes() == other.steps.tobytes() and one.laps == other.laps
        verdict = verify(again)
        assert (verdict.ok, verdict.reason) == (True, "")
        assert verdict.drives == tuple(drive.laps for drive in drives)
        assert [sum(lap.complete for lap in one.laps) for one in drives] == [[1, 1, 0], [0, 1, 1]][race]
        odd = again.drives[2].steps.copy()
        odd["x"][70] += 0.5
        forged = dataclasses.replace(again, drives=(*again.drives[:2], dataclasses.replace(again.drives[2], steps=odd)))
        assert "in step 70" in verify(forged).reason
        assert forged.digest == again.digest


# Writing


def test_nothing_is_overwritten(replay, file):
    before = file.read_bytes()
    with pytest.raises(ReplayError, match=r"drive\.replay exists already"):
        save_replay(dataclasses.replace(replay, seed=7), file)
    assert file.read_bytes() == before
    save_replay(dataclasses.replace(replay, seed=7), file, overwrite=True)
    assert load_replay(file).seed == 7
    assert [path.name for path in file.parent.iterdir()] == ["drive.replay"]


def test_a_dangling_link_is_not_written_through(replay, tmp_path):
    (tmp_path / "link.replay").symlink_to(tmp_path / "elsewhere.replay")
    with pytest.raises(ReplayError, match="exists already"):
        save_replay(replay, tmp_path / "link.replay")
    assert not (tmp_path / "elsewhere.replay").exists()


def test_any_name_will_do_but_its_folder_must_exist(replay, tmp_path):
    for name in ("drive.replay", "drive.safetensors", "drive"):
        save_replay(replay, tmp_path / name)
        assert load_replay(tmp_path / name).digest == replay.digest
    with pytest.raises(FileError, match="does not exist"):
        save_replay(replay, tmp_path / "no folder" / "drive.replay")


def test_what_could_not_be_read_again_is_not_saved(replay, tmp_path):
    wrong = changed(replay, speed=at(5, np.nan))
    with pytest.raises(ReplayError, match=r"cannot be saved as .*drive\.replay: .*'steps\.speed'.* row 5"):
        save_replay(wrong, tmp_path / "drive.replay")
    with pytest.raises(ReplayError, match="laps"):
        save_replay(altered(replay, laps=replay.laps[:1]), tmp_path / "drive.replay")
    huge = altered(replay, steps=np.zeros(400_000, STEP_DTYPE))
    with pytest.raises(ReplayError, match="MiB"):
        save_replay(huge, tmp_path / "drive.replay")
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_printed_are_saved_without_what_cannot(replay, tmp_path):
    odd = altered(replay, driver="a\x1b[31m\nb\udc80" + "c" * 500, reward="")
    save_replay(odd, tmp_path / "drive.replay")
    again = load_replay(tmp_path / "drive.replay")
    assert again.driver.startswith("a [31m b cc") and len(again.driver) <= 200
    assert again.reward == ""


# Driving again


def test_what_was_driven_holds(replay, eventful, file):
    verdict = verify(load_replay(file))
    assert (verdict.ok, verdict.reason) == (True, "")
    assert verdict.laps == replay.laps
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
    assert verdict.laps == race.laps
    assert race.laps == again.laps
    assert len(race.laps) == 3


STATES = ("x", "y", "heading", "speed", "steering_angle", "yaw_rate", "s", "distance", "offset")


def test_here_every_bit_counts(replay):
    for name in STATES:
        row = int(np.flatnonzero(replay.steps[name])[30])
        verdict = verify(changed(replay, **{name: at(row, np.nextafter(replay.steps[name][row], np.inf))}))
        assert not verdict.ok and f"in step {row} " in verdict.reason and name.replace("_", " ") in verdict.reason
    assert not verify(changed(replay, heading=lambda column: column + 2.0 * np.pi)).ok
    later = dataclasses.replace(replay.laps[1], time_s=np.nextafter(replay.laps[1].time_s, 99.0))
    assert "time of its lap 2" in verify(altered(replay, laps=(replay.laps[0], later))).reason


def test_elsewhere_last_bits_do_not_matter_but_a_tenth_of_a_millimetre_does(replay):
    """A machine whose sine differs in its last bit computes other last bits."""
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, len(replay.steps))
    replay = dataclasses.replace(replay, arithmetic="another machine's")
    for name in STATES:
        assert verify(changed(replay, **{name: lambda column: column + 5e-6 * noise})).ok, name
        verdict = verify(changed(replay, **{name: lambda column: column + 1e-4 * noise}))
        assert not verdict.ok and name.replace("_", " ") in verdict.reason
    assert verify(changed(replay, heading=lambda column: column + 2.0 * np.pi)).ok
    assert verify(changed(replay, s=lambda column: column - replay.track.length)).ok


def test_a_long_forgery_is_not_driven_to_its_end():
    """What comes out of the proof are the laps that were driven again: none of those behind the difference."""
    long = drive(ring(), laps=9)
    assert len(verify(long).laps) == 9
    verdict = verify(changed(long, x=at(1, 9.0)))
    assert "in step 1 " in verdict.reason
    assert len(verdict.laps) <= 1
    later = int(np.flatnonzero(long.steps["lap"] == 4)[0])
    assert 3 <= len(verify(changed(long, x=at(later, 9.0))).laps) <= 5


def doctored():
    """Ways to cheat, each with a word of the reason it is refused for."""
    first = lambda replay, **change: (dataclasses.replace(replay.laps[0], **change), *replay.laps[1:])  # noqa: E731
    grip = dataclasses.replace(CAR, grip=20.0)
    yield (
        "lap time",
        lambda r: altered(r, laps=first(r, time_s=r.laps[0].time_s - 0.01)),
        "time of its lap 1",
    )
    yield "lap start", lambda r: altered(r, laps=first(r, start_s=0.01)), "start of its lap 1"
    yield "off-track hidden", lambda r: changed(r, off_track=np.zeros_like), "off track is False"
    yield (
        "lap completed",
        lambda r: altered(r, laps=tuple(dataclasses.replace(lap, complete=True, off_track=False) for lap in r.laps)),
        "its lap 2 was recorded otherwise",
    )
    yield "a lap more", lambda r: altered(r, laps=(*r.laps, r.laps[0])), "records 6 laps"
    yield "steering", lambda r: changed(r, steering_command_deg=at(30, 11.0)), "in step 31 (at 2.07 s) its"
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
        "left the track in step 132, but drove on",
    )
    yield "teleport", lambda r: changed(r, x=at(50, 3.0)), "in step 50 (at 3.33 s) its x is 3"
    yield "never started", lambda r: changed(r, restart=np.zeros_like), "never put on the start line"
    yield "nothing", lambda r: altered(r, steps=r.steps[:0]), "never put on the start line"
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
    assert "recorded with" not in verdict.reason, "its physics are the same"
    verdict = verify(changed(dataclasses.replace(old, physics="other"), x=at(50, 3.0)))
    assert "recorded with racer 0.0.9, whose cars move otherwise" in verdict.reason


def test_who_leaves_the_track_must_not_go_on():
    cut = drive(ring(), laps=1, leave_in_lap=1, and_go_on=True)
    assert cut.laps[0].complete and cut.steps["off_track"].any()
    verdict = verify(cut)
    assert not verdict.ok and "left the track in step 36, but drove on" in verdict.reason


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
