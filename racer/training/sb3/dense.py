"""Proximal policy optimization of small fully connected networks, with gradients that are written out.

Half of a training's time went into `PPO.train`, most of it into autograd's bookkeeping of networks this small, and the
interpreter's lock kept the second core idle. So `gradients` and `muon` have the arithmetic, in kernels, which need no
lock. Everything here computes what Stable-Baselines3 computes, `tests/test_dense.py` holds the one against the other:
the same losses, the same Adam, the same names in the log. What is different: an epoch's samples are shuffled by
PyTorch's generator instead of NumPy's; the gradients of the two networks, which share no weights, are clipped each for
itself, so that neither waits for the other; metrics are means over all mini-batches of an update, as is `train/loss`.

Two cores are at work all the time: first on the policy, each with half of a mini-batch; then one of them drives by the
new policy, while the other lets the value network learn. Values are not needed before the next update; see `rollout`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import get_action_dim
from torch import Tensor, nn

from racer.training.sb3.clipped import ClippedNormal, log_prob
from racer.training.sb3.gradients import (
    add_slopes,
    continuous_policy_slopes,
    discrete_policy_slopes,
    learn_values,
    normalized,
    outputs,
)
from racer.training.sb3.muon import Muon, change, table

__all__ = ["WRITTEN_OUT", "DensePolicy", "update"]

WRITTEN_OUT = (torch.optim.Adam, Muon)  # optimizers


class _Part(NamedTuple):
    """One of the two networks: its `layers` as `gradients` has them, its parameters as `change` takes them."""

    layers: NDArray[np.int64]
    plain: NDArray[np.int64]
    hidden: NDArray[np.int64]


class DensePolicy(ActorCriticPolicy):
    """Stable-Baselines3's policy of fully connected networks with ReLU, acting and learning without autograd.

    Attributes:
        weights, gradient: of all parameters, which are parts of these, one after another; of each its gradient.
        second_gradient: what the second half of a mini-batch adds to that of the policy.
        discrete: whether it chooses between actions.
        noise_correlation: of the noise on continuous actions, with that of the step before, 0..1. What an action is
            worth shows better if it is held on to (Hollenstein et al. 2024, arXiv:2312.11091, with other noise).
        bound: beyond which all continuous actions are one and the same, to either side; infinite where they are not.
    """

    def __init__(
        self, *args: Any, noise_correlation: float = 0.0, clipped_actions: bool = False, **kwargs: Any
    ) -> None:
        """Make the networks; all but `noise_correlation` and `clipped_actions` is Stable-Baselines3's.

        Args:
            args, kwargs: Stable-Baselines3's.
            noise_correlation: see above.
            clipped_actions: whether the bound is that of the actions, -1..1.

        Raises:
            ValueError: another activation is asked for.
        """
        self.bound = 1.0 if clipped_actions else inf
        if kwargs.setdefault("activation_fn", nn.ReLU) is not nn.ReLU:
            raise ValueError("these networks have ReLU between their layers; leave out activation_fn")
        super().__init__(*args, **kwargs)
        self.noise_correlation, self._noise = noise_correlation, torch.zeros(0)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        if self.bound < inf and not self.discrete:
            self.action_dist = ClippedNormal(get_action_dim(self.action_space))
        self.weights = self.gradient = self.second_gradient = torch.zeros(0)
        self._memory = torch.zeros(2, 0)
        self.link()
        every = list(self.parameters())
        begins: dict[Tensor, int] = dict(
            zip(every, np.cumsum([0, *(each.numel() for each in every[:-1])]).tolist(), strict=True)
        )
        turned = set(self.optimizer.param_groups[1]["params"]) if isinstance(self.optimizer, Muon) else set()
        self._names = [("momentum_buffer",) if each in turned else ("exp_avg", "exp_avg_sq") for each in every]

        def part(layers: Sequence[Any], *others: nn.Parameter) -> _Part:
            places = [(begins[one.weight], begins[one.bias], one.in_features, one.out_features) for one in layers]
            own = [*others, *(each for one in layers for each in one.parameters())]
            plain = [(begins[each], begins[each] + each.numel()) for each in own if each not in turned]
            hidden = [(begins[each], *each.shape) for each in own if each in turned]
            return _Part(np.array(places), np.array(plain), np.array(hidden, dtype=np.int64).reshape(-1, 3))

        noise = () if self.discrete else (self.log_std,)
        self._noise_place = (
            slice(0, 0) if self.discrete else slice(begins[self.log_std], begins[self.log_std] + self.log_std.numel())
        )
        self._policy = part([*_linear(self.mlp_extractor.policy_net), self.action_net], *noise)
        self._value = part([*_linear(self.mlp_extractor.value_net), self.value_net])
        self._compile()

    def link(self) -> None:
        """Let all parameters be parts of `weights`, which they no longer are in a copy of this policy."""
        if next(self.parameters()).data_ptr() == self.weights.data_ptr():
            return
        every = list(self.parameters())
        self.weights = torch.cat([each.detach().flatten() for each in every])
        self.gradient, self.second_gradient = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        sizes = [each.numel() for each in every]
        weights, slopes = (torch.split(row, sizes) for row in (self.weights, self.gradient))
        for each, weight, slope in zip(every, weights, slopes, strict=True):
            each.data, each.grad = weight.view_as(each), slope.view_as(each)

    def link_optimizer(self) -> int:
        """Let what the optimizer remembers be parts of two rows as well; gives the number of its steps so far."""
        every, state = list(self.parameters()), self.optimizer.state
        known = state[every[0]].get(self._names[0][0])
        if known is None or known.data_ptr() != self._memory.data_ptr():
            self._memory = torch.zeros(2, len(self.weights))
            rows = (torch.split(row, [each.numel() for each in every]) for row in self._memory)
            for each, names, *places in zip(every, self._names, *rows, strict=True):
                state[each].setdefault("step", torch.zeros(()))
                for name, place in zip(names, places, strict=False):
                    if name in state[each]:
                        place.copy_(state[each][name].flatten())
                    state[each][name] = place.view_as(each)
        return int(state[every[0]]["step"])

    def _compile(self) -> None:
        """Compile the kernels that it needs: not in its first update, while somebody's clock runs."""
        x, one = torch.zeros(1, int(self._value.layers[0, 2])), torch.zeros(1)
        actions = torch.zeros(1, 1 if self.discrete else int(self._policy.layers[-1, 3]))
        self.policy_backward((x, actions, one, one), 0.0, 0.0, None)
        self._outputs(x, self._value)
        if type(self.optimizer) in WRITTEN_OUT:
            nothing = self._value._replace(plain=self._value.plain[:0], hidden=self._value.hidden[:0])
            self._change(nothing, 1, 0.0)
            self.learn_values(x, one, [], 1, 0.0, inf, 0.0)

    def set_training_mode(self, mode: bool) -> None:
        """Note the mode; these networks do the same in both."""
        self.training = mode

    def flat(self, obs: Any) -> Tensor:
        """Observations in one row of numbers each, (n, numbers)."""
        names = getattr(self.observation_space, "spaces", ())  # in their order, whatever the order of the observations
        parts = [obs[name] for name in names] if isinstance(obs, dict) else [obs]
        rows = [part.flatten(1).float().contiguous() for part in parts]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)

    @torch.no_grad()
    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values (n, 1) and log-probabilities (n,) of the actions."""
        actions, log_prob = self.sample(obs, deterministic)
        return actions, self.predict_values(obs), log_prob

    @torch.no_grad()
    def sample(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor]:
        """Actions, and log-probabilities (n,) of them; the value network is not asked."""
        self.link()
        output = self._outputs(self.flat(obs), self._policy)
        if self.discrete:
            actions = output.argmax(1) if deterministic else output.softmax(1).multinomial(1).squeeze(1)
        else:
            actions = output if deterministic else output + self.log_std.exp() * self._drawn(output)
        return actions, self._log_prob(output, actions)

    @torch.no_grad()
    def predict_values(self, obs: Any) -> Tensor:
        """Values (n, 1)."""
        self.link()
        return self._outputs(self.flat(obs), self._value)

    def _outputs(self, x: Tensor, part: _Part) -> Tensor:
        return torch.from_numpy(outputs(x.numpy(), self.weights.numpy(), part.layers))

    def _drawn(self, like: Tensor) -> Tensor:
        """Noise of mean 0 and standard deviation 1, of which a share is that of the step before."""
        noise, share = torch.randn_like(like), self.noise_correlation
        if self._noise.shape == noise.shape:
            noise = share * self._noise + sqrt(1.0 - share * share) * noise
        self._noise = noise
        return noise

    def _log_prob(self, output: Tensor, actions: Tensor) -> Tensor:
        if self.discrete:
            return output.log_softmax(1).gather(1, actions[:, None]).squeeze(1)
        return log_prob(output, self.log_std, actions, self.bound)

    def policy_backward(
        self, samples: Sequence[Tensor], clip: float, entropy_share: float, helper: ThreadPoolExecutor | None
    ) -> NDArray[np.float64]:
        """Write the gradient of PPO's policy loss for a mini-batch into the weights; see `gradients`.

        Args:
            samples: observations, actions, their log-probabilities when they were taken, advantages.
            clip: how far the probabilities' ratio counts beyond 1.
            entropy_share: factor of the entropy in the loss.
            helper: finds the second half of it meanwhile; what is found is the same without one.

        Returns:
            (4,) the policy's loss, the negative entropy, the divergence, the share clipped; see `halves.update`.
        """
        x, actions, old, advantages = (each.numpy() for each in samples)
        rows, count, cut = (x, actions, old, normalized(advantages)), len(x), (len(x) + 1) // 2
        weights, layers, noise = self.weights.numpy(), self._policy.layers, self._noise_place

        def half(part: slice, slopes: NDArray[np.float32]) -> NDArray[np.float64]:
            batch = tuple(row[part] for row in rows)
            if self.discrete:
                return discrete_policy_slopes(batch, count, clip, entropy_share, weights, slopes, layers)
            spread = weights[noise], slopes[noise], self.bound
            return continuous_policy_slopes(batch, count, clip, entropy_share, spread, weights, slopes, layers)

        first, second = self.gradient.numpy(), self.second_gradient.numpy()
        other = helper.submit(half, slice(cut, None), second) if helper else None
        metrics = half(slice(cut), first)
        metrics += other.result() if other else half(slice(cut, None), second)
        add_slopes(first, second, layers)
        first[noise] += second[noise]
        return metrics

    def change_policy(self, step: int, most: float) -> None:
        """Change the policy's weights by their gradient as the optimizer's step number `step` does; `most` clips it."""
        self._change(self._policy, step, most)

    def learn_values(
        self, x: Tensor, returns: Tensor, batches: Sequence[Tensor], step: int, share: float, delta: float, most: float
    ) -> float:
        """Change the values' weights by PPO's value loss for mini-batches; returns the loss, their mean.

        Args:
            x: observations.
            returns: what their values should have been.
            batches: numbers of the samples of each mini-batch.
            step: the optimizer's, of the first one.
            share: factor of this loss.
            delta: up to which an error counts squared; see `gradients`.
            most: the gradient's norm is clipped to it.
        """
        order = torch.cat([*batches, torch.zeros(0, dtype=torch.int64)]).numpy()
        ends = np.cumsum([0, *map(len, batches)])[1:]
        network = self.weights.numpy(), self.gradient.numpy(), self._value.layers
        optimizer = self._optimizer(self._value, step, most)
        return float(learn_values(x.numpy(), returns.numpy(), order, ends, share, delta, network, optimizer))

    def _change(self, part: _Part, step: int, most: float) -> None:
        change(self.weights.numpy(), self.gradient.numpy(), *self._optimizer(part, step, most))

    def _optimizer(self, part: _Part, step: int, most: float) -> tuple[Any, ...]:
        """What `change` takes but for the weights and their slopes."""
        first, last = self.optimizer.param_groups[0], self.optimizer.param_groups[-1]
        settings = float(step), float(first["lr"]), *first["betas"], first["eps"], last.get("momentum", 0.0), most
        return *self._memory.numpy(), part.plain, part.hidden, settings, table(last.get("rounds", ()))


def update(
    model: PPO, clip: float, delta: float, side_by_side: bool
) -> tuple[NDArray[np.float64], Callable[[], float]]:
    """Update a `DensePolicy` by the newest rollout.

    Args:
        model: whose policy, optimizer and rollout.
        clip: how far the probabilities' ratio counts beyond 1.
        delta: up to which a value's error counts squared.
        side_by_side: whether on two cores; what is learned is the same either way.

    Returns:
        (4,) the first metrics of `racer.training.sb3.halves.update`; and what waits until the values are learned, too,
        and gives the last of them.
    """
    policy = model.policy
    assert isinstance(policy, DensePolicy)
    policy.link()
    samples = next(iter(model.rollout_buffer.get()))
    x, steps = policy.flat(samples.observations), policy.link_optimizer()
    passes = [torch.randperm(len(x)) for _ in range(model.n_epochs)]
    batches = [batch for each in passes for batch in torch.split(each, model.batch_size)]
    rows, metrics = (x, samples.actions, samples.old_log_prob, samples.advantages), np.zeros(4)
    helper = ThreadPoolExecutor(1) if side_by_side else None
    try:
        for step, batch in enumerate(batches, steps + 1):
            taken = [each.index_select(0, batch) for each in rows]
            metrics += policy.policy_backward(taken, clip, model.ent_coef, helper) / len(batches)
            policy.change_policy(step, model.max_grad_norm)
        for known in policy.optimizer.state.values():
            known["step"] += len(batches)
        values = x, samples.returns, batches, steps + 1, model.vf_coef, delta, model.max_grad_norm
        if helper:
            return metrics, helper.submit(policy.learn_values, *values).result
        error = policy.learn_values(*values)
        return metrics, lambda: error
    finally:
        if helper:
            helper.shutdown(wait=False)


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
