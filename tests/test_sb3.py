"""Stable-Baselines3's face of the vector environment: the same cars."""

import gymnasium
import numpy as np
import pytest
from drives import ring
from stable_baselines3.common.vec_env import VecNormalize

from racer.env import TimeTrialVector
from racer.training.sb3 import VecTimeTrial


def actions(steps, count, seed=3):
    drawn = np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, count, 2)).astype(np.float32)
    drawn[..., 1] = np.abs(drawn[..., 1])
    return drawn


def cars(count=6, track="harbor", **more):
    return TimeTrialVector(count, track, None, **({"time_limit_s": 2.5} | more))


def test_it_tells_what_the_environment_tells():
    plain, face = cars(time_limit_s=1.2), VecTimeTrial(cars(time_limit_s=1.2))
    face.seed(7)
    first, _ = plain.reset(seed=7)
    np.testing.assert_array_equal(face.reset(), first)
    returns, lengths, ended = np.zeros(6), np.zeros(6), {True: 0, False: 0}
    for now in actions(90, 6):
        seen, rewards, terminated, truncated, info = plain.step(now)
        face_seen, face_rewards, done, infos = face.step(now)
        np.testing.assert_array_equal(face_seen, seen)
        np.testing.assert_array_equal(face_rewards, rewards.astype(np.float32))
        assert face_rewards.dtype == np.float32 and face_seen.dtype == np.float32
        np.testing.assert_array_equal(done, terminated | truncated)
        returns, lengths = returns + rewards, lengths + 1
        for i in range(6):
            if not done[i]:
                assert infos[i] == {}
                continue
            final = info["final_info"]
            np.testing.assert_array_equal(infos[i]["terminal_observation"], info["final_obs"][i])
            assert infos[i]["TimeLimit.truncated"] is bool(truncated[i])
            assert infos[i]["status"] == final["status"][i]
            episode = {"r": pytest.approx(returns[i]), "l": lengths[i], "progress": final["progress"][i]}
            assert infos[i]["episode"] == episode
            returns[i] = lengths[i] = 0.0
            ended[bool(truncated[i])] += 1
    assert min(ended.values()) >= 2, "some ran out of time, some left the track"


def test_a_reset_begins_the_sums_anew():
    face = VecTimeTrial(cars(2, time_limit_s=1.0))
    face.seed(0)
    first = face.reset()
    for _ in range(10):
        face.step(np.zeros((2, 2), np.float32))
    assert (face.reset() != first).any(), "without a seed it goes on to the next episode"
    lengths = []
    while len(lengths) < 2:
        *_, infos = face.step(np.zeros((2, 2), np.float32))
        lengths += [info["episode"]["l"] for info in infos if info]
    assert lengths == [16, 16]


def test_what_cannot_become_a_vec_env_says_what_can():
    made = gymnasium.make_vec("racer/TimeTrial-v0", num_envs=3)
    assert VecTimeTrial(made).num_envs == 3
    single = gymnasium.make("racer/TimeTrial-v0")
    other = TimeTrialVector(3, autoreset_mode=gymnasium.vector.AutoresetMode.NEXT_STEP)
    for env in (single, other, None):
        with pytest.raises(ValueError, match=r"VecTimeTrial\(gymnasium\.make_vec\("):
            VecTimeTrial(env)


def test_the_cars_share_one_environment():
    env = cars(3)
    face = VecTimeTrial(env)
    assert face.num_envs == 3
    assert face.get_attr("track") == [env.track] * 3
    assert face.get_attr("num_envs", indices=1) == [3]
    assert face.env_is_wrapped(VecNormalize, indices=[0, 2]) == [False, False]
    with pytest.raises(AttributeError, match="share one environment: 'track' cannot be set"):
        face.set_attr("track", None)
    face.close()


def test_a_lap_in_time_is_bootstrapped():
    """The end of a finished race is no failure: the value of going on counts."""
    face = VecTimeTrial(cars(1, ring(), start="line", laps=1, time_limit_s=60.0))
    face.reset()
    infos = [{}]
    while not infos[0]:
        state, track = face.env.state[0], face.env.track
        s = (float(state["s"]) + 0.6) % track.length
        x, y = (np.interp(s, track.s, track.center[:, k]) for k in (0, 1))
        bearing = np.arctan2(y - state["y"], x - state["x"]) - state["heading"]
        steering = np.clip(2.0 * np.sin(bearing), -1.0, 1.0)
        *_, infos = face.step(np.array([[steering, -0.4]], np.float32))
    assert infos[0]["status"] == "lap_complete" and infos[0]["TimeLimit.truncated"] is True
    assert infos[0]["lap_time_s"] > 3.0 and infos[0]["episode"]["progress"] == 100.0
