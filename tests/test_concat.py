"""Fleets and random tracks: every car is, bit for bit, what it is alone."""

import copy
from itertools import pairwise

import gymnasium
import numpy as np
import pytest

from racer.env import ConcatVectorEnv, TimeTrial, TimeTrialVector
from racer.racing import evaluate, load_agent
from racer.reward import VectorReward, load_reward
from racer.sensors import Camera, Lidar
from racer.sim import DEFAULT, DiscreteActions, Randomization, TrackSampler
from racer.sim.track_sampler import POOL, RENEWED
from racer.track import load_track, make_track
from racer.training.sb3.vec_env import VecTimeTrial

FIVE_BY_TWO = DiscreteActions(tuple((a, v) for a in (-30.0, -15.0, 0.0, 15.0, 30.0) for v in (1.0, 2.0)))
HARBOR, NEEDLE = load_track("harbor"), load_track("needle").reverse()
PARTS = (HARBOR, 3), (NEEDLE, 2), ("random", 3)
SENSES = {"sensors": ("state", Camera(size=(16, 12)), Lidar())}
VARIED = {"randomization": Randomization(friction=0.2, state_noise=0.1, start_offset_m=0.1, delay=2, dropped=0.1)}


def reward(params):
    return params["progress"] + params["is_left_of_center"] + params["track_length"] + params["waypoints"][1][0]


def concatenated(parts=PARTS, pays=reward, **more):
    return ConcatVectorEnv([TimeTrialVector(n, track, pays, **({"time_limit_s": 2.5} | more)) for track, n in parts])


def drawn(count, actions=DEFAULT, steps=90, seed=3):
    draw = np.random.default_rng(seed)
    if isinstance(actions, DiscreteActions):
        return draw.integers(len(actions.choices), size=(steps, count))
    given = draw.uniform(-1.0, 1.0, (steps, count, 2)).astype(np.float32)
    given[..., 1] = np.abs(given[..., 1])
    return given


def same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    else:
        np.testing.assert_array_equal(one, other)


def of_car(seen, i):
    return {key: values[i] for key, values in seen.items()} if isinstance(seen, dict) else seen[i]


@pytest.mark.parametrize(
    "more",
    [{}, {"actions": FIVE_BY_TWO, "start": "rotate"}, SENSES, VARIED],
    ids=["continuous", "discrete", "senses", "varied"],
)
def test_every_car_of_a_batch_is_bit_for_bit_what_it_is_alone(more):
    together = concatenated(**more)
    tracks = [track for track, n in PARTS for _ in range(n)]
    alone = [TimeTrial(track, reward, **({"time_limit_s": 2.5} | more)) for track in tracks]
    assert together.num_envs == together.action_space.shape[0] == len(alone)
    assert (together.track, together.car, together.actions) == (HARBOR, alone[0].car, more.get("actions", DEFAULT))
    seen, info = together.reset(seed=11)
    for i, env in enumerate(alone):
        same(of_car(seen, i), env.reset(seed=11 + i)[0])
    ended_in = set()
    for actions in drawn(len(alone), more.get("actions", DEFAULT)):
        seen, rewards, terminated, truncated, info = together.step(actions)
        ended = terminated | truncated
        assert ("final_info" in info) == ended.any()
        for i, env in enumerate(alone):
            own, paid, *ends, told = env.step(actions[i])
            assert (paid, *ends) == (rewards[i], terminated[i], truncated[i])
            if ended[i]:
                ended_in.add(tracks[i])
                assert info["_final_info"][i] and info["_final_obs"][i]
                same(info["final_obs"][i], own)
                final = info["final_info"]
                same(told, {key: final[key][i] for key in told})
                own, told = env.reset()
            elif ended.any():
                assert not info["_final_info"][i]
            same(of_car(seen, i), own)
            assert info["progress"][i] == told["progress"]
            assert together.state[i].tobytes() == env.state.tobytes()
    assert len(ended_in) == len(PARTS), "episodes must end in every part, or this test is worth nothing"
    together.close()


def test_it_takes_seeds_for_each_car_and_refuses_what_is_no_action():
    both = concatenated(((HARBOR, 2), (HARBOR.reverse(), 2)))
    both.reset(seed=[5, 6, 5, 6])
    assert both.state["seed"].tolist() == [5, 6, 5, 6]
    starts = both.state["start_s"]
    both.reset()
    assert (both.state["start_s"] != starts).any() and (both.state["episode"] == 1).all()
    with pytest.raises(ValueError, match=r"must be \(4, 2\), a row for each car"):
        both.step(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="finite"):
        both.step(np.full((4, 2), np.nan, np.float32))


def test_it_tells_stable_baselines_what_it_tells():
    face, plain = VecTimeTrial(concatenated()), concatenated()
    face.seed(40)
    same(face.reset(), plain.reset(seed=40)[0])
    ends = 0
    for actions in drawn(8):
        seen, _, done, infos = face.step(actions)
        told = plain.step(actions)
        same(seen, told[0])
        np.testing.assert_array_equal(done, told[2] | told[3])
        for i in np.flatnonzero(done):
            same(infos[i]["terminal_observation"], told[4]["final_obs"][i])
            assert infos[i]["status"] == told[4]["final_info"]["status"][i]
            ends += 1
    assert ends >= 8


def test_the_first_part_is_the_one_that_is_traced():
    env, rows = concatenated(), []
    env.step_callback = lambda params, *told: rows.append(params.floats.shape)
    env.reset(seed=0)
    env.step(drawn(8)[0])
    env.step_callback = None
    env.step(drawn(8)[1])
    assert rows == [(3, 11)]


# --- random tracks ---------------------------------------------------------------------------------------------------


def driven(env, steps=120, seed=2):
    """Digests of the tracks of the first car's episodes; it leaves the track again and again."""
    env.reset(seed=seed)
    found = [env.track.digest]
    for _ in range(steps):
        _, _, terminated, truncated, _ = env.step(np.tile(np.float32([1.0, 1.0]), (env.num_envs, 1)))
        if terminated[0] or truncated[0]:
            found.append(env.track.digest)
    return found


def test_each_episode_has_another_track_and_the_same_seed_the_same_ones():
    found = driven(TimeTrialVector(2, "random"))
    assert len(found) >= 4 and len(set(found)) == len(found)
    assert driven(TimeTrialVector(2, "random")) == found
    assert driven(TimeTrialVector(2, "random"), seed=7) != found
    assert not set(driven(TimeTrialVector(2, TrackSampler(5)))) & set(found), "another row has other tracks"
    row = TrackSampler(0)
    assert found[0] in {row.track(k).digest for k in range(POOL)}


def test_the_stock_is_renewed_while_the_cars_drive():
    row = TrackSampler(3)
    cars = np.zeros(POOL, [("seed", "u8"), ("episode", "i8"), ("clock", "i8")])
    cars["seed"] = np.arange(7, 7 + POOL)
    assert sorted(row.numbers(cars)) == list(range(POOL))
    cars["clock"] = 3 * RENEWED
    assert sorted(row.numbers(cars)) == list(range(3, 3 + POOL))
    later = TrackSampler(3, steps_before=2 * RENEWED)
    assert np.array_equal(later.numbers(cars), row.numbers(cars) + 2) and later.track(9) == row.track(9)
    one, found = cars[:1], []
    for episode in range(2 * POOL):
        one["episode"] = episode
        found.append(int(row.numbers(one)[0]))
    assert set(found) == set(range(3, 3 + POOL)) and all(a != b for a, b in pairwise(found))
    unseen = {track.digest for track in row.unseen(2)} | {make_track(1).digest}
    assert not unseen & {row.track(k).digest for k in range(POOL)}


def test_a_reward_is_told_of_its_own_track_and_its_state_lives_on():
    calls = {}

    def function(params):
        key = params["track_length"], len(params["waypoints"]), params["waypoints"][1]
        calls.setdefault(key, []).append((params["x"], params["y"]))
        return 0.0

    env = TimeTrialVector(3, "random", function)
    env.reset(seed=1)
    tracks = {}
    for actions in drawn(3, steps=60):
        for track in env.field.world.tracks.each():
            tracks[track.length, len(track.center), tuple(track.center[1].tolist())] = track
        env.step(actions)
    assert calls.keys() == tracks.keys() and len(calls) > 3
    for key, places in calls.items():
        away = np.linalg.norm(tracks[key].center[:, None] - np.array(places)[None], axis=2).min(axis=0)
        assert (away < 1.5).all()
    assert env.field.params.of(1)["track_length"] in {key[0] for key in calls}


COUNTING = """
class Counter:
    calls = 0


def reward_function(params):
    Counter.calls += 1
    return Counter.calls
"""


def test_a_rewards_state_outlives_episodes_on_random_tracks(tmp_path):
    path = tmp_path / "counting.py"
    path.write_text(COUNTING)
    env = TimeTrialVector(2, "random", VectorReward(load_reward(path), 2), time_limit_s=0.5)
    env.reset(seed=0)
    paid = [env.step(actions)[1].tolist() for actions in drawn(2, steps=30)]
    assert paid == [[k, k] for k in range(1, 31)] and (env.state["episode"] > 0).all()


def test_gymnasium_makes_it():
    env = gymnasium.make("racer/TimeTrial-v0", track="random")
    tracks = []
    for _ in range(3):
        env.reset(seed=4 if not tracks else None)
        tracks.append(env.unwrapped.track)
        state = env.unwrapped.state
        assert np.abs(tracks[-1].center - [state["x"], state["y"]]).sum(axis=1).min() < 0.5
    assert len({track.digest for track in tracks}) == 3
    assert env.unwrapped.reward_params["track_length"] == tracks[-1].length
    many = gymnasium.make_vec("racer/TimeTrial-v0", 4, vectorization_mode="vector_entry_point", track="random")
    many.reset(seed=4)
    same(many.reset(seed=4)[0][0], gymnasium.make("racer/TimeTrial-v0", track="random").reset(seed=4)[0])


def test_a_copy_goes_its_own_way():
    env = TimeTrialVector(3, "random")
    env.reset(seed=0)
    other = copy.deepcopy(env)
    before = env.state.tobytes()
    told = [other.step(actions)[0] for actions in drawn(3, steps=40)]
    assert env.state.tobytes() == before
    for actions, seen in zip(drawn(3, steps=40), told, strict=True):
        same(env.step(actions)[0], seen)


def test_parts_are_evaluated_as_each_alone():
    """Also those that are done before the others are, and a second time."""
    names = ("pebble", "serpent")

    def parts(*names):
        how = {"start": "line", "sensors": load_agent("follow_the_gap").sensors()}
        return [TimeTrialVector(1, name, None, **how) for name in names]

    both, alone = ConcatVectorEnv(parts(*names)), []
    driver = load_agent("follow_the_gap").make(both)
    for env in parts(*names):
        alone += [attempt.time_s for attempt in evaluate(env, driver, 2, seed=0).attempts]
    assert len(alone) == 4 and None not in alone
    for _ in range(2):
        assert [attempt.time_s for attempt in evaluate(both, driver, 2, seed=0).attempts] == alone
        assert not both.blind


def test_what_is_refused_leaves_every_part_as_it_was():
    env = concatenated()
    first = np.zeros(env.num_envs, bool)
    first[0] = True
    with pytest.raises(gymnasium.error.ResetNeeded, match="first reset"):
        env.reset(options={"reset_mask": first})
    env.reset(seed=1)
    before = env.state.tobytes()
    wrong = np.zeros((env.num_envs, 2), np.float32)
    wrong[-1, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        env.step(wrong)
    assert env.state.tobytes() == before
