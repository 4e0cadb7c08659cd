"""The way back from a `Network` to a policy of Stable-Baselines3: a model of others goes on learning here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from racer.errors import ModelError
from racer.racing import Convolution, Flatten, Linear, Network, Scale
from racer.training.sb3.networks import MIDDLE, RL_COACH, SPREAD, CameraExtractor, Convolutions

__all__ = ["hyperparameters_like", "load_network"]


def hyperparameters_like(network: Network) -> Mapping[str, Any]:
    """The hyperparameters with which PPO's recipes make a network of this kind.

    Raises:
        ModelError: it is none of RL Coach's three.
    """
    _, filters, first, hidden = _parts(network)
    for name, (features, scheme) in RL_COACH.items():
        same = [(len(one.bias), one.weight.shape[1], one.step) for one in filters] == list(scheme.filters)
        if same and len(first.bias) == features and all(one.activation == "relu" for one in hidden[:-1]):
            return {"network": name, "net_arch": tuple(len(one.bias) for one in hidden[:-1])}
    shown = ", ".join("/".join(map(str, (len(one.bias), one.weight.shape[1], one.step))) for one in filters)
    raise ModelError(
        f"its filters are {shown}, then {len(first.bias)} numbers; racer can go on with RL Coach's three networks alone"
    )


def load_network(policy: ActorCriticPolicy, network: Network) -> None:
    """Let a policy decide as a network does; its value network keeps what it has.

    Raises:
        ModelError: the policy has other layers.
    """
    scale, filters, first, hidden = _parts(network)
    extractor = policy.pi_features_extractor
    encoders = list(extractor.encoders.values()) if isinstance(extractor, CameraExtractor) else []
    if len(encoders) != 1 or not isinstance(encoders[0], Convolutions) or encoders[0].scheme.padded:
        raise ModelError("this policy has no network of RL Coach's whose weights could be loaded")
    encoder = encoders[0]
    behind = [*policy.mlp_extractor.policy_net, policy.action_net]
    theirs = [one for one in encoder.filters if isinstance(one, nn.Conv2d)]
    dense = [one for one in behind if isinstance(one, nn.Linear)]
    if len(theirs) != len(filters) or len(dense) != len(hidden) or encoder.scheme.activation != first.activation:
        raise ModelError("this policy has other layers than the network")
    for k, (module, filter_) in enumerate(zip(theirs, filters, strict=True)):
        weight, bias = filter_.weight.transpose(0, 3, 1, 2), filter_.bias
        if k == 0:  # the policy scales greys in its own way: x = (y * SPREAD + MIDDLE - middle) / spread
            bias = bias + (MIDDLE - scale.middle) / scale.spread * weight.sum(axis=(1, 2, 3))
            weight = weight * SPREAD / scale.spread
        _fill(module, weight, bias)
    channels = len(filters[-1].bias)
    rows = first.weight.reshape(len(first.bias), -1, channels)  # the channels come last here, first in PyTorch
    _fill(encoder.all, rows.swapaxes(1, 2).reshape(len(rows), -1), first.bias)
    for linear, layer in zip(dense, hidden, strict=True):
        _fill(linear, layer.weight, layer.bias)


def _parts(network: Network) -> tuple[Scale, list[Convolution], Linear, list[Linear]]:
    """How pictures are scaled, the filters, the layer over all of the picture, and the others."""
    layers = [layer for one in network.inputs for layer in one.layers] + list(network.layers)
    cut = next((k for k, layer in enumerate(layers) if isinstance(layer, Flatten)), 0)
    filters = [one for one in layers[1:cut] if isinstance(one, Convolution) and one.padding == 0]
    dense = [one for one in layers[cut + 1 :] if isinstance(one, Linear)]
    plain = len(network.inputs) == 1 and len(dense) >= 2 and 2 + len(filters) + len(dense) == len(layers)
    alike = len({one.activation for one in (*filters, *dense[:1])}) == 1
    if plain and alike and filters and isinstance(scale := layers[0], Scale):
        return scale, filters, dense[0], dense[1:]
    raise ModelError("its layers are not in the order of RL Coach's: filters, then layers over all of the picture")


def _fill(module: nn.Linear | nn.Conv2d, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
    for parameter, values in ((module.weight, weight), (module.bias, bias)):
        if parameter is None or tuple(parameter.shape) != values.shape:
            raise ModelError(f"a layer of the policy has another shape than {values.shape}")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
