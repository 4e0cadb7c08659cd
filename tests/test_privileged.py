"""What only a value network is told: the truth about a car, in `info["privileged"]`, and never to its driver."""

import numpy as np
import pytest
import torch
from drives import ring

from racer.env import ConcatVectorEnv, ObjectAvoidanceVector, TimeTrialVector
from racer.errors import SensorError
from racer.racing import load_agent
from racer.sim import RANDOMIZATIONS
from racer.training.sb3 import PRIVILEGED, VecTimeTrial

CAMERA, TRUTH = "FRONT_FACING_CAMERA:size=24x12:stack=2", "state:objects=3"


def time_trials(sensors, **more):
    return TimeTrialVector(6, ring(), "progress", sensors=sensors, time_limit_s=3.0, **more)


def both_directions(sensors):
    tracks = ring(), ring().reverse()
    return ConcatVectorEnv([TimeTrialVector(3, track, None, sensors=sensors, time_limit_s=2.0) for track in tracks])


def random_tracks(sensors):
    return TimeTrialVector(4, "random", sensors=sensors, time_limit_s=2.0)


def boxes(sensors):
    return ObjectAvoidanceVector(6, ring(), sensors=sensors, time_limit_s=3.0, objects=3)


@pytest.mark.parametrize("make", [time_trials, both_directions, random_tracks, boxes])
def test_it_is_what_the_sensor_observes_and_changes_nothing_else(make):
    """The same cars three times: one batch observes the truth, one is told it, one is not."""
    observe, told, plain = make((TRUTH,)), make((CAMERA,)), make((CAMERA,))
    told.privileged = TRUTH
    dice, ends = np.random.default_rng(2), 0
    (truth, _), (seen, info), (alone, nothing) = (env.reset(seed=5) for env in (observe, told, plain))
    for _ in range(60):
        np.testing.assert_array_equal(info["privileged"], truth)
        np.testing.assert_array_equal(seen["FRONT_FACING_CAMERA"], alone["FRONT_FACING_CAMERA"])
        assert "privileged" not in nothing
        actions = dice.uniform(-1.0, 1.0, (told.num_envs, 2)).astype(np.float32)
        truth, *_, right = observe.step(actions)
        seen, *_, info = told.step(actions)
        alone, *_, nothing = plain.step(actions)
        for car in np.flatnonzero(right.get("_final_obs", ())):
            ends += 1
            np.testing.assert_array_equal(info["final_info"]["privileged"][car], right["final_obs"][car])
    assert ends > 3
    told.privileged = None
    assert told.privileged is None and "privileged" not in told.reset(seed=5)[1]


def test_nothing_of_it_is_varied():
    env = time_trials(("state",), randomization=RANDOMIZATIONS["car"])
    env.privileged = "state"
    env.reset(seed=0)
    differ = False
    for _ in range(30):
        seen, *_, info = env.step(np.full((6, 2), 0.4, np.float32))
        np.testing.assert_array_equal(info["privileged"][:, 0], (env.state["speed"] / 4.0).astype(np.float32))
        differ |= bool((seen != info["privileged"]).any())
    assert differ, "what drivers observe is varied"


def test_there_must_be_such_a_sensor():
    env = time_trials(("state",))
    with pytest.raises(SensorError, match="STATE"):
        env.privileged = "STATES"
    assert env.privileged is None and "privileged" not in env.reset(seed=0)[1]


@pytest.mark.parametrize("sensors", [("state",), (CAMERA,), (CAMERA, "LIDAR")])
def test_stable_baselines_gets_it_among_the_observations(sensors):
    cars = VecTimeTrial(time_trials(sensors), TRUTH)
    cars.seed(4)
    seen, ends = cars.reset(), 0
    for _ in range(60):
        assert all(cars.observation_space.contains({k: v[car] for k, v in seen.items()}) for car in range(6))
        seen, _, done, infos = cars.step(np.full((6, 2), 0.5, np.float32))
        for car in np.flatnonzero(done):
            ends += 1
            assert cars.observation_space.contains(infos[car]["terminal_observation"])
            assert (infos[car]["terminal_observation"][PRIVILEGED] != seen[PRIVILEGED][car]).any()
    assert ends > 3


def test_the_value_network_looks_at_it_alone_and_the_policy_never():
    agent = load_agent("ppo_camera").make(time_trials((CAMERA, "LIDAR")), 1)
    agent.learn(lambda steps, metrics: float(steps > 2000))
    policy = agent.model.policy
    agent.env.seed(3)
    seen = {name: torch.from_numpy(values) for name, values in agent.env.reset().items()}
    dark = {name: torch.zeros_like(values) for name, values in seen.items()}
    with torch.no_grad():
        actions, values, _ = policy(seen, deterministic=True)
        same, others, _ = policy({**dark, PRIVILEGED: seen[PRIVILEGED]}, deterministic=True)
        torch.testing.assert_close(values, others, rtol=0.0, atol=0.0)
        assert (actions != same).any()
        same, others, _ = policy({**seen, PRIVILEGED: dark[PRIVILEGED]}, deterministic=True)
        torch.testing.assert_close(actions, same, rtol=0.0, atol=0.0)
        assert (values != others).any()
    assert {one.sensor for one in agent.policy_network().inputs} == {"FRONT_FACING_CAMERA", "LIDAR"}
    driven = {name: values.numpy() for name, values in seen.items() if name != PRIVILEGED}
    np.testing.assert_allclose(agent.act(driven), actions.clamp(-1.0, 1.0), atol=2e-5)


@pytest.mark.parametrize("make", [time_trials, both_directions])
def test_blind_cars_drive_as_others_and_see_again_after_a_reset(make):
    seeing, blind = make((CAMERA,)), make((CAMERA,))
    seeing.privileged = blind.privileged = TRUTH
    dark, _ = blind.reset(seed=6)
    blind.blind = True
    seeing.reset(seed=6)
    for step in range(40):
        actions = np.full((6, 2), 0.1 * (step % 5), np.float32)
        still, *paid = blind.step(actions)
        seen, *same = seeing.step(actions)
        np.testing.assert_array_equal(still["FRONT_FACING_CAMERA"], dark["FRONT_FACING_CAMERA"])
        assert (seen["FRONT_FACING_CAMERA"] != dark["FRONT_FACING_CAMERA"]).any()
        for one, other in zip(paid[:-1], same[:-1], strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(paid[-1]["privileged"], same[-1]["privileged"])
    blind.blind = False
    for one, other in zip(blind.reset()[0].items(), seeing.reset()[0].items(), strict=True):
        np.testing.assert_array_equal(one[1], other[1])
