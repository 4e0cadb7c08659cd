"""When episodes start again, and with which seeds: as Gymnasium's own vector environment does it, car by car."""

import gymnasium as gym
import numpy as np
import pytest
from drives import ring
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

from racer.env import ConcatVectorEnv, TimeTrial, TimeTrialVector
from racer.sim import DiscreteActions, Randomization

NAME = "racer/TimeTrial-v0"
CARS = 5
GIVEN = {
    "state": {},
    "sensors": {"sensors": ("state", "LIDAR:stack=2"), "actions": DiscreteActions(((-20.0, 3.0), (0.0, 4.0)))},
    "randomised": {"randomization": Randomization(friction=0.2, state_noise=0.1, delay=2, dropped=0.2)},
    "random tracks": {"track": "random"},
}


def paid(params):
    return params["progress"] + 0.01 * params["sim_time"] + params["steps"]


def pair(mode, most=None, **given):
    """Ours, and Gymnasium's own made of single environments."""
    given = {"track": ring(), "reward_function": paid, "time_limit_s": 1.4} | given
    own = gym.make_vec(NAME, num_envs=CARS, autoreset_mode=mode, max_episode_steps=most, **given)
    making = [lambda: gym.make(NAME, max_episode_steps=most, disable_env_checker=True, **given)] * CARS
    return own, SyncVectorEnv(making, autoreset_mode=mode)


def drawn(space, steps=70, seed=3):
    space.seed(seed)
    for _ in range(steps):
        action = space.sample()
        yield np.abs(action) if action.dtype == np.float32 else action


def same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    else:
        np.testing.assert_array_equal(one, other)


def same_where_told(own, other):
    """Infos: what Gymnasium tells of some cars alone is compared for those."""
    assert set(own) == set(other)
    for key in own:
        if key.startswith("_"):
            same(own[key], other[key])
        elif key == "final_obs":
            for car in np.flatnonzero(own["_final_obs"]):
                same(own[key][car], other[key][car])
        elif isinstance(own[key], dict):
            same_where_told(own[key], other[key])
        else:
            told = other[f"_{key}"]
            same(own[key][told].tolist(), other[key][told].tolist())


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_it_does_what_gymnasiums_own_does(mode, given):
    own, other = pair(mode, **GIVEN[given])
    assert own.metadata["autoreset_mode"] is mode
    (seen, info), (expected, told) = own.reset(seed=11), other.reset(seed=11)
    same(seen, expected)
    same_where_told(info, told)
    ends = 0
    for actions in drawn(own.action_space):
        ours, theirs = own.step(actions), other.step(actions)
        for one, another in zip(ours[:4], theirs[:4], strict=True):
            same(one, another)
        same_where_told(ours[4], theirs[4])
        done = ours[2] | ours[3]
        ends += done.sum()
        if mode is AutoresetMode.DISABLED and done.any():
            same(own.reset(options={"reset_mask": done})[0], other.reset(options={"reset_mask": done.copy()})[0])
    assert ends > 2 * CARS


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_it_truncates_after_as_many_steps_as_asked_for(mode):
    own, other = pair(mode, most=8, time_limit_s=60.0)
    own.reset(seed=1), other.reset(seed=1)
    truncations = []
    for actions in drawn(own.action_space, 20):
        ours, theirs = own.step(0.1 * actions), other.step(0.1 * actions)
        for one, another in zip(ours[:4], theirs[:4], strict=True):
            same(one, another)
        truncations.append(int(ours[3].sum()))
        if mode is AutoresetMode.DISABLED and ours[3].any():
            own.reset(options={"reset_mask": ours[3]}), other.reset(options={"reset_mask": ours[3].copy()})
    period = 9 if mode is AutoresetMode.NEXT_STEP else 8
    assert [step for step, count in enumerate(truncations, start=1) if count] == [k for k in range(8, 21, period)]


def test_a_wish_for_few_steps_needs_no_other_argument():
    envs = gym.make_vec(NAME, num_envs=2, max_episode_steps=20)
    envs.reset(seed=0)
    for step in range(1, 21):
        *_, truncated, info = envs.step(np.tile([0.0, -1.0], (2, 1)))
        assert truncated.all() == truncated.any() == (step == 20)
    assert info["final_info"]["status"].tolist() == ["in_progress"] * 2
    alone = TimeTrial(max_episode_steps=3)
    alone.reset(seed=0)
    assert [alone.step([0.0, -1.0])[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("mode", ["SameStep", "NextStep", "Disabled"])
def test_modes_have_names(mode):
    assert TimeTrialVector(2, autoreset_mode=mode).metadata["autoreset_mode"] is AutoresetMode(mode)
    assert TimeTrialVector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP, "of the class it stays"


def test_a_car_that_waits_costs_its_reward_function_no_call(tmp_path):
    path = tmp_path / "counting.py"
    path.write_text("calls = 0\ndef reward_function(params):\n    global calls\n    calls += 1\n    return calls\n")
    envs = TimeTrialVector(1, ring(), path, max_episode_steps=3, autoreset_mode="NextStep")
    envs.reset(seed=0)
    paid = [float(envs.step(np.zeros((1, 2)))[1][0]) for _ in range(8)]
    assert paid == [1, 2, 3, 0, 4, 5, 6, 0]
    envs.step(np.full((1, 2), 0.5))
    assert envs.step(np.zeros((1, 2)))[1][0] == 8


def test_the_action_of_a_car_that_waits_is_ignored():
    envs = TimeTrialVector(2, ring(), max_episode_steps=2, autoreset_mode="NextStep")
    envs.reset(seed=0)
    for _ in range(2):
        envs.step(np.zeros((2, 2)))
    seen, rewards, *ends, info = envs.step(np.full((2, 2), np.nan))
    assert rewards.tolist() == [0.0, 0.0] and not np.any(ends) and envs.observation_space.contains(seen)
    assert (envs.state["steps"] == 1).all() and (info["status"] == "in_progress").all()
    with pytest.raises(ValueError, match="finite"):
        envs.step(np.full((2, 2), np.nan))


# --- Resets ----------------------------------------------------------------------------------------------------------


def cars(kind, **more):
    if kind == "vector":
        return TimeTrialVector(5, ring(), **more)
    return ConcatVectorEnv([TimeTrialVector(2, ring(), **more), TimeTrialVector(3, "pebble", **more)])


@pytest.mark.parametrize("kind", ["vector", "concatenated"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_mask_resets_its_cars_and_leaves_the_others(kind, mode):
    envs, mask = cars(kind, autoreset_mode=mode), np.array([True, False, False, False, True])
    envs.reset(seed=3)
    for _ in range(4):
        before = envs.step(np.full((5, 2), -0.9))[0]
    states, options = envs.state, {"reset_mask": mask}
    states = states.copy()
    seen, info = envs.reset(options=options)
    assert options.keys() == {"reset_mask"}
    assert envs.state["steps"].tolist() == [1, 5, 5, 5, 1] and envs.state["episode"].tolist() == [1, 0, 0, 0, 1]
    assert envs.state[~mask].tobytes() == states[~mask].tobytes()
    np.testing.assert_array_equal(seen[~mask], before[~mask])
    assert (seen[mask] != before[mask]).any(axis=1).all()
    assert info["_progress"].tolist() == mask.tolist()
    envs.reset(seed=[7, 8, 9, 10, 11], options={"reset_mask": mask})
    assert envs.state["seed"].tolist() == [7, *states["seed"][1:4].tolist(), 11]
    assert envs.state["steps"].tolist() == [1, 5, 5, 5, 1]


def test_a_mask_wakes_cars_that_wait():
    envs = cars("vector", max_episode_steps=2, autoreset_mode="Disabled")
    envs.reset(seed=0)
    for _ in range(2):
        envs.step(np.zeros((5, 2)))
    some = np.array([True, True, True, False, False])
    envs.reset(options={"reset_mask": some})
    with pytest.raises(gym.error.ResetNeeded, match="over for cars 3, 4: reset them, with a reset_mask"):
        envs.step(np.zeros((5, 2)))
    envs.reset(options={"reset_mask": ~some})
    envs.step(np.zeros((5, 2)))
    envs.reset()
    envs.step(np.zeros((5, 2)))


@pytest.mark.parametrize("kind", ["vector", "concatenated"])
def test_masks_that_make_no_sense_are_refused(kind):
    envs = cars(kind)
    with pytest.raises(gym.error.ResetNeeded, match="leave out the reset_mask"):
        envs.reset(options={"reset_mask": np.array([True, False, False, False, False])})
    envs.reset(seed=0, options={})
    for wrong in (np.zeros(5, bool), np.ones(4, bool), np.ones(5), True, "all", [1, 0, 0, 0, 0]):
        with pytest.raises(ValueError, match="must be 5 truth values, one a car, and true for one or more"):
            envs.reset(options={"reset_mask": wrong})


@pytest.mark.parametrize("kind", ["vector", "concatenated"])
def test_seeds_come_in_every_form(kind):
    envs = cars(kind)
    wanted = [5, 6, 7, 8, 9]
    first = envs.reset(seed=5)[0]
    for seeds in (wanted, tuple(wanted), np.array(wanted), [np.int32(s) for s in wanted], np.int64(5), np.uint8(5)):
        envs.step(np.zeros((5, 2)))
        np.testing.assert_array_equal(envs.reset(seed=seeds)[0], first)
        assert envs.state["seed"].tolist() == wanted and (envs.state["episode"] == 0).all()
    seen, _ = envs.reset(seed=[None, 1, None, 3, None])
    assert envs.state["seed"].tolist() == [5, 1, 7, 3, 9]
    assert envs.state["episode"].tolist() == [1, 0, 1, 0, 1], "where there is none, a car goes on to its next episode"
    again, _ = cars(kind).reset(seed=[5, 1, 7, 3, 9])
    np.testing.assert_array_equal(seen[[1, 3]], again[[1, 3]])
    fresh = cars(kind)
    fresh.reset(seed=[None, 2, None, None, None])
    assert fresh.state["seed"][1] == 2 and len(set(fresh.state["seed"].tolist())) > 2
    negative, square = [5, 6, -7, 8, 9], np.arange(10).reshape(5, 2)
    for wrong in ([1, 2], negative, (1, 2, 3, 4, 5.5), "12345", 1.5, square, {1, 2, 3, 4, 5}):
        with pytest.raises(ValueError, match=r"seed.* must be"):
            envs.reset(seed=wrong)


def test_a_single_car_takes_numpys_seeds():
    env = TimeTrial(ring())
    first = env.reset(seed=4)[0]
    np.testing.assert_array_equal(env.reset(seed=np.int64(4))[0], first)
    with pytest.raises(ValueError, match=r"the seed is \[4\]; it must be a whole number or None"):
        env.reset(seed=[4])


# --- Gymnasium's wrappers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda envs: wrappers.FlattenObservation(envs),
        lambda envs: wrappers.RecordEpisodeStatistics(envs),
        lambda envs: wrappers.NormalizeReward(envs),
        lambda envs: wrappers.ClipReward(envs, -1.0, 1.0),
        lambda envs: wrappers.ClipAction(envs),
        lambda envs: wrappers.DictInfoToList(envs),
        lambda envs: wrappers.FilterObservation(envs, ["LIDAR"]),
        lambda envs: wrappers.DtypeObservation(wrappers.FlattenObservation(envs), np.float64),
    ],
    ids=["flatten", "statistics", "normalise", "clip rewards", "clip actions", "list", "filter", "dtype"],
)
def test_gymnasiums_wrappers_take_it(mode, wrapped):
    sensors = ("state", "LIDAR")
    envs = wrapped(gym.make_vec(NAME, num_envs=3, sensors=sensors, max_episode_steps=4, autoreset_mode=mode))
    seen, _ = envs.reset(seed=1)
    for step in range(1, 10):
        assert envs.observation_space.contains(seen)
        seen, _, _, truncated, info = envs.step(np.tile([0.0, -1.0], (3, 1)).astype(np.float32))
        if truncated.any() and isinstance(envs, wrappers.RecordEpisodeStatistics):
            assert info["episode"]["l"].tolist() == [4, 4, 4]
        if truncated.any() and mode is AutoresetMode.DISABLED:
            seen, _ = envs.reset(options={"reset_mask": np.ones(3, bool)})
        period = 5 if mode is AutoresetMode.NEXT_STEP else 4
        assert truncated.all() == truncated.any() == (step % period == 4 % period)


def test_observations_can_be_normalised():
    envs = wrappers.NormalizeObservation(gym.make_vec(NAME, num_envs=32, autoreset_mode="NextStep"))
    seen = [envs.reset(seed=1)[0]]
    for actions in drawn(envs.action_space, 60):
        seen.append(envs.step(actions)[0])
    moving = np.concatenate(seen[20:])[:, [0, 2, 3]]
    assert np.abs(moving.mean(axis=0)).max() < 1.0 and (moving.std(axis=0) > 0.5).all()


def test_the_same_step_gives_statistics_too():
    envs = wrappers.RecordEpisodeStatistics(gym.make_vec(NAME, num_envs=2, max_episode_steps=3))
    envs.reset(seed=0)
    lengths = [envs.step(np.zeros((2, 2)))[4].get("episode", {}).get("l") for _ in range(6)]
    shown = [None if x is None else x.tolist() for x in lengths]
    assert shown[:3] == [None, None, [3, 3]]
    if not gym.__version__.startswith(("1.1.", "1.2.")):  # whose own wrapper loses a step of each later episode
        assert shown[3:] == shown[:3]
