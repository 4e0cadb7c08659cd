"""Stable-Baselines3's `VecEnv` of the vector environment; docs/own-training.md shows it at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecTransposeImage

from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.sensors import make_sensors

PRIVILEGED = "privileged"
"""What the observation is called that is for value networks alone."""


class VecTimeTrial(VecEnv):
    """A `VecEnv` of Stable-Baselines3 made of a `TimeTrialVector` or a `ConcatVectorEnv`.

    The info of a car whose episode ended holds `terminal_observation`, `TimeLimit.truncated` and `episode` (return `r`,
    length `l`, percent of the lap `progress`), and what `TimeTrial` documents; the others' are empty.
    """

    def __init__(self, env: TimeTrialVector | ConcatVectorEnv, privileged: str | None = None) -> None:
        """Wrap `env`, which stays the caller's to close.

        Args:
            env: the vector environment.
            privileged: a sensor whose observations are put among the others as `PRIVILEGED`, for a value network; see
                `TimeTrialVector.privileged`.

        Raises:
            SensorError: there is no such sensor.
            ValueError: it is no vector environment whose episodes restart as those of a `VecEnv` do.
        """
        if getattr(env, "metadata", {}).get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise ValueError(
                f"{env!r:.80} cannot become a VecEnv; it takes a vector environment of racer's whose episodes restart "
                "in the step that ends them: VecTimeTrial(TimeTrialVector(64)), or VecTimeTrial(gymnasium.make_vec("
                '"racer:racer/TimeTrial-v0", num_envs=64))'
            )
        self.env = env  # first: the base class asks it for its render mode
        self.metadata = env.metadata
        space = env.single_observation_space
        if privileged is not None:
            env.privileged = privileged
            (sensor,) = make_sensors((privileged,))
            added = spaces.Box(sensor.low, sensor.high, sensor.shape, cast(Any, sensor.dtype))
            space = spaces.Dict({**_named(space, space), PRIVILEGED: added})
        super().__init__(env.num_envs, space, env.single_action_space)
        self._space = env.single_observation_space
        self._has_privileged = privileged is not None
        self._actions: NDArray[np.float32] | None = None
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, dtype=np.int64)

    def reset(self) -> Any:
        """Start an episode of every car; the seed given to `seed` counts from here."""
        seed = self._seeds[0]
        self._reset_seeds()
        self._returns[:], self._lengths[:] = 0.0, 0
        observations, info = self.env.reset(seed=seed)
        return self._seen(observations, info)

    def step_async(self, actions: NDArray[np.float32]) -> None:
        """Take the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], list[dict[str, Any]]]:
        """Drive one control step."""
        assert self._actions is not None
        observations, rewards, terminated, truncated, info = self.env.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        final = info.get("final_info", {})
        for i in np.flatnonzero(done):
            infos[i] = {
                key: values[i] for key, values in final.items() if not key.startswith("_") and final[f"_{key}"][i]
            }
            infos[i]["terminal_observation"] = self._seen(info["final_obs"][i], infos[i])
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            infos[i]["episode"] = {
                "r": float(self._returns[i]),
                "l": int(self._lengths[i]),
                "progress": float(infos[i]["progress"]),
            }
            self._returns[i], self._lengths[i] = 0.0, 0
        return self._seen(observations, info), rewards.astype(np.float32), done, infos

    def _seen(self, observation: Any, info: Mapping[str, Any]) -> Any:
        """What one car or all of them observe, with what is for value networks alone."""
        return (
            {**_named(observation, self._space), PRIVILEGED: info[PRIVILEGED]} if self._has_privileged else observation
        )

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """One picture of all cars, where `render_mode` is `"rgb_array"`: what `VecVideoRecorder` films."""
        return [self.env.render_together()]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The environment's attribute, once for each car asked for."""
        return [getattr(self.env, attr_name)] * len(self._asked(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the cars share one environment, so one of them cannot have an attribute of its own."""
        raise AttributeError(f"the cars share one environment: {attr_name!r} cannot be set for some of them")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call the environment's method once, and give the result to each car asked for."""
        return [getattr(self.env, method_name)(*args, **kwargs)] * len(self._asked(indices))

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """No car is wrapped."""
        return [False] * len(self._asked(indices))

    def _asked(self, indices: int | Sequence[int] | None) -> Sequence[int]:
        return list(self._get_indices(indices))


def _named(observation: Any, space: spaces.Space[Any]) -> dict[str, Any]:
    """An observation, or its space, as a dict; the state alone is none."""
    return dict(observation.items()) if isinstance(space, spaces.Dict) else {"state": observation}


class KeepImages(VecTransposeImage):
    """Leaves images as (rows, columns, channels), which is how `racer.training.sb3.networks` wants them.

    Stable-Baselines3 would put the channels first, and copy every image twice for it, where it finds no such wrapper.
    """

    def __init__(self, venv: VecEnv) -> None:
        """Wrap `venv`, and change nothing."""
        VecEnvWrapper.__init__(self, venv)

    def reset(self) -> Any:
        """As the environment gives it."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """As the environment gives it."""
        return self.venv.step_wait()
