"""Images made smaller before a recipe learns from them; its network pools them itself, in its first layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from racer.errors import AgentError
from racer.racing import Network, Pool

__all__ = ["PoolImages", "pool_of", "pooled_network"]


def pool_of(crop: tuple[int, ...], pool: tuple[int, ...], parts: Mapping[str, spaces.Space[Any]]) -> Pool | None:
    """The layer that a recipe's hyperparameters ask for; None for none, or where there are no images.

    Raises:
        AgentError: it does not fit an image.
    """
    shapes = [space.shape or () for space in parts.values()]
    images = [shape for shape in shapes if len(shape) == 3]
    if not images or not (crop or pool):
        return None
    try:
        (top, bottom), (high, wide) = crop or (0, 0), pool or (1, 1)
        layer = Pool(top, bottom, high, wide)
        for shape in images:
            layer.shape(shape)
    except ValueError as wrong:
        given = f"crop is {crop}, pool is {pool}"
        raise AgentError(f"{given}; they must be two numbers each, and fit the image: {wrong}") from wrong
    return layer


def pooled_network(network: Network, pool: Pool) -> Network:
    """A network of whole images, made of one of smaller ones."""
    inputs = [
        replace(
            one,
            shape=(pool.top + one.shape[0] * pool.high + pool.bottom, one.shape[1] * pool.wide, one.shape[2]),
            layers=(pool, *one.layers),
        )
        if len(one.shape) == 3
        else one
        for one in network.inputs
    ]
    return replace(network, inputs=tuple(inputs))


class PoolImages(VecEnvWrapper):
    """Makes images smaller before anything else sees them, as 32-bit numbers: exactly what a `Pool` layer calculates.

    In a network that is trained, the same would be calculated again for each image in each pass over the experience,
    and an image that is kept would take many times the memory.
    """

    def __init__(self, venv: VecEnv, pool: Pool) -> None:
        """Wrap `venv`, whose observations have names.

        Raises:
            ValueError: the pool does not fit an image.
        """
        assert isinstance(venv.observation_space, spaces.Dict)
        self._pool = pool
        parts: dict[str, spaces.Space[Any]] = {}
        for name, space in venv.observation_space.items():
            shape = space.shape or ()
            parts[name] = spaces.Box(0.0, 255.0, pool.shape(shape), np.float32) if len(shape) == 3 else space
        super().__init__(venv, spaces.Dict(parts))

    def reset(self) -> Any:
        """The first observations, smaller."""
        return self._smaller(self.venv.reset())

    def step_wait(self) -> Any:
        """Those of a step, smaller."""
        observations, rewards, done, infos = self.venv.step_wait()
        for info in infos:
            if "terminal_observation" in info:
                alone = {name: values[None] for name, values in info["terminal_observation"].items()}
                info["terminal_observation"] = {name: values[0] for name, values in self._smaller(alone).items()}
        return self._smaller(observations), rewards, done, infos

    def _smaller(self, observations: Any) -> dict[str, NDArray[Any]]:
        return {name: self._pooled(v) if v.ndim == 4 else v for name, v in observations.items()}

    def _pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As `Pool`, with whole numbers: sums of the rows, then of the columns, each ten times as fast as a mean."""
        pool = self._pool
        kept = images[:, pool.top : images.shape[1] - pool.bottom]
        rows: NDArray[Any] = np.zeros_like(
            kept[:, :: pool.high], np.uint16 if pool.high * pool.wide < 258 else np.uint32
        )
        for i in range(pool.high):
            rows += kept[:, i :: pool.high]
        sums = rows[:, :, :: pool.wide].copy()
        for k in range(1, pool.wide):
            sums += rows[:, :, k :: pool.wide]
        return np.asarray(sums / np.float32(pool.high * pool.wide), dtype=np.float32)
