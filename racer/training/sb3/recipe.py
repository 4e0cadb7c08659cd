"""What recipes with Stable-Baselines3 share: driving, learning within a budget, and what was learned as named arrays.

A recipe on the shelf builds a model of Stable-Baselines3; everything that racer asks of an agent beyond that is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.torch_layers import CombinedExtractor
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError, ModelError
from racer.racing import Driver, Layer, Network, checked_hyperparameters, rows_of
from racer.sim import ActionSpace, DiscreteActions
from racer.training.sb3.device import device_of, threads
from racer.training.sb3.export import network_of
from racer.training.sb3.networks import ENCODERS, RL_COACH, CameraExtractor, ImagePolicy
from racer.training.sb3.preprocessing import PreprocessImages, preprocessed_network, preprocessing_layers
from racer.training.sb3.ranges import check_ranges
from racer.training.sb3.schedule import LapSchedule
from racer.training.sb3.vec_env import KeepImages, VecTimeTrial

__all__ = ["Recipe"]

USUAL_BYTES, PACES = 80 * 32 * 2, (1.0, 0.5, 0.2, 0.06, 0.02, 0.1)  # ppo_camera's images; speeds by the first network's
WITHOUT_END = 10**12  # steps: it is the budget that ends a training


class Recipe:
    """A driver that learns; what it learns from is the environment's reward alone.

    A subclass declares its hyperparameters as class attributes, by Stable-Baselines3's names where there are such, and
    builds the model from them in `build`; it may override `tune`. Every class attribute of a subclass whose value is a
    number, a text or a tuple of numbers is a hyperparameter, and may be set by keyword: `Agent(env, n_epochs=8)`,
    `racer train --set n_epochs=8`.

    Attributes:
        num_envs: cars to train with.
        sensors: what it can learn from; the first is what it observes if nothing else is asked for.
        actions: what it does if nothing else is asked for; None for the car's whole range.
        randomize: how much its training is randomised if nothing else is asked for, one of `racer.sim.RANDOMIZATIONS`.
        privileged: a sensor that only the value network observes, and so only while it learns, of PPO by images; "" for
            none.
        pace: steps per second to be expected on two quiet cores.
        image_pace: the same for images as small as those of `USUAL_BYTES`, through the first network; 0 if unknown.
        reports: rollouts between two reports.
        gamma: discount of the rewards for each step ahead, which also scales them.
        crop: rows of images that are cut off, at the top and at the bottom; empty for none.
        pool: rows and columns of pixels whose mean is one number to the network; empty where each pixel is one.
        edges: whether the network sees how steeply the greys change from pixel to pixel, instead of the greys.
        standardize: whether what is left is made as bright and as rich in contrast in each image.
        deepracer: which hyperparameter takes the value of which one of DeepRacer's `hyperparameters.json`, by the name
            there. `{"lr": "learning_rate"}` takes over the learning rate.
        deepracer_notes: what it does with DeepRacer's hyperparameters, in a few words each by the name there.
        deepracer_algorithm: which `training_algorithm` of DeepRacer's `model_metadata.json` it is.
        deepracer_rules: whether it also trains by DeepRacer's rules.
        continuous_only: whether it refuses a list of actions to choose from.
        given: the hyperparameters that are not the class's own.
        env: the environment as Stable-Baselines3 wants it. Rewards are divided by the spread of their sums, so that any
            learner's scale suits the learning rate, and then clipped to -10..10.
        discrete: whether there is a list of actions to choose from.
        policy: what Stable-Baselines3 calls a policy for observations like these.
        images: whether it observes images.
        bytes: size of one observation.
        device: where its networks are: `cpu` or `cuda`.
        schedule: how far the learning has come.
        phase: what it does while nobody can drive by what it has learned; "" as a rule.
        model: the algorithm.
        architecture: what it is made of, in a few words.
    """

    num_envs = 256
    sensors: tuple[str, ...] = ("state",)
    actions: ActionSpace | None = None
    randomize = "off"
    privileged = ""
    pace = 0
    image_pace = 0
    reports = 1
    gamma = 0.98
    network = ""
    crop: tuple[int, ...] = ()
    pool: tuple[int, ...] = ()
    edges = False
    standardize = False
    deepracer: Mapping[str, str] = {}
    deepracer_notes: Mapping[str, str] = {}
    deepracer_algorithm = ""
    deepracer_rules = False
    continuous_only = False
    model: BaseAlgorithm
    architecture = phase = ""

    def __init__(
        self, env: TimeTrialVector | ConcatVectorEnv, seed: int = 0, device: str = "auto", **hyperparameters: Any
    ) -> None:
        """Make an untrained driver.

        Args:
            env: for its spaces; `learn` drives in it.
            seed: random seed of the first weights and of the exploration.
            device: `cpu`, `cuda`, or `auto`: a GPU for images, if there is one; small vectors are faster on the CPU.
            hyperparameters: instead of the class's own, by name.

        Raises:
            AgentError: there is no such device or hyperparameter, or a value makes no sense.
        """
        for name, value in checked_hyperparameters(hyperparameters, self.defaults(), "this recipe").items():
            setattr(self, name, value)
        check_ranges(self.hyperparameters)
        self.given = frozenset(hyperparameters)
        self._space = env.single_observation_space
        self._parts = getattr(self._space, "spaces", {"state": self._space})
        self.discrete = isinstance(env.actions, DiscreteActions)
        if isinstance(env.actions, DiscreteActions) and self.continuous_only:
            raise AgentError(
                f"this recipe takes continuous actions only, not {len(env.actions.choices)} to choose from; "
                "train with --agent ppo, or give it an action space of the type continuous"
            )
        self.policy = "MultiInputPolicy" if hasattr(self._space, "spaces") else "MlpPolicy"
        self.images = any(len(space.shape) == 3 for space in self._parts.values())
        self.bytes = sum(prod(space.shape) * space.dtype.itemsize for space in self._parts.values())
        if self.network and self.network not in ENCODERS:
            raise AgentError(f"there is no network {self.network!r}; the networks are {', '.join(ENCODERS)}")
        if "network" in hyperparameters and not self.images:
            raise AgentError(f"{self.network} is for images, and there are none; add a camera with --sensors")
        self.device, self._where = device_of(device, self.images)
        self._preprocessing = preprocessing_layers(self.crop, self.pool, self.edges, self.standardize, self._parts)
        cars: VecEnv = VecTimeTrial(env, self.privileged or None)
        if self._preprocessing:
            cars = PreprocessImages(cars, self._preprocessing)
        self.env = VecNormalize(KeepImages(cars), norm_obs=False, gamma=self.gamma)
        self.schedule = LapSchedule()
        self.build(env, seed)
        if self.privileged and not isinstance(self.model.policy, ImagePolicy):
            raise AgentError("only a driver by images that PPO trains can have a privileged sensor")
        if self.images:
            self.architecture += f" behind {self.network}"
            shares = dict(zip(ENCODERS, PACES, strict=True))
            usual = self.pace / shares[type(self).network] or self.image_pace * USUAL_BYTES / self.bytes
            self.pace = int(float(f"{usual * shares[self.network]:.2g}"))

    def build(self, env: TimeTrialVector | ConcatVectorEnv, seed: int) -> None:
        """Set `self.model` and `self.architecture`."""
        raise NotImplementedError

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The hyperparameters and their values, unless others are given."""
        found: dict[str, Any] = {"gamma": cls.gamma}
        for kind in reversed(cls.__mro__):
            if issubclass(kind, Recipe) and kind is not Recipe:
                found |= dict.fromkeys(vars(kind))
        ours = set(vars(Recipe)) - {"gamma", "network", "crop", "pool", "edges", "standardize"}
        values = {name: getattr(cls, name) for name in found if name not in ours and not name.startswith("_")}
        return {name: value for name, value in values.items() if isinstance(value, int | float | str | tuple)}

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters and their values."""
        return {name: getattr(self, name) for name in self.defaults()}

    @property
    def deepracer_hyperparameters(self) -> dict[str, Any]:
        """The values of the hyperparameters that DeepRacer has, too, by its names."""
        loss = getattr(self, "loss_type", "mean squared error")
        return {theirs: getattr(self, ours) for theirs, ours in self.deepracer.items()} | {"loss_type": loss}

    @property
    def description(self) -> str:
        """What it observes, what it is made of, and how fast it should be."""
        seen = ", ".join(f"{name} ({_size(space.shape)})" for name, space in self._parts.items())
        count = sum(weights.numel() for weights in self.model.policy.parameters())
        pace = f" Expect about {self.pace:,} steps/s on two cores." if self.pace and self.device == "cpu" else ""
        return f"Observation: {seen}. {self.architecture}: {count:,} parameters, on the {self._where}.{pace}"

    def act(self, observation: Any) -> NDArray[Any]:
        """The best action known, without exploration, for observations of any batch shape.

        Raises:
            AgentError: it is not what this driver learned to observe.
        """
        try:
            return self.policy_network().act(observation)
        except ModelError:  # a network of a learner's own kind
            rows, batch = rows_of(observation, {name: tuple(space.shape) for name, space in self._parts.items()})
            if self._preprocessing:
                rows = {k: _preprocessed(self._preprocessing, v) if v.ndim == 4 else v for k, v in rows.items()}
            seen = rows if hasattr(self._space, "spaces") else rows["state"]
            actions = self.model.predict(seen, deterministic=True)[0]
            return np.asarray(actions.reshape(*batch, *actions.shape[1:]))

    def frozen(self) -> Driver:
        """Who acts as this does now, without reading the network at every step; itself, if it acts in its own way."""
        try:
            return self.policy_network() if type(self).act is Recipe.act else self
        except ModelError:
            return self

    def policy_network(self) -> Network:
        """What it decides by, as data: `act` calculates it, so that what is exported of it acts alike.

        Raises:
            ModelError: it is none that racer can describe.
        """
        network = network_of(self.model.policy)
        return preprocessed_network(network, self._preprocessing, self._parts) if self._preprocessing else network

    def learn(self, report: Callable[[int, Mapping[str, float]], float]) -> None:
        """Learn until the budget is used up.

        Args:
            report: called as `report(steps, metrics)` before every `reports`-th rollout; returns the share of the
                budget that is used. Racer shows `rollout/ep_rew_mean` and `rollout/ep_progress_mean`, and logs all.
        """
        self.model.set_logger(Logger(None, []))
        callback, never = _Reporter(self, report), cast(int, None)
        with threads(None if self.images and self.network in RL_COACH else 1):  # small products lose by being shared
            self.model.learn(WITHOUT_END, callback=callback, log_interval=never, reset_num_timesteps=False)

    def tune(self) -> None:
        """Set what changes in the course of a training; called before every `reports`-th rollout.

        `self.schedule` knows how far the training has come.
        """

    def update_schedule(self, steps: int, used: float, progress: Sequence[float]) -> None:
        """Tell the schedule how far the training has come; see `LapSchedule.update`."""
        self.schedule.update(steps, used, progress)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """All that was learned and all that learning goes on from, as named arrays; of experience nothing is kept."""
        state: dict[str, NDArray[Any]] = {}
        for part, values in self.model.get_parameters().items():
            if "param_groups" not in values:
                state |= {f"{part}/{name}": _array(value) for name, value in values.items()}
                continue
            for i, moments in values["state"].items():
                state |= {f"{part}/{i}/{name}": _array(value) for name, value in moments.items()}
        state |= {name: _array(value) for name, value in self.tensors().items()}
        statistics = self.env.ret_rms
        state["returns"] = np.array([statistics.mean, statistics.var, statistics.count], dtype=np.float64)
        state["steps"] = np.array(self.model.num_timesteps, dtype=np.int64)
        state["schedule"] = self.schedule.state()
        return state

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict()`.

        Raises:
            Exception: the arrays are not those of this recipe.
        """
        parameters = self.model.get_parameters()
        for part, values in parameters.items():
            own = {
                key.removeprefix(f"{part}/"): torch.from_numpy(value)
                for key, value in state.items()
                if key.startswith(f"{part}/")
            }
            if "param_groups" in values:
                values["state"] = self._moments(part, own)
            else:
                parameters[part] = own
        self.model.set_parameters(cast(Any, parameters), exact_match=True, device=self.device)
        for name, tensor in self.tensors().items():
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(state[name]))
        self.env.ret_rms.mean, self.env.ret_rms.var, self.env.ret_rms.count = state["returns"].tolist()
        self.model.num_timesteps = int(state["steps"])
        self.schedule.load(state["schedule"])

    def warm_start(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Begin a new training with the networks of another, without its counters, scales and exploration."""
        fresh, known = self.state_dict(), "policy/"
        networks = {key: state[key] for key in {**fresh, **state} if key.startswith(known) and "log_std" not in key}
        self.load_state_dict(fresh | networks)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is learned beside the networks, by name; nothing as a rule."""
        return {}

    def extractor(self) -> dict[str, Any]:
        """Arguments for a policy of Stable-Baselines3: what it passes observations through."""
        if not self.images:
            return {"features_extractor_class": CombinedExtractor} if hasattr(self._space, "spaces") else {}
        return {"features_extractor_class": CameraExtractor, "features_extractor_kwargs": {"network": self.network}}

    def _moments(self, part: str, given: Mapping[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
        """An optimizer's state, from what is named `number of the weights/name`."""
        optimizer = recursive_getattr(self.model, part)
        shapes = [weights.shape for group in optimizer.param_groups for weights in group["params"]]
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in given.items():
            i, name = key.split("/")
            if value.shape != (() if name == "step" else shapes[int(i)]):
                raise ValueError(f"{part}/{key} has the shape {tuple(value.shape)}")
            moments.setdefault(int(i), {})[name] = value
        return moments


class _Reporter(BaseCallback):
    """Reports between updates, and ends the learning with the budget."""

    def __init__(self, recipe: Recipe, report: Callable[[int, Mapping[str, float]], float]) -> None:
        super().__init__()
        self._recipe, self._report, self._used, self._rollouts = recipe, report, 0.0, 0

    def _on_rollout_start(self) -> None:
        self._rollouts += 1
        if (self._rollouts - 1) % self._recipe.reports:
            return
        metrics, recipe, steps = dict(self.logger.name_to_value), self._recipe, self.model.num_timesteps
        episodes = list(self.model.ep_info_buffer or ())
        if episodes:
            for name, key in (("rew", "r"), ("progress", "progress"), ("len", "l")):
                metrics[f"rollout/ep_{name}_mean"] = float(np.mean([episode[key] for episode in episodes]))
        self._used = self._report(steps, metrics)
        recipe.update_schedule(steps, min(1.0, self._used), [episode["progress"] for episode in episodes])
        recipe.tune()

    def _on_step(self) -> bool:
        return self._used < 1.0


def _preprocessed(layers: tuple[Layer, ...], images: NDArray[Any]) -> NDArray[np.float32]:
    made = images.astype(np.float64)
    for layer in layers:
        made = layer(made)
    return made.astype(np.float32)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} numbers" if len(shape) == 1 else " x ".join(map(str, shape))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy()).copy()
