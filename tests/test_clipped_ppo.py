"""DeepRacer's own way to train: updates of whole episodes, as many as its file says."""

import numpy as np
import pytest
from drives import ring

from racer.env import TimeTrialVector
from racer.racing import load_agent
from racer.sim import DEFAULT, IN_PROGRESS, DiscreteActions

CHOICES = DiscreteActions(((-20.0, 1.0), (0.0, 2.0), (20.0, 1.0)))


@pytest.mark.parametrize("actions", [DEFAULT, CHOICES], ids=["continuous", "discrete"])
@pytest.mark.parametrize(("cars", "episodes"), [(6, 6), (6, 3), (4, 10)])
def test_an_update_is_made_of_whole_episodes(actions, cars, episodes):
    env = TimeTrialVector(cars, ring(), "centerline", time_limit_s=4.0, actions=actions)
    driver = load_agent("clipped_ppo").make(env, 1, {"episodes": episodes, "n_epochs": 1, "batch_size": 32})
    ended: list[np.ndarray] = []
    env.step_callback = lambda params, given, rewards, status: ended.append(status != IN_PROGRESS)
    buffers = []

    def report(steps, metrics):
        buffers.append((steps, driver.model.rollout_buffer))
        ended.clear() if len(buffers) < 2 else None
        return len(buffers) / 2.0

    driver.learn(report)
    steps, buffer = buffers[1]
    ends = np.array(ended)  # all that was driven: of each car its first share of episodes counts, to their ends
    share = [episodes // cars + (car < episodes % cars) for car in range(cars)]
    lengths = [
        np.diff(np.flatnonzero(ends[:, car]), prepend=-1)[:count] for car, count in enumerate(share) if count > 0
    ]
    expected = [int(length) for each in lengths for length in each]
    starts = np.flatnonzero(buffer.episode_starts)
    assert steps == buffer.buffer_size == sum(expected)
    assert np.diff(starts, append=buffer.buffer_size).tolist() == expected
