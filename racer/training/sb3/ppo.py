"""Proximal policy optimisation as a recipe: the defaults of every hyperparameter, and how some of them change."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Any, cast

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy

from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError
from racer.racing import Network
from racer.training.sb3.dense import DensePolicy
from racer.training.sb3.loading import hyperparameters_like, load_network
from racer.training.sb3.muon import JORDAN, Muon
from racer.training.sb3.networks import NETWORKS, ImagePolicy, ImageRolloutBuffer
from racer.training.sb3.recipe import Recipe
from racer.training.sb3.variable import VariablePPO

__all__ = ["PPORecipe"]

OPTIMIZERS = MappingProxyType({"muon": Muon, "adam": torch.optim.Adam})
LOSS_TYPES = MappingProxyType({"huber": 0.3, "mean squared error": inf})
"""Losses of the values, by DeepRacer's names: up to which error they count it squared; rewards are scaled."""

LEAST_UPDATES = 64  # of a training, once it completes laps


class PPORecipe(Recipe):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347): everything but its hyperparameters.

    They have the names of Stable-Baselines3's arguments; those that it lacks say how one of them changes. What begins
    with `first_` holds until half of the newest episodes are complete laps. From there on the learning rate, the noise,
    the worth of entropy and the discount fall in a straight line to the end of the budget; see `LapSchedule`.

    Attributes:
        n_steps, first_n_steps: of each car between two updates.
        batch_size, first_batch_size: samples in one gradient step.
        n_epochs, first_n_epochs: passes over the samples of an update. The first are as many as the others, if they
            are None, or if only the others are given.
        optimizer: what changes the networks by their gradients, a name of `OPTIMIZERS`.
        learning_rate, last_rate: before the first laps, and the share of it at the end.
        gamma, stuck_gamma, last_gamma: discount of a reward for each step that it lies ahead, as a rule, while a driver
            without complete laps gets no farther, and at the end. Who gets no farther may earn most by racing off the
            track within the next seconds, and must look farther ahead to learn what a lap would have paid. The last one
            is as the first if it is None, or if only the first is given.
        gae_lambda: between trusting the value network (0) and the rewards that followed (1).
        clip_range: how far an update may move the policy.
        loss_type: how the value network's errors count from the first laps on, a name of `LOSS_TYPES`. Who leaves the
            track loses what many steps earn: squared, a few such errors outweigh all others. Before there are laps that
            is what there is to learn, and they are squared.
        net_arch: units of the policy network and of the value network; of images, behind what looks at them.
        value_net_arch: units of the value network, if others.
        log_std_init, lap_log_std, last_log_std: ln of the noise on continuous actions: the most allowed at the start,
            and what there is from the first laps on and at the end.
        noise_correlation: of the noise on continuous actions with that of the step before; for small networks alone.
        clipped_actions: whether all continuous actions beyond a bound are one and the same to the policy, as they are
            to the car; for small networks alone.
        ent_coef: worth of trying several actions; it falls to nothing at the end. Unless it is given, only discrete
            ones need it.
        network: what looks at images, a name of `racer.training.sb3.NETWORKS`.
        algorithm: Stable-Baselines3's.
    """

    n_steps, first_n_steps = 32, 8
    batch_size, first_batch_size = 2048, 512
    n_epochs = 5
    first_n_epochs: int | None = None
    optimizer = "muon"
    learning_rate = 2e-3
    last_rate = 0.03
    gamma, stuck_gamma = 0.98, 0.99
    last_gamma: float | None = None
    gae_lambda = 0.95
    clip_range = 0.2
    loss_type = "huber"
    net_arch: tuple[int, ...] = (64, 64)
    value_net_arch: tuple[int, ...] = ()
    log_std_init, lap_log_std, last_log_std = -0.5, -1.0, -3.0
    noise_correlation = 0.0
    clipped_actions = False
    ent_coef = 0.01
    network = next(iter(NETWORKS))
    image_pace = 7_000
    algorithm: type[PPO] = VariablePPO
    deepracer: Mapping[str, str] = MappingProxyType(
        {"discount_factor": "gamma", "beta_entropy": "ent_coef", "num_epochs": "n_epochs"}
    )
    deepracer_notes: Mapping[str, str] = MappingProxyType({"beta_entropy": "falls to nothing from the first laps on"})
    deepracer_algorithm = "clipped_ppo"

    def build(self, env: TimeTrialVector | ConcatVectorEnv, seed: int) -> None:
        """Make the model."""
        self._rate = self.learning_rate
        self._entropy = self.ent_coef if self.discrete or "ent_coef" in self.given else 0.0
        self._first_epochs = self._or_usual("first_n_epochs", "n_epochs")
        self._last_gamma = self._or_usual("last_gamma", "gamma")
        if self.optimizer not in OPTIMIZERS:
            raise AgentError(f"there is no optimizer {self.optimizer!r}; the optimizers are {', '.join(OPTIMIZERS)}")
        if self.loss_type not in LOSS_TYPES:
            raise AgentError(f"loss_type is {self.loss_type!r}; it must be {' or '.join(LOSS_TYPES)}")
        policy, optimizer = self._policy(), OPTIMIZERS[self.optimizer]
        # With the other rounds, half of the short trainings that choose between actions completed no lap.
        rounds = {"rounds": JORDAN} if self.discrete and optimizer is Muon else {}
        own = {"noise_correlation": self.noise_correlation, "clipped_actions": self.clipped_actions}
        for name in self.given & own.keys():
            if own[name] and policy is not DensePolicy:
                raise AgentError(f"{name} is for networks without images that PPO trains on the CPU; leave it out")
        self.model = self.algorithm(
            policy,
            self.env,
            learning_rate=lambda _: self._rate,
            n_steps=self.n_steps,
            batch_size=self._batch(self.batch_size, self.n_steps),
            n_epochs=self.n_epochs,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            clip_range=self.clip_range,
            ent_coef=self._entropy,
            rollout_buffer_class=ImageRolloutBuffer if self.images else None,
            policy_kwargs={
                "net_arch": {"pi": list(self.net_arch), "vf": list(self.value_net_arch or self.net_arch)},
                "activation_fn": torch.nn.ReLU,
                "log_std_init": self.log_std_init,
                "optimizer_class": optimizer,
                "optimizer_kwargs": {"eps": 1e-5, "fused": True, **rounds},
                **(own if policy is DensePolicy else {}),
                **self.extractor(),
            },
            seed=seed,
            device=self.device,
        )
        cast(Any, self.model).huber_delta = LOSS_TYPES[self.loss_type]  # all the time, unless `tune` says otherwise
        layers = dict.fromkeys(filter(None, (self.net_arch, self.value_net_arch)))
        units = " and ".join(" x ".join(map(str, each)) for each in layers)
        self.architecture = f"PPO, policy and value networks of {units} units" if units else "PPO"
        self.tune()

    def tune(self) -> None:
        """Let learning rate, noise and entropy fall from the first laps on, and the noise a little before them."""
        model, schedule = cast(Any, self.model), self.schedule
        lapping, refined = schedule.lapping_since is not None, schedule.refined
        self._rate = self.learning_rate * (1.0 - (1.0 - self.last_rate) * refined)
        model.ent_coef = self._entropy * (1.0 - refined)
        model.huber_delta = LOSS_TYPES[self.loss_type] if lapping else inf
        gamma = self.stuck_gamma if schedule.stuck and not lapping else self.gamma
        left = schedule.total - (schedule.lapping_since or 0) if lapping else 0.0
        gamma += (self._last_gamma - gamma) * refined
        model.gamma = model.rollout_buffer.gamma = self.env.gamma = gamma
        # Large updates are quicker, but a short training has too few of them.
        most = int(left / (LEAST_UPDATES * self.env.num_envs))
        first = min(self.first_n_steps, self.n_steps)
        model.n_steps = min(self.n_steps, max(first, most))
        larger = (model.n_steps - first) / (self.n_steps - first) if self.n_steps > first else float(lapping)
        size = self.first_batch_size + larger * (self.batch_size - self.first_batch_size)
        model.batch_size = self._batch(int(size), model.n_steps)
        model.n_epochs = self.n_epochs if lapping else self._first_epochs
        if self.discrete:
            return
        near, far = (self.lap_log_std, self.last_log_std) if lapping else (self.log_std_init, self.lap_log_std)
        noise = near + (far - near) * (refined if lapping else schedule.progress)
        with torch.no_grad():  # left to itself it would fall much faster, and no other way to drive be found
            model.policy.log_std.clamp_(min=noise if lapping else None, max=noise)

    @staticmethod
    def hyperparameters_like(network: Network) -> Mapping[str, Any]:
        """The hyperparameters with which this recipe makes a network like one that was trained elsewhere.

        Raises:
            ModelError: it is of another kind than this recipe can make.
        """
        return hyperparameters_like(network)

    def load_network(self, network: Network) -> None:
        """Decide as a network does that was trained elsewhere, and go on from it.

        Raises:
            ModelError: this recipe was made with other hyperparameters than `hyperparameters_like` says.
        """
        load_network(cast(ActorCriticPolicy, self.model.policy), network)

    def _or_usual(self, name: str, usual: str) -> Any:
        """A hyperparameter for a part of the training; the usual one if it is None or only that was given."""
        usual_alone = usual in self.given and name not in self.given
        return getattr(self, usual) if usual_alone or getattr(self, name) is None else getattr(self, name)

    def _policy(self) -> str | type[ActorCriticPolicy]:
        if self.images:
            return ImagePolicy
        return DensePolicy if self.device == "cpu" and issubclass(self.algorithm, VariablePPO) else self.policy

    def _batch(self, size: int, steps: int) -> int:
        """Samples in a gradient step: no more than an update has."""
        return min(size, steps * self.env.num_envs)
