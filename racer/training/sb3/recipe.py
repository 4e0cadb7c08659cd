"""What recipes with Stable-Baselines3 share: driving, learning within a budget, and what was learned as named arrays.

A recipe on the shelf builds a model of Stable-Baselines3; everything that racer asks of an agent beyond that is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecNormalize

from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError
from racer.sim import DiscreteActions
from racer.training.sb3.networks import NETWORKS, Eyes, PictureBuffer, PicturePolicy
from racer.training.sb3.vec_env import AsTold, VecTimeTrial

__all__ = ["PPORecipe", "Recipe"]

USUAL_BYTES, PACES = 80 * 32 * 2, (1.0, 0.5, 0.2)  # ppo_camera's pictures; the networks' speed by the first one's
WITHOUT_END = 10**12  # steps: it is the budget that ends a training


class Recipe:
    """A driver that learns; what it learns from is the environment's reward alone.

    A subclass sets `self.model`, `self.architecture` and `self.hyperparameters`, and may override `tune`.

    Attributes:
        num_envs: cars to train with.
        sensors: what it can learn from; the first is what it perceives if nothing else is asked for.
        pace: steps a second to be expected on two quiet cores.
        reports: rollouts between two reports.
        env: the environment as Stable-Baselines3 wants it. Rewards are divided by the spread of their sums, so that any
            learner's scale suits the learning rate.
        discrete: whether there is a choice of actions.
        policy: what Stable-Baselines3 calls a policy for observations like these.
        pictures: whether it sees pictures.
        bytes: that one perception takes.
        device: where its networks are: `cpu` or `cuda`.
        model: the algorithm.
        architecture: what it is made of, in a few words.
        hyperparameters: by the names of DeepRacer's file, for its logs.
    """

    num_envs = 256
    sensors: tuple[str, ...] = ("state",)
    pace = 0
    reports = 1
    model: BaseAlgorithm
    architecture = ""
    hyperparameters: Mapping[str, Any] = {}

    def __init__(self, env: TimeTrialVector | ConcatVectorEnv, gamma: float, device: str = "auto") -> None:
        """Make everything but the model.

        Args:
            env: for its spaces; `learn` drives in it.
            gamma: discount of the rewards, for their scale.
            device: `cpu`, `cuda`, or `auto`: a GPU for pictures, if there is one; small vectors are faster on the CPU.

        Raises:
            AgentError: there is no such device.
        """
        self._space = env.single_observation_space
        spaces = getattr(self._space, "spaces", {"state": self._space})
        self.discrete = isinstance(env.actions, DiscreteActions)
        self.policy = "MultiInputPolicy" if hasattr(self._space, "spaces") else "MlpPolicy"
        self.pictures = any(len(space.shape) == 3 for space in spaces.values())
        self.bytes = sum(prod(space.shape) * space.dtype.itemsize for space in spaces.values())
        self.device, self._where = _device(device, self.pictures)
        torch.set_num_threads(1)  # such small networks lose more time between threads than they win
        self.env = VecNormalize(AsTold(VecTimeTrial(env)), norm_obs=False, gamma=gamma)

    @property
    def about(self) -> str:
        """What it perceives, what it is made of, and how fast it should be."""
        spaces = getattr(self._space, "spaces", {"state": self._space})
        seen = ", ".join(f"{name} ({' x '.join(map(str, space.shape))})" for name, space in spaces.items())
        count = sum(weights.numel() for weights in self.model.policy.parameters())
        pace = f"; about {self.pace:,} steps/s are usual on two cores" if self.pace and self.device == "cpu" else ""
        return f"It perceives {seen}. {self.architecture}: {count:,} parameters on the {self._where}{pace}."

    def act(self, observation: Any) -> NDArray[Any]:
        """The best action known, without exploration, for observations of any batch shape.

        Raises:
            AgentError: it is not what this driver learned to perceive.
        """
        parts = getattr(self._space, "spaces", None)
        given = observation if parts is not None else {"state": observation}
        wanted = parts if parts is not None else {"state": self._space}
        if not isinstance(given, dict) or given.keys() != wanted.keys():
            got = ", ".join(given) if isinstance(given, dict) else "a plain array"
            raise AgentError(f"this driver perceives {', '.join(wanted)}; it was given {got}")
        rows = {}
        for name, space in wanted.items():
            values, shape = np.asarray(given[name]), tuple(space.shape or ())
            batch = values.shape[: max(0, values.ndim - len(shape))]
            if values.shape[len(batch) :] != shape:
                raise AgentError(f"this driver perceives {name} of the shape {shape}; it was given {values.shape}")
            rows[name] = values.reshape(-1, *shape)
        actions = self.model.predict(rows if parts is not None else rows["state"], deterministic=True)[0]
        return np.asarray(actions.reshape(*batch, *actions.shape[1:]))

    def learn(self, report: Callable[[int, Mapping[str, float]], float]) -> None:
        """Learn until the budget is used up.

        Args:
            report: called before each update as `report(steps, metrics)`; returns the share of the budget that is used.
                Racer shows `rollout/ep_rew_mean` and `rollout/ep_progress_mean`, and logs all the metrics.
        """
        self.model.set_logger(Logger(None, []))
        callback, never = _Reporter(self, report), cast(int, None)
        self.model.learn(WITHOUT_END, callback=callback, log_interval=never, reset_num_timesteps=False)

    def tune(self, used: float) -> None:
        """Set what changes as the budget is used up.

        Args:
            used: share of it, 0..1.
        """

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

    def take_over(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Begin a new training with the networks of another, without its counters, scales and exploration."""
        fresh, known = self.state_dict(), "policy/"
        networks = {key: state[key] for key in {**fresh, **state} if key.startswith(known) and "log_std" not in key}
        self.load_state_dict(fresh | networks)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is learned beside the networks, by name; nothing as a rule."""
        return {}

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


class PPORecipe(Recipe):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347): everything but its knobs.

    The knobs have the names of Stable-Baselines3's arguments; those that it lacks say how one of them changes.

    Attributes:
        n_steps: of each car between two updates.
        batch_size: samples in one gradient step.
        n_epochs: passes over the samples of an update.
        learning_rate, last_rate: at the start, and the share of it at the end; it falls in a straight line.
        gamma: discount of a reward for each step that it lies ahead.
        gae_lambda: between trusting the value network (0) and the rewards that followed (1).
        clip_range: how far an update may move the policy.
        net_arch: units of the policy network and of the value network; of pictures, behind what looks at them.
        log_std_init, last_log_std: ln of the most noise allowed on continuous actions, at the start and at the end.
        ent_coef: worth of trying several actions, where they are discrete; it falls to nothing at the end.
        network: what looks at pictures, a name of `racer.training.sb3.NETWORKS`.
        picture_pace: `pace` by `USUAL_BYTES` of pictures through the first of the networks.
        algorithm: Stable-Baselines3's.
    """

    n_steps = 32
    batch_size = 2048
    n_epochs = 5
    learning_rate = 2e-3
    last_rate = 0.03
    gamma = 0.98
    gae_lambda = 0.95
    clip_range = 0.2
    net_arch: tuple[int, ...] = (64, 64)
    log_std_init, last_log_std = -0.5, -3.0
    ent_coef = 0.01
    network = next(iter(NETWORKS))
    picture_pace = 13_000
    algorithm: type[PPO] = PPO

    def __init__(
        self,
        env: TimeTrialVector | ConcatVectorEnv,
        seed: int = 0,
        device: str = "auto",
        gamma: float | None = None,
        entropy: float | None = None,
        epochs: int | None = None,
        network: str | None = None,
    ) -> None:
        """Make an untrained driver.

        Args:
            env: for its spaces; `learn` drives in it.
            seed: of the network's first weights and of the exploration.
            device: `auto`, `cpu` or `cuda`.
            gamma, entropy, epochs, network: knobs that DeepRacer's settings turn, instead of the class's own.

        Raises:
            AgentError: there is no such device or network, or no picture for a network to look at.
        """
        self.gamma = self.gamma if gamma is None else gamma
        self.n_epochs = self.n_epochs if epochs is None else epochs
        super().__init__(env, self.gamma, device)
        if network is not None and not self.pictures:
            raise AgentError(f"{network} looks at pictures, and none is perceived; add a camera with --sensors")
        self.network = network or self.network
        self.ent_coef = entropy if entropy is not None else self.ent_coef if self.discrete else 0.0
        self._rate = self.learning_rate
        self.model = self.algorithm(
            PicturePolicy if self.pictures else self.policy,
            self.env,
            learning_rate=lambda _: self._rate,
            n_steps=self.n_steps,
            batch_size=min(self.batch_size, self.n_steps * env.num_envs),
            n_epochs=self.n_epochs,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            clip_range=self.clip_range,
            ent_coef=self.ent_coef,
            rollout_buffer_class=PictureBuffer if self.pictures else None,
            policy_kwargs={
                "net_arch": list(self.net_arch),
                "activation_fn": torch.nn.ReLU,
                "log_std_init": self.log_std_init,
                "optimizer_kwargs": {"eps": 1e-5, "fused": True},
                **self._eyes(),
            },
            seed=seed,
            device=self.device,
        )
        self.architecture = "PPO, policy and value networks of " + " x ".join(map(str, self.net_arch)) + " units"
        if self.pictures:
            self.architecture += f" behind {self.network}"
            share = dict(zip(NETWORKS, PACES, strict=True))[self.network] * USUAL_BYTES / self.bytes
            self.pace = int(float(f"{self.picture_pace * share:.2g}"))
        self.hyperparameters = {
            "batch_size": self.model.batch_size,
            "num_epochs": self.n_epochs,
            "lr": self.learning_rate,
            "beta_entropy": self.ent_coef,
            "discount_factor": self.gamma,
            "loss_type": "mean squared error",
        }

    def tune(self, used: float) -> None:
        """Let learning rate and exploration fall as the budget is used up, `used` from 0 to 1."""
        self._rate = self.learning_rate * (1.0 - (1.0 - self.last_rate) * used)
        model = cast(Any, self.model)
        model.ent_coef = self.ent_coef * (1.0 - used)
        if not self.discrete:
            with torch.no_grad():
                model.policy.log_std.clamp_(max=self.log_std_init + (self.last_log_std - self.log_std_init) * used)

    def _eyes(self) -> dict[str, Any]:
        if not self.pictures:
            return {}
        return {"features_extractor_class": Eyes, "features_extractor_kwargs": {"network": self.network}}


class _Reporter(BaseCallback):
    """Reports between updates, and ends the learning with the budget."""

    def __init__(self, recipe: Recipe, report: Callable[[int, Mapping[str, float]], float]) -> None:
        super().__init__()
        self._recipe, self._report, self._used, self._rollouts = recipe, report, 0.0, 0

    def _on_rollout_start(self) -> None:
        self._rollouts += 1
        if (self._rollouts - 1) % self._recipe.reports:
            return
        metrics = dict(self.logger.name_to_value)
        episodes = list(self.model.ep_info_buffer or ())
        if episodes:
            for name, key in (("rew", "r"), ("progress", "progress"), ("len", "l")):
                metrics[f"rollout/ep_{name}_mean"] = float(np.mean([episode[key] for episode in episodes]))
        self._used = self._report(self.model.num_timesteps, metrics)
        self._recipe.tune(min(1.0, self._used))

    def _on_step(self) -> bool:
        return self._used < 1.0


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy()).copy()


def _device(asked: str, pictures: bool) -> tuple[str, str]:
    """Where to calculate, `cpu` or `cuda`, and why in words."""
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise AgentError("PyTorch finds no GPU here; train with --device cpu, or install a build of PyTorch with CUDA")
    if asked == "cuda":
        return "cuda", "GPU"
    if asked == "cpu":
        return "cpu", "CPU"
    if not pictures:
        return "cpu", "CPU, the faster one without pictures"
    return ("cuda", "GPU, for its pictures") if found else ("cpu", "CPU, as there is no GPU")
