"""What a policy of Stable-Baselines3 decides by, as a `Network`: data that needs neither it nor PyTorch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor
from stable_baselines3.sac.policies import SACPolicy
from torch import Tensor, nn

from racer.errors import ModelError
from racer.racing import Convolution, Flatten, Layer, Linear, Network, NetworkInput, Patches, Scale
from racer.training.sb3.networks import (
    ACTIVATIONS,
    MIDDLE,
    SPREAD,
    CameraExtractor,
    Convolutions,
    ImageEncoder,
    Patches as PatchEncoder,
)

__all__ = ["network_of"]

ALONE = "state"
ACTIVATION_OF = {kind: name for name, kind in ACTIVATIONS.items()}


def network_of(policy: BasePolicy) -> Network:
    """The network by which a policy chooses the best action that it knows.

    Raises:
        ModelError: it is none that racer can describe.
    """
    space = policy.observation_space
    parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {ALONE: space}
    if isinstance(policy, SACPolicy):
        actor = policy.actor
        extractor, hidden, last, output = actor.features_extractor, actor.latent_pi, actor.mu, "tanh"
    elif isinstance(policy, ActorCriticPolicy) and not policy.use_sde:
        extractor, hidden, last = policy.pi_features_extractor, policy.mlp_extractor.policy_net, policy.action_net
        output = "argmax" if isinstance(policy.action_space, spaces.Discrete) else "clip"
    else:
        raise ModelError(f"a policy of the kind {type(policy).__name__} cannot be exported, only those of PPO and SAC")
    layers = (*_sequence(hidden, "policy"), _linear(last))
    try:
        return Network(tuple(_inputs(extractor, parts)), layers, output)
    except ValueError as wrong:
        raise ModelError(f"this driver's network cannot be exported: {wrong}") from wrong


def _inputs(extractor: nn.Module, parts: dict[str, spaces.Space[Any]]) -> Iterable[NetworkInput]:
    """The parts of an observation in the order in which the extractor puts its features in a row."""
    shapes = {name: tuple(space.shape or ()) for name, space in parts.items()}
    if isinstance(extractor, CameraExtractor):
        for name, encoder in extractor.encoders.items():
            known = name if name in shapes else next(iter(shapes))  # a camera alone has another name there
            yield NetworkInput(known, shapes[known], tuple(_encoder(encoder)))
        for name in extractor.plain:
            yield NetworkInput(name, shapes[name])
    elif isinstance(extractor, FlattenExtractor | CombinedExtractor):
        for name, shape in shapes.items():
            yield NetworkInput(name, shape)
    else:
        raise ModelError(f"features of the kind {type(extractor).__name__} cannot be exported")


def _encoder(encoder: nn.Module) -> Iterable[Layer]:
    if isinstance(encoder, PatchEncoder):
        yield Patches(encoder.down, encoder.high, encoder.across, encoder.wide)
        yield Scale(MIDDLE, SPREAD)
        yield _linear(encoder.patch, "relu")
        yield Flatten()
        yield _linear(encoder.all, "relu")
    elif isinstance(encoder, Convolutions):
        yield Scale(MIDDLE, SPREAD)
        activation = encoder.scheme.activation
        filters = list(_filters(encoder.filters, activation))
        yield from filters
        channels = len(filters[-1].bias)
        weight = _array(encoder.all.weight)  # over channels, rows and columns; here the channels come last
        weight = weight.reshape(len(weight), channels, -1).swapaxes(1, 2).reshape(len(weight), -1)
        yield Flatten()
        yield Linear(weight, _array(encoder.all.bias), activation)
    else:
        kind = type(encoder).__name__ if isinstance(encoder, ImageEncoder) else type(encoder)
        raise ModelError(f"an image encoder of the kind {kind} cannot be exported")


def _filters(modules: Iterable[nn.Module], activation: str) -> Iterable[Convolution]:
    for module in modules:
        if isinstance(module, nn.Conv2d):
            step, padding = int(module.stride[0]), int(module.padding[0])
            weight = _array(module.weight).transpose(0, 2, 3, 1)
            assert module.bias is not None
            yield Convolution(weight, _array(module.bias), activation, step, padding)


def _sequence(modules: Iterable[nn.Module], what: str) -> Iterable[Linear]:
    """Linear layers, each with the activation behind it."""
    found = list(modules)
    for module, after in zip(found, [*found, None][1:], strict=True):
        if isinstance(module, nn.Linear):
            yield _linear(module, "none" if after is None else ACTIVATION_OF.get(type(after), "none"))
        elif type(module) not in ACTIVATION_OF:
            raise ModelError(f"a layer of the kind {type(module).__name__} in the {what} cannot be exported")


def _linear(module: nn.Module, activation: str = "none") -> Linear:
    if not isinstance(module, nn.Linear):
        raise ModelError(f"a layer of the kind {type(module).__name__} cannot be exported")
    return Linear(_array(module.weight), _array(module.bias), activation)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy()
    return array
