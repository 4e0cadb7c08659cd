"""Car against car: PettingZoo's own tests of the parallel environment, and the single agent's face with opponents."""

import gymnasium as gym
import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from racer import env as faces
from racer.env import Opponent, ParallelHeadToHead, TimeTrialVector
from racer.errors import RacerError
from racer.racing import load_agent
from racer.sim import STATUS, Bots, DiscreteActions, Traffic

PURSUIT = load_agent("pure_pursuit")


@pytest.mark.parametrize(
    "options",
    [
        {"cars": 3, "reward_function": "overtake"},
        {"actions": DiscreteActions(((-20, 1.0), (0, 2.0), (20, 1.0))), "sensors": ("LIDAR", "state")},
        {"cars": 4, "traffic": Traffic(bots=Bots(2, 0.3)), "penalty_s": 0.2, "max_episode_steps": 30},
    ],
)
def test_pettingzoos_own_tests(options, capsys):
    parallel_api_test(ParallelHeadToHead(**options), num_cycles=120)
    parallel_seed_test(lambda: ParallelHeadToHead(**options), num_cycles=60)


def test_a_car_that_crashes_is_out_and_the_others_go_on():
    env = ParallelHeadToHead(cars=3, traffic=Traffic(), start="line")
    seen, infos = env.reset(seed=0)
    assert [infos[agent]["crashes"] for agent in env.agents] == [0, 0, 0]
    driver = PURSUIT.make(TimeTrialVector(1))
    out = {}
    for _ in range(200):
        # car 0 crawls, those behind it drive as they can, along the same line
        actions = {agent: driver.act(seen[agent][:30]) for agent in env.agents}
        actions = {agent: a if agent != "car_0" else np.array([a[0], -1.0], np.float32) for agent, a in actions.items()}
        seen, rewards, terminated, truncated, infos = env.step(actions)
        assert set(seen) == set(rewards) == set(terminated) == set(truncated) == set(infos)
        out |= {agent: infos[agent] for agent in seen if terminated[agent]}
        if len(out) == 2:
            break
    assert set(out) == {"car_1", "car_2"}
    assert {info["status"] for info in out.values()} == {"crashed"}
    assert env.agents == ["car_0"]
    before = env.field.state[0].copy()
    env.step({"car_0": np.array([0.0, -1.0], np.float32)})
    after = env.field.state[0]
    assert (after["x"] == before["x"]).tolist() == [False, True, True]


def test_what_is_missing_or_misshaped_is_refused():
    env = ParallelHeadToHead()
    with pytest.raises(gym.error.ResetNeeded):
        env.step({})
    env.reset(seed=0)
    with pytest.raises(ValueError, match="there is no action for car_1"):
        env.step({"car_0": np.zeros(2, np.float32)})
    with pytest.raises(ValueError, match="car_1 has the shape"):
        env.step({"car_0": np.zeros(2, np.float32), "car_1": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="leave out opponents"):
        ParallelHeadToHead(opponents=(Opponent(None),))


def test_opponents_drive_and_a_batch_is_the_same_alone():
    options = {"opponents": ["pure_pursuit", "follow_the_gap"], "reward_function": "overtake"}
    many = gym.make_vec("racer/HeadToHead-v0", num_envs=3, autoreset_mode="NextStep", **options)
    alone = [gym.make("racer/HeadToHead-v0", **options) for _ in range(3)]
    seen, _ = many.reset(seed=7)
    for i, env in enumerate(alone):
        assert np.array_equal(env.reset(seed=7 + i)[0], seen[i])
    start = many.unwrapped.field.state["distance"][:, 1:].copy()
    over = [False] * 3
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = np.stack([rng.uniform(-0.3, 0.3, 3), rng.uniform(-1.0, 0.0, 3)], axis=1).astype(np.float32)
        seen, rewards, terminated, truncated, _ = many.step(actions)
        for i, env in enumerate(alone):
            if over[i]:
                one, reward, over[i] = env.reset()[0], 0.0, False
            else:
                one, reward, ended, cut, _ = env.step(actions[i])
                over[i] = ended or cut
            assert np.array_equal(one, seen[i])
            assert (reward, over[i]) == (rewards[i], bool(terminated[i] or truncated[i]))
    assert (many.unwrapped.field.state["episode"] > 0).any()
    assert (many.unwrapped.field.state["distance"][:, 1:] != start).all()


def test_an_opponents_mistake_ends_nothing():
    class Wild:
        def act(self, observation):
            return np.broadcast_to(np.array([1.0, 1.0], np.float32), (*observation.shape[:-1], 2))

    env = gym.make("racer/HeadToHead-v0", opponents=[Opponent(Wild())], start="line")
    env.reset(seed=0)
    mistakes = 0
    for _ in range(40):
        *_, info = env.step(np.array([0.0, -1.0], np.float32))
        mistakes += STATUS[env.unwrapped.field.state["status"][0, 1]] in ("off_track", "crashed")
        if info["status"] != "in_progress":
            break
    assert mistakes > 0


def test_who_cannot_drive_is_no_opponent():
    with pytest.raises(RacerError, match="has learned nothing yet"):
        gym.make("racer/HeadToHead-v0", opponents=["ppo"])
    with pytest.raises(RacerError, match="nobody_of_this_name"):
        gym.make("racer/HeadToHead-v0", opponents=["nobody_of_this_name"])
    with pytest.raises(ValueError, match=r"racer.env.Opponent"):
        faces.HeadToHead(opponents=["pure_pursuit"])
