"""Rewards as people write them: each gives what a plain import and a plain call of the same file give."""

import contextlib
import datetime
import importlib.util
import io
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from episodes import CARS, judged, params_of, recorded, written

from racer.env import TimeTrialVector

FOLDER = Path(__file__).parent / "rewards"
BESIDE = "beside_bends"
REWARDS = sorted(path for path in FOLDER.glob("*.py") if path.stem != BESIDE)
EPOCH = 1_600_000_000.0
TICKING = ("perf_counter", "monotonic", "process_time")


class Race:
    """The time that the real modules tell while `clock_of_the_race` holds."""

    seconds = 0.0


class RaceDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(EPOCH + Race.seconds, tz)


@contextlib.contextmanager
def clock_of_the_race():
    """The real modules `time` and `datetime` go by `Race.seconds`."""
    Race.seconds = 0.0
    with contextlib.ExitStack() as stack:
        for name in TICKING:
            stack.enter_context(mock.patch.object(time, name, lambda: Race.seconds))
            stack.enter_context(mock.patch.object(time, f"{name}_ns", lambda: int(Race.seconds * 1e9)))
        stack.enter_context(mock.patch.object(time, "time", lambda: EPOCH + Race.seconds))
        stack.enter_context(mock.patch.object(time, "sleep", lambda wait: None))
        stack.enter_context(mock.patch.object(datetime, "datetime", RaceDatetime))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


def plainly_imported(path, number, monkeypatch):
    """A car's own module, by Python's own import; the module beside it is its own as well."""
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop(BESIDE, None)
    spec = importlib.util.spec_from_file_location(f"plain_{path.stem}_{number}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module, sys.modules.pop(BESIDE, None)


@pytest.mark.parametrize("path", REWARDS, ids=lambda path: path.stem)
def test_gives_what_a_plain_call_gives(path, monkeypatch):
    ours = judged(path, stdout=io.StringIO())
    plain = np.full_like(ours, np.nan)
    with clock_of_the_race():
        modules = [plainly_imported(path, i, monkeypatch) for i in range(CARS)]
        for k, params in enumerate(params_of(recorded())):
            for i, (module, own) in enumerate(modules):
                if own is not None:
                    sys.modules[BESIDE] = own
                given = params.of(i)
                Race.seconds = given["sim_time"]
                answer = module.reward_function(given)
                plain[k, i] = answer.item() if isinstance(answer, np.ndarray) else float(answer)
    sys.modules.pop(BESIDE, None)
    assert np.isfinite(plain).all()
    np.testing.assert_array_equal(ours, plain)
    assert len(np.unique(ours)) > 1, "a reward that never changes shows nothing"


def test_there_are_enough_of_them():
    assert len(REWARDS) >= 40


def test_the_recorded_episodes_hold_what_the_habits_need():
    floats, waypoints, flags = (np.stack(table) for table in zip(*recorded(), strict=True))
    steps = floats[..., 6]
    assert (steps == 2.0).sum() > CARS, "episodes begin anew"
    assert not (steps < 2.0).any(), "and no reward function sees their first step"
    assert flags[..., 2].any(), "a car is off the track"
    assert flags[..., 1].any() and not flags[..., 1].all(), "left and right of the centre"
    assert len(np.unique(waypoints)) > 40


@pytest.mark.parametrize("name", ["class_state", "growing_list", "many_globals", "timed_steps", "mutating"])
def test_in_the_environment_itself(name):
    """The whole way: cars in one batch, and each of them alone with the seed that it had there."""
    path = FOLDER / f"{name}.py"
    actions = np.random.default_rng(0).uniform([-0.5, -1], [0.5, 1], (40, CARS, 2)).astype(np.float32)
    together = TimeTrialVector(CARS, "harbor", path)
    together.reset(seed=5)
    batch = np.array([together.step(action)[1] for action in actions])
    for i in range(CARS):
        alone = TimeTrialVector(1, "harbor", path)
        alone.reset(seed=5 + i)
        single = np.array([alone.step(action[i : i + 1])[1][0] for action in actions])
        np.testing.assert_array_equal(single, batch[:, i])


def test_no_car_sees_what_another_one_did(tmp_path):
    """Cars that count their calls: in their file, in a class of it, and in a module beside it."""
    written(tmp_path, "calls = []", "beside")
    path = written(
        tmp_path,
        """
        import beside

        class Memory:
            calls = 0

        here = []

        def reward_function(params):
            import beside as again
            assert again is beside
            here.append(1)
            beside.calls.append(1)
            Memory.calls += 1
            return len(here) + 100 * len(beside.calls) + 10000 * Memory.calls
        """,
    )
    rewards = judged(path, steps=7)
    np.testing.assert_array_equal(rewards, np.repeat(10101.0 * np.arange(1, 8)[:, None], CARS, axis=1))


def test_what_a_reward_keeps_of_its_params_is_its_own(tmp_path):
    """It holds on to the lists of earlier calls and changes them: nothing that anybody is given changes."""
    honest = """
        kept = []

        def reward_function(params):
            total = sum(map(sum, params["waypoints"])) + sum(params["closest_waypoints"])
            total += len(params["objects_location"]) + sum(params["closest_objects"])
            total += len(params) + len(params["waypoints"])
        """
    hoarding = """
            kept.append(params)
            for old in kept:
                old["waypoints"].append((1e6, 1e6))
                old["closest_waypoints"].append(1e6)
                old["objects_location"].append(1)
                old["closest_objects"][0] = 1e6
                old[len(old)] = old["x"] = None
        """
    ending = """
            return total
        """
    left_alone = judged(written(tmp_path, honest + ending, "honest"))
    np.testing.assert_array_equal(judged(written(tmp_path, honest + hoarding + ending, "hoarding")), left_alone)
