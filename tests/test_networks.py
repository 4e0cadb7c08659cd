"""Networks that see: every camera, every pixel, every frame; and a recipe that learns by them."""

import numpy as np
import pytest
import torch
from drives import ring
from gymnasium import spaces

from racer.env import TimeTrialVector
from racer.errors import AgentError
from racer.racing import load_agent
from racer.sim import DiscreteActions
from racer.training.sb3 import NETWORKS, CameraExtractor, ImageRolloutBuffer
from racer.training.sb3.networks import MIDDLE, SPREAD, Patches

CAMERAS = (
    "FRONT_FACING_CAMERA",
    "FRONT_FACING_CAMERA:size=80x32:stack=2",
    "observation:size=37x29",
    "LEFT_CAMERA:size=8x8:stack=3",
    "STEREO_CAMERAS:size=48x36:stack=2",
    "STEREO_CAMERAS:size=8x100",
)
SMALL = "FRONT_FACING_CAMERA:size=24x12:stack=2"


def field(sensors, count=4, **more):
    return TimeTrialVector(count, ring(), "progress", sensors=sensors, time_limit_s=2.0, **more)


def pictures(count, shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("camera", CAMERAS)
def test_every_network_sees_through_every_camera_and_passes_on_the_rest(network, camera):
    env = field((camera, "state", "SECTOR_LIDAR"))
    seen = {name: torch.from_numpy(values) for name, values in env.reset(seed=0)[0].items()}
    extractor = CameraExtractor(env.single_observation_space, network)
    told = extractor(seen)
    assert told.shape == (4, extractor.features_dim) and torch.isfinite(told).all()
    np.testing.assert_array_equal(told[:, -38:].detach(), torch.cat([seen["SECTOR_LIDAR"], seen["state"]], 1))
    (name,) = [name for name in seen if seen[name].dim() == 4]
    alone = CameraExtractor(env.single_observation_space[name], network)
    alone.encoders["image"].load_state_dict(extractor.encoders[name].state_dict())
    np.testing.assert_array_equal(alone(seen[name]).detach(), told[:, :-38].detach())


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [(12, 24, 1), (13, 11, 2), (32, 80, 3)])
def test_every_pixel_of_every_frame_counts(network, shape):
    torch.manual_seed(0)
    extractor = CameraExtractor(spaces.Box(0, 255, shape, np.uint8), network)
    seen = pictures(64, shape).float().requires_grad_()
    extractor(seen).sum().backward()
    assert (seen.grad.abs().amax(0) > 0.0).all()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [(32, 80, 2), (13, 11, 3), (10, 12, 1)])
def test_bytes_and_numbers_are_seen_alike(network, shape):
    """Bytes are cut into patches several at a time; numbers one by one."""
    extractor = CameraExtractor(spaces.Box(0, 255, shape, np.uint8), network)
    seen = pictures(5, shape)
    np.testing.assert_allclose(extractor(seen).detach(), extractor(seen.float()).detach(), atol=1e-5)


def test_patches_are_what_they_are_said_to_be():
    torch.manual_seed(1)
    rows, columns, channels = 13, 17, 2
    look = Patches(rows, columns, channels, 8)
    seen = pictures(3, (rows, columns, channels)).numpy()
    high, wide, down, across = look.high, look.wide, look.down, look.across
    whole = np.zeros((3, high * down, wide * across, channels))
    whole[:, -rows:, :columns] = seen  # what is missing is black, at the top and on the right
    weight, bias = look.patch.weight.detach().numpy(), look.patch.bias.detach().numpy()
    told = []
    for i in range(down):
        for k in range(across):
            patch = whole[:, i * high : (i + 1) * high, k * wide : (k + 1) * wide].reshape(3, -1)
            told.append(np.maximum(0.0, (patch - MIDDLE) / SPREAD @ weight.T + bias))
    expected = np.concatenate(told, 1) @ look.all.weight.detach().numpy().T + look.all.bias.detach().numpy()
    np.testing.assert_allclose(look(torch.from_numpy(seen)).detach(), np.maximum(0.0, expected), atol=1e-4)


def test_experience_keeps_pictures_as_bytes():
    space = spaces.Dict({"LEFT_CAMERA": spaces.Box(0, 255, (8, 9, 2), np.uint8), "state": spaces.Box(-1, 1, (3,))})
    buffer = ImageRolloutBuffer(2, space, spaces.Box(-1, 1, (2,)), n_envs=3)
    rng = np.random.default_rng(0)
    given = []
    for _ in range(2):
        seen = {"LEFT_CAMERA": rng.integers(0, 256, (3, 8, 9, 2), np.uint8), "state": rng.random((3, 3), np.float32)}
        given.append(seen)
        numbers = torch.arange(3.0)
        buffer.add(seen, np.zeros((3, 2)), np.zeros(3), np.zeros(3), numbers, numbers)
    (batch,) = buffer.get()
    assert batch.observations["LEFT_CAMERA"].dtype == torch.uint8
    for name in space:
        kept = {values.numpy().tobytes() for values in batch.observations[name]}
        assert kept == {values.tobytes() for seen in given for values in seen[name]}


# --- The recipe --------------------------------------------------------------------------------------------------


def learned(sensors=(SMALL,), seed=1, updates=2, **more):
    agent = load_agent("ppo_camera").make(field(sensors, 8, **more), seed)
    reports = []
    agent.learn(lambda steps, metrics: reports.append(metrics) or len(reports) / (updates + 1))
    return agent, reports


def seen_by(agent, sensors=(SMALL,)):
    env = field(sensors, 8)
    env.reset(seed=3)
    for _ in range(5):
        seen = env.step(np.full((8, 2), 0.3, np.float32))[0]
    return seen


def test_the_recipe_learns_and_the_same_seed_learns_the_same():
    first, reports = learned()
    again, _ = learned()
    other, _ = learned(seed=2)
    assert all(np.isfinite(value) for metrics in reports for value in metrics.values())
    state, same, different = (agent.state_dict() for agent in (first, again, other))
    assert {name: values.tobytes() for name, values in state.items()} == {
        name: values.tobytes() for name, values in same.items()
    }
    weights = [name for name in state if "encoders" in name and name.endswith("weight")]
    fresh = load_agent("ppo_camera").make(field((SMALL,), 8), 1).state_dict()
    assert weights and all(np.abs(state[name] - fresh[name]).max() > 1e-5 for name in weights), (
        "the encoders learn, too"
    )
    assert any(np.abs(state[name] - different[name]).max() > 1e-3 for name in weights)


def test_what_it_learned_acts_the_same_elsewhere():
    agent, _ = learned((SMALL, "state"), updates=1)
    other = load_agent("ppo_camera").make(field((SMALL, "state"), 2), 9)
    seen = seen_by(agent, (SMALL, "state"))
    assert np.abs(other.act(seen) - agent.act(seen)).max() > 1e-3
    other.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(other.act(seen), agent.act(seen))


def test_it_acts_and_values_by_what_it_explored_by():
    """Stable-Baselines3 prepares observations in several places: all must see the same."""
    agent, _ = learned(updates=1)
    policy = agent.model.policy
    given = agent.env.reset()
    seen = {name: torch.from_numpy(values) for name, values in given.items()}
    with torch.no_grad():
        actions, values, _ = policy(seen, deterministic=True)
        observed = {name: given[name] for name in agent.env.venv.env.single_observation_space}
        np.testing.assert_allclose(agent.act(observed), actions.clamp(-1.0, 1.0), atol=2e-5)
        np.testing.assert_array_equal(policy.predict_values(seen), values)
        np.testing.assert_array_equal(policy.evaluate_actions(seen, actions)[0], values)


@pytest.mark.parametrize("network", list(NETWORKS)[1:])
def test_it_chooses_among_actions_through_any_network(network):
    five = DiscreteActions(tuple((angle, 1.5) for angle in (-30.0, -15.0, 0.0, 15.0, 30.0)))
    env = field((SMALL,), 8, actions=five)
    agent = load_agent("ppo_camera").make(env, 0, {"network": network})
    agent.learn(lambda steps, metrics: float(steps > 0))
    chosen = agent.act(seen_by(agent))
    assert network in agent.description and chosen.shape == (8,) and set(chosen) <= set(range(5))


def test_without_an_image_it_says_what_to_do():
    with pytest.raises(AgentError, match=r"learns from images: .*--sensors, or train with --agent ppo$"):
        load_agent("ppo_camera").make(field(("state",)), 0)
    with pytest.raises(AgentError, match=r"there is no network 'NATURE'; .*DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"):
        load_agent("ppo_camera").make(field((SMALL,)), 0, {"network": "NATURE"})
