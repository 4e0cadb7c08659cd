"""Images made smaller and alike before a recipe learns from them; its network does so itself, in its first layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from racer.errors import AgentError
from racer.racing import Edges, Layer, Network, Pool, Standardize
from racer.training.sb3.networks import MIDDLE, SPREAD

__all__ = ["PreprocessImages", "preprocessed_network", "preprocessing_layers"]


def preprocessing_layers(
    crop: tuple[int, ...],
    pool: tuple[int, ...],
    edges: bool,
    standardize: bool,
    parts: Mapping[str, spaces.Space[Any]],
) -> tuple[Layer, ...]:
    """The layers that a recipe's hyperparameters ask for; none where there are no images.

    Raises:
        AgentError: one does not fit an image.
    """
    shapes = [space.shape or () for space in parts.values()]
    images: list[tuple[int, ...]] = [shape for shape in shapes if len(shape) == 3]
    if not images:
        return ()
    layers: list[Layer] = []
    try:
        if crop or pool:
            (top, bottom), (high, wide) = crop or (0, 0), pool or (1, 1)
            layers.append(Pool(top, bottom, high, wide))
        if edges:
            layers.append(Edges())
        for image in images:
            shape = image
            for layer in layers:
                shape = layer.shape(shape)
    except ValueError as wrong:
        given = f"crop is {crop}, pool is {pool}"
        raise AgentError(f"{given}; they must be two numbers each, and fit the image: {wrong}") from wrong
    return (*layers, Standardize(MIDDLE, SPREAD)) if standardize else tuple(layers)


def preprocessed_network(
    network: Network, layers: tuple[Layer, ...], parts: Mapping[str, spaces.Space[Any]]
) -> Network:
    """A network of images as they are, `parts`, made of one of what `layers` leave of them."""
    inputs = [
        replace(one, shape=parts[one.sensor].shape or (), layers=(*layers, *one.layers)) if len(one.shape) == 3 else one
        for one in network.inputs
    ]
    return replace(network, inputs=tuple(inputs))


class PreprocessImages(VecEnvWrapper):
    """Passes images through layers before anything else sees them, as 32-bit numbers: what the layers calculate.

    In a network that is trained, the same would be calculated again for each image in each pass over the experience,
    and an image that is kept would take many times the memory.
    """

    def __init__(self, venv: VecEnv, layers: tuple[Layer, ...]) -> None:
        """Wrap `venv`, whose observations have names.

        Raises:
            ValueError: a layer does not fit an image.
        """
        assert isinstance(venv.observation_space, spaces.Dict)
        self._layers = layers
        parts: dict[str, spaces.Space[Any]] = {}
        for name, space in venv.observation_space.items():
            shape = space.shape or ()
            if len(shape) == 3:
                for layer in layers:
                    shape = layer.shape(shape)
                space = spaces.Box(-np.inf, np.inf, shape, np.float32)
            parts[name] = space
        super().__init__(venv, spaces.Dict(parts))

    def reset(self) -> Any:
        """The first observations, preprocessed."""
        return self._preprocessed(self.venv.reset())

    def step_wait(self) -> Any:
        """Those of a step, preprocessed."""
        observations, rewards, done, infos = self.venv.step_wait()
        for info in infos:
            if "terminal_observation" in info:
                alone = {name: values[None] for name, values in info["terminal_observation"].items()}
                info["terminal_observation"] = {name: values[0] for name, values in self._preprocessed(alone).items()}
        return self._preprocessed(observations), rewards, done, infos

    def _preprocessed(self, observations: Any) -> dict[str, NDArray[Any]]:
        return {name: self._image(v) if v.ndim == 4 else v for name, v in observations.items()}

    def _image(self, images: NDArray[Any]) -> NDArray[np.float32]:
        made = images
        for layer in self._layers:
            made = _pooled(layer, made) if isinstance(layer, Pool) else layer(made)
        return np.asarray(made, dtype=np.float32)


def _pooled(pool: Pool, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As `Pool`, with whole numbers, which are quicker to add."""
    size = pool.high * pool.wide
    sums = pool.sums(images.astype(np.uint16 if size < 258 else np.uint32))
    return np.asarray(sums / np.float32(size), dtype=np.float32)
