"""The environments: what an episode tells and when, and that one car and many are the same."""

import copy
import dataclasses
import doctest
import gc
import inspect
import math
import pickle
import re
import sys
import warnings
from typing import get_args, get_type_hints

import gymnasium as gym
import numpy as np
import pytest
from drives import ring
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from hypothesis import given, strategies as st

import racer  # noqa: F401 (registers the environment)
from racer.env import ConcatVectorEnv, TimeTrial, TimeTrialVector
from racer.errors import RacerError
from racer.reward import params_at
from racer.sensors.state import ENTRIES
from racer.sim import CARS, STATUS, STEP_S, ContinuousActions, DiscreteActions
from racer.track import load_track, track_from_arrays

NAME = "racer/TimeTrial-v0"
FAST_STRAIGHT = np.array([0.0, 1.0], dtype=np.float32)


def towards_the_line(env):
    """An action that keeps one car on the road for long: by its true state, not by what it observes."""
    return pursue(env.unwrapped.state, env.unwrapped.track)


def pursue(state, track):
    s = (float(state["s"]) + 0.6) % track.length
    x, y = (np.interp(s, track.s, track.center[:, k]) for k in (0, 1))
    dx, dy = x - float(state["x"]), y - float(state["y"])
    bearing = math.remainder(math.atan2(dy, dx) - float(state["heading"]), math.tau)
    steering = math.degrees(math.atan2(0.6 * math.sin(bearing), math.hypot(dx, dy))) / 30.0
    return np.clip([steering, -0.5], -1.0, 1.0).astype(np.float32)


# --- What the reward is told --------------------------------------------------------------------------------


def pose_of(state):
    heading = float(state["heading"])
    x, y = float(state["x"]) + 0.14 * math.cos(heading), float(state["y"]) + 0.14 * math.sin(heading)
    return x, y, heading


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["harbor", "whirlpool", "ribbon"])
def test_params_of_an_episode_are_those_of_its_poses(name, reverse):
    """The pose before the action acts, the action's own command, and progress since this start."""
    track = load_track(name)
    track = track.reverse() if reverse else track
    told = []
    env = TimeTrial(track, lambda params: told.append(params) or 1.0, start="random", laps=2)
    rng = np.random.default_rng(4)
    episodes, steps = 0, 0
    for seed in (1, 2, 3):
        env.reset(seed=seed)
        previous, before, ended = 0.0, [], False
        while not ended and len(before) < 150:
            pose, start = pose_of(env.state), float(env.state["start_s"]) / track.length
            action = towards_the_line(env) + rng.normal(0.0, 0.2, 2).astype(np.float32)
            _, _, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
            steering, speed = np.clip(action, -1.0, 1.0).astype(np.float64)
            given = env.reward_params
            expected = params_at(
                track,
                *pose,
                steering_angle=math.radians(30.0 * steering),
                speed=2.25 + 1.75 * speed,
                steps=len(before) + 2,
                start=start,
                previous_progress=previous,
                sim_time=given["sim_time"],
            )
            assert told[-1] == given
            assert given["progress"] == pytest.approx(expected.pop("progress"), abs=0.25)
            assert {key: given[key] for key in expected} == {
                key: pytest.approx(value, abs=1e-9) if isinstance(value, float) else value
                for key, value in expected.items()
            }
            before.append(given)
            previous = given["progress"]
            steps += 1
        episodes += ended
    assert steps > 150 and len(told) == steps


def test_the_first_reward_sees_step_two_the_start_and_the_first_command():
    track = load_track("harbor")
    told = []
    env = TimeTrial(track, lambda params: told.append(params) or 0.0, start="line")
    for _ in range(2):
        env.reset(seed=3)
        assert told == []
        prepared = env.reward_params
        assert (prepared["steps"], prepared["speed"], prepared["steering_angle"]) == (1.0, 0.0, 0.0)
        env.step(np.array([0.5, 1.0], dtype=np.float32))
        (first,) = told
        x, y, heading = track.start
        assert first["steps"] == 2.0
        assert (first["speed"], first["steering_angle"]) == (4.0, 15.0)
        assert (first["x"], first["y"]) == pytest.approx((x + 0.14 * math.cos(heading), y + 0.14 * math.sin(heading)))
        assert first["progress"] == pytest.approx(14.0 / track.length, rel=0.01)  # 0.14 m in percent of a lap
        assert first["heading"] == pytest.approx(math.degrees(heading))
        env.step(FAST_STRAIGHT)
        assert told[1]["steps"] == 3.0
        assert told[1]["sim_time"] - first["sim_time"] == pytest.approx(STEP_S)
        told.clear()


def test_simulated_time_goes_on_over_episodes():
    """Rewards that time their steps must never see the clock run backwards."""
    told = []
    env = TimeTrial("harbor", lambda params: told.append(params["sim_time"]) or 0.0, start="line")
    env.reset(seed=0)
    for _ in range(120):
        _, _, terminated, truncated, _ = env.step(FAST_STRAIGHT)
        if terminated or truncated:
            env.reset()
    assert (np.diff(told) > 0.0).all()
    assert np.diff(told).min() == pytest.approx(STEP_S)


def test_going_off_is_found_in_the_pose_that_the_last_reward_saw():
    """And the last reward is the learner's own, unchanged."""
    env = TimeTrial("harbor", lambda params: 7.25 if params["is_offtrack"] else 1.5, start="line")
    env.reset(seed=0)
    for _ in range(200):
        _, reward, terminated, truncated, info = env.step(FAST_STRAIGHT)
        assert type(reward) is float
        off = env.reward_params["is_offtrack"]
        assert terminated == off and not truncated
        assert reward == (7.25 if off else 1.5)
        if terminated:
            assert info["status"] == "off_track"
            return
    pytest.fail("a car that drives straight on never left the track")


def test_what_a_reward_does_to_its_params_reaches_nobody():
    def spoil(params):
        seen.append(len(params["waypoints"]))
        for value in params.values():
            if isinstance(value, list):
                value.clear()
        params.clear()
        params["x"] = "spoiled"
        return 1.0

    seen = []
    env = TimeTrial("harbor", spoil)
    env.reset(seed=0)
    for _ in range(5):
        env.step(FAST_STRAIGHT)
    assert len(set(seen)) == 1
    assert env.reward_params["steps"] == 6.0
    env.reward_params.clear()
    assert len(env.reward_params) == 27


def test_without_a_reward_function_it_pays_the_metres_gained():
    env = TimeTrial("harbor", None, start="line")
    env.reset(seed=0)
    before, total, gained = float(env.state["distance"]), 0.0, 0.0
    for _ in range(60):
        _, reward, terminated, truncated, _ = env.step(towards_the_line(env))
        assert reward == gained  # by the move before
        gained = float(env.state["distance"]) - before
        before, total = float(env.state["distance"]), total + reward
        assert not (terminated or truncated)
    assert total + gained + 0.14 == pytest.approx(before, abs=1e-3)


def test_progress_is_told_as_100_once_at_the_end_of_each_lap():
    told = []
    env = TimeTrial(ring(rows=24), lambda params: told.append(params["progress"]) or 0.0, start="line", laps=3)
    env.reset(seed=0)
    ended = False
    while not ended:
        _, _, terminated, truncated, info = env.step(towards_the_line(env))
        ended = terminated or truncated
    assert (terminated, truncated, info["status"]) == (False, True, "lap_complete")
    assert info["progress"] == 100.0 and info["laps"] == 3
    assert told[-1] == 100.0 and told.count(100.0) == 3
    rest = [p for p in told if p != 100.0]
    assert max(rest) < 100.0 and min(rest) > -1.0
    falls = np.flatnonzero(np.diff(told) < 0)
    assert [told[k] for k in falls] == [100.0, 100.0]


# --- What ends an episode -----------------------------------------------------------------------------------


def ended(env, act, seed=0, limit=400):
    env.reset(seed=seed)
    for _ in range(limit):
        *_, terminated, truncated, info = env.step(act(env))
        assert not (terminated and truncated)
        if terminated or truncated:
            return terminated, truncated, info
    pytest.fail("the episode never ended")


def test_a_complete_lap_truncates_and_tells_its_time():
    terminated, truncated, info = ended(TimeTrial(ring(), start="line"), towards_the_line)
    assert (terminated, truncated, info["status"]) == (False, True, "lap_complete")
    assert info["laps"] == 1 and info["progress"] == 100.0
    assert 5.0 < info["lap_time_s"] < 15.0


def test_time_truncates():
    env = TimeTrial(ring(), start="line", time_limit_s=1.0)
    assert ended(env, towards_the_line)[:2] == (False, True)
    assert env.state["steps"] == 1 + 16


def test_leaving_the_track_terminates():
    terminated, truncated, info = ended(TimeTrial(ring(), start="line"), lambda env: FAST_STRAIGHT)
    assert (terminated, truncated, info["status"]) == (True, False, "off_track")
    assert math.isnan(info["lap_time_s"])


def test_driving_backwards_terminates():
    """On a road so wide that the car can turn round."""
    angle = np.linspace(0.0, 2.0 * np.pi, 61) % (2.0 * np.pi)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    env = TimeTrial(track_from_arrays("wide", 4.0 * circle, 3.0 * circle, 5.0 * circle), start="line")
    terminated, truncated, info = ended(env, lambda env: np.array([1.0, -0.8], np.float32))
    assert (terminated, truncated, info["status"]) == (True, False, "reversed")


def test_every_status_has_a_name_in_the_original():
    assert set(STATUS) == {
        "in_progress",
        "lap_complete",
        "crashed",
        "off_track",
        "immobilized",
        "time_up",
        "reversed",
        "pause",
    }


# --- One car and many ---------------------------------------------------------------------------------------

REWARDS = {
    "native": None,
    "python": "centerline",
    "callable": lambda params: params["progress"] - params["y"],
}


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize(("count", "threads"), [(64, 1), (64, 2), (512, 2)])
def test_a_car_in_a_batch_gets_what_it_gets_alone(reward, count, threads):
    """Observations, rewards, ends and final observations, bit for bit, over several episodes."""
    steps, seed = 70, 1000
    rng = np.random.default_rng(9)
    actions = rng.uniform(-1.0, 1.0, (steps, count, 2)).astype(np.float32)
    actions[:, :, 1] = np.abs(actions[:, :, 1])  # quick, so that many leave the track
    given = {"track": "harbor", "reward_function": REWARDS[reward], "time_limit_s": 3.0}
    many = TimeTrialVector(count, threads=threads, **given)
    first, _ = many.reset(seed=seed)
    history = [(*many.step(now)[:4], many.state.copy()) for now in actions]
    ends = sum(int((h[2] | h[3]).sum()) for h in history)
    assert ends > 0.5 * count
    many.close()

    many = TimeTrialVector(count, threads=threads, **given)
    assert many.reset(seed=seed)[0].tobytes() == first.tobytes()
    infos = []
    for now, then in zip(actions, history, strict=True):
        observations, rewards, terminated, truncated, info = many.step(now)
        again = (observations, rewards, terminated, truncated, many.state)
        assert [a.tobytes() for a in again] == [b.tobytes() for b in then]
        infos.append(info)
    many.close()

    for i in (0, 1, count // 3, count - 1):
        env = TimeTrial(**given)
        observation, _ = env.reset(seed=seed + i)
        assert observation.tobytes() == first[i].tobytes()
        for now, then, told in zip(actions[:, i], history, infos, strict=True):
            observation, reward, terminated, truncated, info = env.step(now)
            observations, rewards, terminations, truncations, states = (part[i] for part in then)
            assert (reward, terminated, truncated) == (rewards, terminations, truncations)
            if terminated or truncated:
                assert told["_final_obs"][i] and told["_final_info"][i]
                assert told["final_obs"][i].tobytes() == observation.tobytes()
                final = told["final_info"]
                np.testing.assert_equal({key: final[key][i] for key in info}, info)
                observation, _ = env.reset()
            assert observation.tobytes() == observations.tobytes()
            assert env.state.tobytes() == states.tobytes()


def test_seeds_decide_the_starts():
    env = TimeTrial("harbor")
    starts = {seed: env.reset(seed=seed)[0].tobytes() for seed in range(8)}
    assert len(set(starts.values())) > 5
    assert env.reset(seed=3)[0].tobytes() == starts[3]
    again = env.reset()[0].tobytes()
    assert again != starts[3]
    env.reset(seed=3)
    assert env.reset()[0].tobytes() == again
    two = TimeTrialVector(2, "harbor")
    first, _ = two.reset(seed=[5, 3])
    assert [row.tobytes() for row in first] == [starts[5], starts[3]]
    for wrong in ([1, 2, 3], (1,), [1, 0.5], ["1", 2], np.arange(3)):
        with pytest.raises(ValueError, match="2 whole numbers"):
            two.reset(seed=wrong)


def test_without_a_seed_every_environment_starts_somewhere_else():
    starts = {TimeTrial("harbor").reset()[0].tobytes() for _ in range(8)}
    assert len(starts) > 4


def test_what_is_handed_out_is_the_callers_own():
    env = TimeTrialVector(3, "harbor")
    first, _ = env.reset(seed=0)
    kept = first.copy()
    env.step(np.zeros((3, 2), np.float32))
    np.testing.assert_array_equal(first, kept)
    observations, rewards, terminated, _, info = env.step(np.ones((3, 2), np.float32))
    for array in (observations, rewards, terminated, info["progress"]):
        array[:] = 1
    with pytest.raises(ValueError, match="read-only"):
        env.state["x"] = 0.0
    assert (env.step(np.ones((3, 2), np.float32))[0] != 1.0).any()


def test_an_episode_that_ends_in_a_batch_starts_again_in_the_same_step():
    env = TimeTrialVector(3, ring(), start="line", time_limit_s=1.0)
    first, info = env.reset(seed=0)
    assert "final_obs" not in info
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    for k in range(1, 40):
        observations, _, terminated, truncated, info = env.step(np.zeros((3, 2), np.float32))
        done = k % 16 == 0
        assert truncated.all() == truncated.any() == done and not terminated.any()
        assert ("final_obs" in info) == done
        if done:
            np.testing.assert_array_equal(observations, first)
            assert (info["final_info"]["status"] == "time_up").all()
            assert all((info["final_obs"][i] != first[i]).any() for i in range(3))
            assert (env.state["steps"] == 1).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
def test_a_copy_goes_on_like_the_original_and_without_it(copied):
    """As planners do it, who try what would happen. A reward function has memories that cannot be copied."""
    with pytest.raises(TypeError, match="with the reward function centerline cannot be copied; make another"):
        copied(TimeTrial("harbor", "centerline"))
    env = TimeTrial("harbor", None, start="line")
    env.reset(seed=0)
    for _ in range(5):
        env.step(FAST_STRAIGHT)
    twin, before = copied(env), env.state.tobytes()
    history, over = [], False
    while not over:
        history.append(twin.step(FAST_STRAIGHT))
        over = history[-1][2]
    assert env.state.tobytes() == before
    for observation, *rest in history:
        again, *same = env.step(FAST_STRAIGHT)
        assert again.tobytes() == observation.tobytes() and same == rest
    assert env.state.tobytes() == twin.state.tobytes()


# --- Actions ------------------------------------------------------------------------------------------------

BAD_ACTIONS = {
    "nan": [math.nan, 0.0],
    "inf": [0.0, math.inf],
    "minus inf": [-math.inf, 0.0],
    "one number": [0.5],
    "three numbers": [0.0, 0.0, 0.0],
    "a number": 0.5,
    "nothing": None,
    "words": ["left", "fast"],
    "a list of nothing": [None, None],
    "ragged": [[0.0], [0.0, 1.0]],
    "a column": [[0.0], [1.0]],
}


@pytest.mark.parametrize("kind", BAD_ACTIONS)
def test_an_action_that_is_none_is_refused_and_nothing_moves(kind):
    one, two = TimeTrial("harbor", "centerline"), TimeTrialVector(2, "harbor", "centerline")
    for env, action in ((one, BAD_ACTIONS[kind]), (two, [BAD_ACTIONS[kind], [0.0, 0.0]])):
        env.reset(seed=0)
        env.step(np.zeros(env.action_space.shape, np.float32))
        before = env.state.tobytes()
        with pytest.raises(ValueError) as caught:
            env.step(action)
        message = str(caught.value)
        assert "\n" not in message and len(message) < 200
        assert re.search(r"action|steering|speed", message)
        assert env.state.tobytes() == before
        env.step(np.zeros(env.action_space.shape, np.float32))


def test_actions_outside_of_the_space_are_clipped():
    told = []
    env = TimeTrial("harbor", lambda params: told.append(params) or 0.0)
    env.reset(seed=0)
    for action in ([-3.0, -9.0], [2.0, 1e30], [0, 1]):  # and whole numbers are numbers
        env.step(action)
    assert [(t["steering_angle"], t["speed"]) for t in told] == [(-30.0, 0.5), (30.0, 4.0), (0.0, 4.0)]


def test_discrete_actions_are_positions_in_their_list():
    told = []
    choices = ((-30.0, 0.7), (0.0, 3.0), (15.0, 1.2))
    env = gym.make(
        NAME,
        track="harbor",
        actions=DiscreteActions(choices),
        reward_function=lambda params: told.append((params["steering_angle"], params["speed"])) or 0.0,
    )
    assert env.action_space == gym.spaces.Discrete(3)
    check_env(env.unwrapped, skip_render_check=True)  # it is checked with the pictures
    told.clear()
    env.reset(seed=0)
    for k in (0, 1, 2, np.int64(1)):
        env.step(k)
    assert told == [choices[0], choices[1], choices[2], choices[1]]
    for wrong in (-1, 3, 0.5, math.nan, [0], None):
        with pytest.raises(ValueError, match="action"):
            env.unwrapped.step(wrong)
    many = TimeTrialVector(2, "harbor", actions=DiscreteActions(choices))
    many.reset(seed=0)
    many.step(many.action_space.sample())


@given(
    st.tuples(st.floats(-90, 89), st.floats(0.5, 90)),
    st.tuples(st.floats(0.1, 8), st.floats(0.5, 8)),
    st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32)), min_size=1, max_size=5),
)
def test_actions_and_commands_are_each_others_inverse(steering, speed, actions):
    space = ContinuousActions((steering[0], steering[0] + steering[1]), (speed[0], speed[0] + speed[1]))
    commands = space.commands(actions)
    low = np.array([steering[0], speed[0]])
    span = np.array([steering[1], speed[1]])
    np.testing.assert_allclose(commands, low + (np.array(actions) + 1.0) / 2.0 * span, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(space.actions(commands), np.array(actions, np.float32), atol=1e-4)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_an_empty_range_of_actions_is_refused(bounds):
    with pytest.raises(ValueError, match="must be a finite range"):
        ContinuousActions(bounds)
    with pytest.raises(ValueError, match="must hold one or more"):
        DiscreteActions(())
    with pytest.raises(ValueError, match="all finite"):
        DiscreteActions(((math.nan, 1.0),))


# --- Gymnasium and Stable-Baselines3 ------------------------------------------------------------------------


def test_gymnasiums_checker_finds_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(NAME, track="harbor", reward_function="centerline")
        check_env(env.unwrapped, skip_render_check=True)


def test_stable_baselines_checker_finds_nothing():
    from stable_baselines3.common.env_checker import check_env as check

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(TimeTrial("harbor", "centerline"))


def test_make_gives_both_environments_by_name():
    track = load_track("harbor")
    one = gym.make(NAME, track=track, reward_function="centerline", start="line", laps=2, time_limit_s=20.0)
    assert isinstance(one.unwrapped, TimeTrial) and one.unwrapped.track is track
    many = gym.make_vec(NAME, num_envs=3, track="harbor", reward_function=lambda params: 1.0)
    assert isinstance(many, TimeTrialVector) and many.num_envs == 3
    assert many.single_observation_space == one.observation_space
    assert many.reset(seed=0)[0].shape == (3, len(ENTRIES))
    assert many.observation_space.contains(many.step(many.action_space.sample())[0])


def test_a_step_before_the_first_reset_is_refused():
    for env in (gym.make(NAME, track="harbor"), TimeTrial("harbor"), TimeTrialVector(2, "harbor")):
        with pytest.raises(gym.error.ResetNeeded):
            env.step(np.zeros(env.action_space.shape, np.float32))


@pytest.mark.parametrize(
    "given",
    [
        {"laps": 0},
        {"laps": 1.5},
        {"laps": True},
        {"start": "middle"},
        {"time_limit_s": 0.0},
        {"time_limit_s": math.nan},
        {"car": "lorry"},
        {"sensors": ("radar",)},
        {"sensors": ()},
        {"sensors": ("state", "state")},
        {"sensors": ("state", 3)},
        {"sensors": None},
        {"sensors": "radar"},
        {"actions": "discrete"},
        {"actions": None},
        {"actions": [(0.0, 1.0)]},
        {"randomization": True},
        {"randomization": "sim_to_real"},
        {"car": None},
        {"car": ["deepracer"]},
        {"start": 0},
        {"time_limit_s": "60"},
        {"time_limit_s": None},
        {"time_limit_s": True},
        {"threads": 0},
        {"threads": "2"},
        {"max_episode_steps": 0},
        {"max_episode_steps": 20.0},
        {"penalty_s": "2"},
        {"track": None},
        {"track": 3},
        {"reward_function": 3},
    ],
)
def test_arguments_that_make_no_sense_are_refused(given):
    for make in (TimeTrial, lambda **more: TimeTrialVector(2, **more)):
        with pytest.raises((ValueError, RacerError)) as caught:
            make(**({"track": "harbor"} | given))
        (name,) = given
        message = str(caught.value)
        assert "\n" not in message and len(message) < 250
        assert name.split("_")[0] in message, "it says which argument is meant"


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True, None])
def test_a_number_of_cars_is_a_whole_number(wrong):
    with pytest.raises(ValueError, match=r"num_envs is .*; it must be a whole number of at least 1"):
        TimeTrialVector(wrong)


def test_messages_fit_what_was_given():
    with pytest.raises(ValueError, match=r"DiscreteActions\(\(\(-30, 1.0\), \(0, 2.5\), \(30, 1.0\)\)\)"):
        gym.make(NAME, actions="discrete")
    one = gym.make(NAME, sensors="FRONT_FACING_CAMERA", disable_env_checker=True)
    assert list(one.observation_space) == ["FRONT_FACING_CAMERA"], "one word is one sensor"
    assert TimeTrial(sensors=["state"]).observation_space.shape == (len(ENTRIES),)
    for env, shape, message in (
        (TimeTrial(), (1, 2), r"shape \(1, 2\); it must be an array of the shape \(2,\); .*action\[0\] is the action"),
        (TimeTrial(), (2, 1), r"shape \(2, 1\); it must be an array of the shape \(2,\)$"),
        (TimeTrialVector(1), (2,), r"shape \(2,\); it must be \(1, 2\), a row for each car"),
    ):
        env.reset(seed=0)
        with pytest.raises(ValueError, match=message):
            env.step(np.zeros(shape, np.float32))
    discrete = TimeTrial(actions=DiscreteActions(((0.0, 1.0),)))
    discrete.reset(seed=0)
    with pytest.raises(ValueError, match=r"it must be a whole number; .*action\[0\] is the action"):
        discrete.step(np.array([0]))


@pytest.mark.parametrize("make", [TimeTrial, lambda *given: TimeTrialVector(2, *given)], ids=["one", "many"])
def test_infos_have_always_the_same_keys(make):
    env = make(ring(), None, "deepracer", "line", 2)
    _, info = env.reset(seed=0)
    keys, laps = set(info), []
    assert {"progress", "laps", "lap_time_s", "status"} <= keys
    for _ in range(300):
        state = env.state if make is TimeTrial else env.state[0]
        actions = pursue(state, env.track)
        *_, terminated, truncated, info = env.step(actions if make is TimeTrial else np.stack([actions] * 2))
        assert set(info) - {"final_obs", "_final_obs", "final_info", "_final_info"} == keys
        last = info.get("final_info", info)
        laps.append((int(np.ravel(last["laps"])[0]), float(np.ravel(last["lap_time_s"])[0])))
        if np.any(terminated | truncated):
            break
    assert {laps_so_far for laps_so_far, _ in laps} == {0, 1, 2}
    assert all(math.isnan(time_s) == (laps_so_far == 0) for laps_so_far, time_s in laps)


def test_a_monitor_writes_lap_times(tmp_path):
    from stable_baselines3.common.monitor import Monitor

    env = Monitor(TimeTrial(ring(), start="line"), str(tmp_path / "log"), info_keywords=("lap_time_s", "status"))
    for act in (lambda: FAST_STRAIGHT, lambda: towards_the_line(env)):
        env.reset(seed=0)
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(act())
            over = terminated or truncated
    env.close()
    rows = (tmp_path / "log.monitor.csv").read_text().splitlines()[2:]
    assert [row.split(",")[3:] for row in rows] == [["nan", "off_track"], [repr(info["lap_time_s"]), "lap_complete"]]


def test_what_cannot_be_made_leaves_nothing_to_close(monkeypatch):
    """Before 1.3, Gymnasium closes a vector environment when it is collected, also one whose making failed."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: found.append(problem.exc_value))
    for make in (lambda: TimeTrialVector(0), lambda: TimeTrialVector(2, "nowhere"), lambda: ConcatVectorEnv([])):
        with pytest.raises((ValueError, RacerError)):
            make()
        gc.collect()
    assert not found


def test_names_that_do_not_exist_are_refused():
    for argument in ("track", "reward_function"):
        with pytest.raises(RacerError, match="no-such-name"):
            TimeTrial(**{argument: "no-such-name"})
    with pytest.raises(ValueError, match="num_envs"):
        TimeTrialVector(0)


def test_a_car_of_ones_own_can_be_driven():
    quick = dataclasses.replace(CARS["deepracer"], name="quick", max_speed=2.0)
    assert TimeTrial("harbor", car=quick).car is quick


# --- The documentation --------------------------------------------------------------------------------------


def test_the_table_of_observations_is_that_of_the_sensor():
    table = dict(re.findall(r"^\s*\| (\d+(?: \+ 2k)?) \| (.+?) \|$", doc_of("## Observation space"), re.MULTILINE))
    meanings = [table[str(i)] for i in range(len(ENTRIES)) if str(i) in table]
    forwards, to_the_left = (table[f"{len(meanings) + k} + 2k"] for k in (0, 1))
    assert len(table) == len(meanings) + 2
    distances = re.fullmatch(r"centre line d metres ahead, forwards, / d metres; d = (.*)", forwards)[1]
    assert to_the_left == "the same point, to the left, / d metres"
    for d in distances.split(", "):
        for way in ("forwards", "to the left"):
            meanings.append(f"centre line {d} m ahead, {way}, / {d} m")
    assert tuple(meanings) == ENTRIES
    box = TimeTrial("harbor").observation_space
    assert f"`Box({box.low[0]:g}, {box.high[0]:g}, {box.shape}, {box.dtype})`" in doc_of("## Observation space")


def test_the_table_of_actions_is_what_they_command():
    table = re.findall(r"^\s*\| (\d) \| (.+?) \| (.+?) \| (.+?) \|$", doc_of("## Action space"), re.MULTILINE)
    low, high = ContinuousActions().commands([[-1, -1], [1, 1]])
    assert table == [
        (
            "0",
            "commanded steering angle",
            f"{-low[0]:g} degrees to the right",
            f"{high[0]:g} degrees to the left",
        ),
        ("1", "commanded speed", f"{low[1]:g} m/s", f"{high[1]:g} m/s"),
    ]


def test_the_table_of_arguments_is_complete():
    signature = inspect.signature(TimeTrial).parameters
    defaults = {name: parameter.default for name, parameter in signature.items() if name != "options"}
    (keywords,) = get_args(get_type_hints(TimeTrial.__init__)["options"])
    table = dict(re.findall(r"^\s*\| `(\w+)` \| (.+?) \|", doc_of("## Arguments"), re.MULTILINE))
    assert list(table) == [*defaults, *keywords.__annotations__]
    for name in ("track", "car", "start"):
        assert table[name] == f'`"{defaults[name]}"`'
    for name in ("laps", "time_limit_s"):
        assert float(table[name]) == defaults[name]


def test_the_example_runs():
    found = doctest.DocTestFinder().find(TimeTrial, "TimeTrial", globs={})
    assert sum(len(test.examples) for test in found) >= 4
    for test in found:
        result = doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None)
        assert result.failed == 0


def doc_of(section):
    text = TimeTrial.__doc__
    start = text.index(section)
    return text[start : text.find("\n    ## ", start + 1)]


def test_every_entry_observed_is_what_it_is_called():
    """Speed, commands, offset, heading and the points ahead, computed here from the state and the track."""
    track = load_track("harbor")
    env = TimeTrial(track, start="line", laps=2)
    observation, _ = env.reset(seed=0)
    last = np.zeros(2)
    for _ in range(80):
        state = env.state
        told = dict(zip(ENTRIES, observation.tolist(), strict=True))
        x, y, heading = pose_of(state)
        given = params_at(track, x, y, heading)
        half = given["track_width"] / 2
        side = 1.0 if given["is_left_of_center"] else -1.0
        i = given["closest_waypoints"][0]
        along = math.atan2(*(track.center[i + 1] - track.center[i])[::-1])
        expected = {
            "speed / 4 m/s": float(state["speed"]) / 4,
            "yaw rate / 3 rad/s": float(state["yaw_rate"]) / 3,
            "angle of the front wheels / 30 degrees": math.degrees(state["steering_angle"]) / 30,
            "last commanded steering / 30 degrees": last[0] / 30,
            "last commanded speed / 4 m/s": last[1] / 4,
            "half the track's width, m": half,
        }
        if given["projection_distance"] - track.s[i] > 1e-6:  # on a row it may be either segment's
            expected["sine of the heading less that of the centre line"] = math.sin(heading - along)
            expected["cosine of the same"] = math.cos(heading - along)
        offset = "front point's offset from the centre line / half the track's width, left positive"
        for d in (0.3, 0.9, 2.8, 5.2):
            s = (given["projection_distance"] + d) % track.length
            ax, ay = (np.interp(s, track.s, track.center[:, k]) - p for k, p in ((0, x), (1, y)))
            expected[f"centre line {d:g} m ahead, forwards, / {d:g} m"] = (
                ax * math.cos(heading) + ay * math.sin(heading)
            ) / d
            expected[f"centre line {d:g} m ahead, to the left, / {d:g} m"] = (
                ay * math.cos(heading) - ax * math.sin(heading)
            ) / d
        for name, value in expected.items():
            tolerance = 0.02 if "ahead" in name or "width" in name else 1e-5
            assert told[name] == pytest.approx(value, abs=tolerance), name
        if given["distance_from_center"] > 1e-3:
            assert told[offset] == pytest.approx(side * given["distance_from_center"] / half, abs=0.02)
        action = towards_the_line(env)
        last = np.array([30.0 * action[0], 2.25 + 1.75 * action[1]])
        observation, *_ = env.step(action)
