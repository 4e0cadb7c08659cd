"""Image encoders: small networks for two processor cores, under the three names of `model_metadata.json`.

Images are `uint8` of the shape (rows, columns, channels), as the cameras give them: a channel for every lens and every
frame of a stack. Everything else that is observed (the state, LIDARs) passes the encoder by, as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.policies import BasePolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, MlpExtractor
from torch import Tensor, nn
from torch.nn import functional

from racer.errors import AgentError
from racer.training.sb3.vec_env import PRIVILEGED

__all__ = ["ENCODERS", "NETWORKS", "RL_COACH", "CameraExtractor", "ImagePolicy", "ImageRolloutBuffer"]

MIDDLE, SPREAD = 110.0, 64.0  # of the greys of a road: scaled by them, pixels have about the mean 0 and the deviation 1


ACTIVATIONS: MappingProxyType[str, type[nn.Module]] = MappingProxyType({"relu": nn.ReLU, "tanh": nn.Tanh})


class Scheme(NamedTuple):
    """Convolutions, one behind the other.

    Attributes:
        filters: of each how many, the size of its kernel, and its step.
        padded: whether the margins are filled with zeros, so that only the steps make an image smaller.
        activation: behind each, and behind the layer over all of the image; a name of `ACTIVATIONS`.
    """

    filters: tuple[tuple[int, int, int], ...]
    padded: bool = True
    activation: str = "relu"


class ImageEncoder(nn.Module):
    """A network that encodes an image in a few numbers.

    Attributes:
        features: how many.
    """

    def __init__(self, features: int) -> None:
        """Make an encoder with so many features."""
        super().__init__()
        self.features = features


class Patches(ImageEncoder):
    """The image in patches, each encoded in a few numbers by the same weights; then one layer over all of them.

    Far the cheapest network that is any good: two products of matrices, and no pixel is read twice.
    """

    def __init__(self, rows: int, columns: int, channels: int, features: int) -> None:
        """Cut images of `rows` x `columns` pixels into patches; encode each image in `features` numbers."""
        super().__init__(features)
        self.high, self.wide = -(-rows // PATCHES[0]), -(-columns // PATCHES[1])
        self.down, self.across = -(-rows // self.high), -(-columns // self.wide)
        self.missing = (self.wide * self.across - columns, self.high * self.down - rows)
        self.patch = nn.Linear(self.high * self.wide * channels, PATCH_NUMBERS)
        self.all = nn.Linear(self.down * self.across * PATCH_NUMBERS, features)

    def forward(self, image: Tensor) -> Tensor:
        """Features (n, features) of images (n, rows, columns, channels)."""
        count, channels = len(image), image.shape[-1]
        right, top = self.missing
        if right or top:
            image = functional.pad(image, (0, 0, 0, right, top, 0))
        strips = image.reshape(count, self.down, self.high, self.across, self.wide * channels)
        # The greys are scaled where it costs nothing: in the weights. (x - middle) / spread * w = x * w' - middle * w'
        weight = self.patch.weight / SPREAD
        bias = self.patch.bias - MIDDLE * weight.sum(1)
        patches = _swap(strips).reshape(count, self.down * self.across, -1).float()
        encoded = functional.relu(functional.linear(patches, weight, bias))
        return functional.relu(self.all(encoded.flatten(1)))


class Convolutions(ImageEncoder):
    """Convolutions that take large steps, then one layer over all of the image."""

    def __init__(self, rows: int, columns: int, channels: int, features: int, scheme: Scheme) -> None:
        """Make the layers for images of so many rows, columns and channels."""
        super().__init__(features)
        whole = f"{columns} x {rows}"
        self.scheme = scheme
        activation = ACTIVATIONS[scheme.activation]
        filters: list[nn.Module] = []
        for number, size, step in scheme.filters:
            margin = size // 2 if scheme.padded else 0
            filters += [nn.Conv2d(channels, number, size, step, padding=margin), activation()]
            channels = number
            rows, columns = ((side + 2 * margin - size) // step + 1 for side in (rows, columns))
            if min(rows, columns) < 1:
                raise AgentError(f"images of {whole} pixels are too small for this network")
        self.filters = nn.Sequential(*filters)
        self.all = nn.Linear(channels * rows * columns, features)
        self.activation = activation()

    def forward(self, image: Tensor) -> Tensor:
        """Features (n, features) of images (n, rows, columns, channels)."""
        seen = ((image.float() - MIDDLE) / SPREAD).permute(0, 3, 1, 2)
        features: Tensor = self.activation(self.all(self.filters(seen).flatten(1)))
        return features


PATCHES = (8, 5)  # rows and columns of patches that an image is cut into
PATCH_NUMBERS = 16
FEATURES = 64  # of an image
ALONE = "image"  # what an observation without a name is called


RL_COACH: MappingProxyType[str, tuple[int, Scheme]] = MappingProxyType(
    {
        "RL_COACH_SHALLOW": (512, Scheme(((32, 8, 4), (64, 4, 2), (64, 3, 1)), padded=False)),
        "RL_COACH": (64, Scheme(((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)), padded=False, activation="tanh")),
        "RL_COACH_DEEP": (512, Scheme(((32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)), padded=False)),
    }
)
"""The original's own encoders (deepracer-simapp, `markov/architecture`), up to their first dense layer: its features,
and what is before it. They look at whole images, at a fiftieth of the pace; imported models have them."""

NETWORKS: MappingProxyType[str, Callable[[int, int, int], ImageEncoder]] = MappingProxyType(
    {
        "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW": partial(Patches, features=FEATURES),
        "DEEP_CONVOLUTIONAL_NETWORK": partial(Convolutions, features=FEATURES, scheme=Scheme(((8, 5, 3), (16, 3, 2)))),
        "DEEP_CONVOLUTIONAL_NETWORK_DEEP": partial(
            Convolutions, features=2 * FEATURES, scheme=Scheme(((16, 5, 3), (32, 3, 2), (32, 3, 1)))
        ),
    }
)
"""Makers of encoders for images of so many rows, columns and channels: the default and fastest first."""

ENCODERS: MappingProxyType[str, Callable[[int, int, int], ImageEncoder]] = MappingProxyType(
    {**NETWORKS, **{name: partial(Convolutions, features=n, scheme=scheme) for name, (n, scheme) in RL_COACH.items()}}
)
"""The same, and those of imported models."""


class CameraExtractor(BaseFeaturesExtractor):
    """Features of an observation: of each image by an encoder of its own, all other numbers as they are."""

    def __init__(self, observation_space: spaces.Space[Any], network: str = next(iter(NETWORKS))) -> None:
        """Make the encoders.

        Args:
            observation_space: an environment's; arrays of three axes are images. What is `PRIVILEGED` is left out.
            network: a name of `ENCODERS`.

        Raises:
            AgentError: there is no such network.
        """
        if network not in ENCODERS:
            raise AgentError(f"there is no network {network!r}; the networks are {', '.join(ENCODERS)}")
        shapes = {name: space.shape or () for name, space in _parts(observation_space).items() if name != PRIVILEGED}
        images = {name: shape for name, shape in shapes.items() if len(shape) == 3}
        encoders = {name: ENCODERS[network](*shape) for name, shape in images.items()}
        self.plain = [name for name in shapes if name not in images]
        sizes = [prod(shapes[name]) for name in self.plain] + [encoder.features for encoder in encoders.values()]
        super().__init__(observation_space, sum(sizes))
        self.encoders = nn.ModuleDict(encoders)

    def forward(self, observations: Any) -> Tensor:
        """Features (n, features) of a batch of observations; greys are 0 to 255, as bytes or not."""
        named = observations if isinstance(observations, dict) else {ALONE: observations}
        features = [encoder(named[name]) for name, encoder in self.encoders.items()]
        features += [named[name].flatten(1).float() for name in self.plain]
        return features[0] if len(features) == 1 else torch.cat(features, 1)


class _AsItIs(BasePolicy):
    """Leaves out Stable-Baselines3's preparation of images, which makes a number of each byte at once."""

    def extract_features(self, obs: Any, features_extractor: BaseFeaturesExtractor) -> Tensor:
        features: Tensor = features_extractor(obs)
        return features


class ImagePolicy(MultiInputActorCriticPolicy, _AsItIs):  # type: ignore[misc]
    """Policy and value networks behind one and the same `CameraExtractor`.

    Where there is a `PRIVILEGED` observation, the value network sees that one alone, and the policy everything else.
    """

    def __init__(self, observation_space: spaces.Dict, *args: Any, **kwargs: Any) -> None:
        """Make the networks; all arguments are Stable-Baselines3's."""
        kwargs["share_features_extractor"] = PRIVILEGED not in _parts(observation_space)
        super().__init__(observation_space, *args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        super()._build_mlp_extractor()
        if not self.share_features_extractor:
            self.vf_features_extractor = _Privileged(self.observation_space)
            width = self.vf_features_extractor.features_dim
            values = MlpExtractor(width, self.net_arch, self.activation_fn, self.device)
            self.mlp_extractor.value_net = values.value_net


class _Privileged(BaseFeaturesExtractor):
    """What is for value networks alone, as it is."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, prod(_parts(observation_space)[PRIVILEGED].shape or ()))

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        return observations[PRIVILEGED].flatten(1).float()


class ImageRolloutBuffer(DictRolloutBuffer):
    """Experience in which an image stays as it is: a byte a pixel, where the original keeps four."""

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        size = (self.buffer_size, self.n_envs)
        for name, space in _parts(self.observation_space).items():
            self.observations[name] = np.zeros((*size, *(space.shape or ())), space.dtype)


def _swap(strips: Tensor) -> Tensor:
    """The axes 2 and 3 of (n, down, high, across, bytes) swapped. As many bytes are moved at once as can be."""
    for word in (torch.int64, torch.int32, torch.int16):
        steps = (strips.shape[-1], strips.storage_offset(), *strips.stride()[:-1])
        if strips.dtype == torch.uint8 and all(step % word.itemsize == 0 for step in steps):
            return strips.view(word).transpose(2, 3).contiguous().view(torch.uint8)
    return strips.transpose(2, 3)


def _parts(space: spaces.Space[Any]) -> dict[str, spaces.Space[Any]]:
    return dict(space.spaces) if isinstance(space, spaces.Dict) else {ALONE: space}
