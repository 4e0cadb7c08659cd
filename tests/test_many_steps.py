"""Many steps at once are the same steps: worlds, the lap book and the recorder against one step after the other."""

import numpy as np
import pytest
from drives import drive, otherwise, ring
from hypothesis import given, settings, strategies as st

from racer.errors import ReplayError
from racer.replay import LapBook, Recorder, commands_of, load_replay, replay_from_commands, save_replay
from racer.sim import CARS, OFF_TRACK, SIM_TO_REAL, Rules, World

TRACK = ring(radius=1.2)


def world(races: int, cars: int, penalty_s: float | None) -> World:
    made = World(TRACK, races, cars, rules=Rules("line", 3, 1e6, penalty_s=penalty_s))
    made.seed(5)
    made.reset()
    return made


@settings(max_examples=15)
@given(
    st.integers(1, 3), st.integers(1, 2), st.sampled_from([None, 0.2]), st.integers(0, 2**32 - 1), st.integers(1, 90)
)
def test_the_same_bits(races, cars, penalty_s, seed, at_once):
    """Cars that weave about the track, leave it, and complete laps; the steps are cut into pieces anywhere."""
    draws = np.random.default_rng(seed)
    commands = np.stack(
        [draws.normal(13.0, 8.0, (180, races, cars)), draws.uniform(1.0, 3.0, (180, races, cars))], axis=-1
    )
    one, many = world(races, cars, penalty_s), world(races, cars, penalty_s)
    book, recorder, quick = LapBook(races, cars), Recorder(races, cars), Recorder(races, cars)
    gained, going_on = np.zeros((races, cars)), np.zeros((races, cars), np.bool_)
    states = []
    for command in commands:
        states.append(one.cars.copy())
        for each in (book, recorder):
            each.before(one.cars)
        recorder.act(command, gained)
        one.step(command, gained)
        for each in (book, recorder):
            each.after(one.cars, one.cars["status"], going_on)
    for first in range(0, len(commands), at_once):
        some = commands[first : first + at_once]
        found = many.run(some)
        assert found[:-1].tobytes() == np.array(states[first : first + at_once]).tobytes()
        quick.record(found, some, found["status"][-1], going_on)
    assert many.cars.tobytes() == one.cars.tobytes()
    for each in (book, recorder, quick):
        each.close()
    assert quick.laps == recorder.laps == book.laps
    steps = recorder.take()
    steps["reward"] = 0.0
    assert quick.take().tobytes() == steps.tobytes()


def test_what_cannot_be_driven_at_once_is_refused():
    one = world(1, 1, None)
    with pytest.raises(ValueError, match="a command of step 1 is not a finite number"):
        one.run(np.array([1.0, 1.0, np.nan, 1.0]).reshape(2, 1, 1, 2))
    with pytest.raises(ValueError, match="take several steps at once"):
        World(TRACK, randomization=SIM_TO_REAL).run(np.zeros((1, 1, 1, 2)))


@pytest.mark.parametrize("how", [{}, {"leave_in_lap": 2}, {"stop_in_lap": 1}, {"car": CARS["deepracer-v4"]}])
def test_a_race_comes_back_from_its_commands_alone(how, tmp_path):
    replay = drive(ring(), laps=3, **how)
    data = commands_of(replay)
    again = replay_from_commands(data, replay.track, replay.car)
    assert again.laps == replay.laps and again.driver == replay.driver
    steps = replay.steps.copy()
    steps["reward"] = 0.0
    assert again.steps.tobytes() == steps.tobytes()
    assert again.digest == replay.digest
    save_replay(replay, tmp_path / "whole.replay")
    assert len(data) < (tmp_path / "whole.replay").stat().st_size / 4
    save_replay(again, tmp_path / "again.replay")
    assert load_replay(tmp_path / "again.replay").digest == replay.digest


def test_commands_that_are_spoiled_are_refused():
    replay = drive(ring(), laps=1)
    data = commands_of(replay)
    for bad in (
        b"",
        data[:-8],
        data.replace(b"speed_command", b"speed_commanb"),
        data.replace(b'\\"seed\\"', b'\\"sead\\"'),
    ):
        with pytest.raises(ReplayError):
            replay_from_commands(bad, replay.track, replay.car)
    off = drive(ring(), laps=2, leave_in_lap=1, and_go_on=True)
    assert off.steps["off_track"].any() and OFF_TRACK
    with pytest.raises(ReplayError, match="left the track in step"):
        replay_from_commands(commands_of(off), off.track, off.car)
    assert otherwise(replay, 1).digest != replay.digest
