"""Muon, an optimizer that changes a hidden layer's weights in all directions equally much.

Adam takes large steps in the few directions in which gradients are large, and hardly any in the others; but the fine
control of a fast lap has to be learned in those. docs/learning.md has what it wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from racer.sim import kernel

__all__ = ["JORDAN", "POLAR_EXPRESS", "Muon", "change", "table"]

Rounds = Sequence[tuple[float, float, float]]

LIKE_ADAM = 0.2  # root mean square of Adam's steps, as a share of the learning rate (Liu et al. 2025, arXiv:2502.16982)
# For each of five rounds: factors of the first, third and fifth power of the singular values.
POLAR_EXPRESS = (
    (8.287212, -23.595887, 17.300387),
    (4.107059, -2.947850, 0.544843),
    (3.948691, -2.908902, 0.551819),
    (3.318420, -2.488488, 0.510049),
    (2.300652, -1.668904, 0.418807),
)
"""What is at least a thousandth of the largest comes as close to 1 as it can (Amsel et al. 2025, arXiv:2505.16932)."""
JORDAN = ((3.4445, -4.7750, 2.0315),) * 5
"""Jordan's own: small ones, which may be noise, stay smaller."""


class Muon(torch.optim.Adam):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for hidden layers, and Adam for everything else.

    A hidden layer's step is the mean of its gradients with all singular values made about 1. It is as large as Adam's
    are with the same learning rate. `torch.optim.Muon` does the same for matrices alone, with 16-bit numbers.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        momentum: float = 0.95,
        rounds: Rounds = POLAR_EXPRESS,
        outputs: int = 2,
        **adam: Any,
    ) -> None:
        """Optimize parameters.

        Args:
            params: the parameters, in the order of the network's layers.
            momentum: the share that stays of the gradients' mean.
            rounds: how singular values become 1: `POLAR_EXPRESS` or `JORDAN`.
            outputs: how many matrices, the last ones, are of output layers. The policies of Stable-Baselines3 have two:
                one gives the actions, one the value.
            adam: Adam's arguments.
        """
        every = list(params)
        matrices = [each for each in every if each.ndim == 2]
        hidden = matrices[: max(0, len(matrices) - outputs)]
        known = set(map(id, hidden))
        rest = [each for each in every if id(each) not in known]
        groups: list[dict[str, Any]] = [{"params": rest}, {"params": hidden, "momentum": momentum, "rounds": rounds}]
        super().__init__(groups, **adam)
        one = np.zeros((1, 1), np.float32)
        _turn(
            one, one, one.copy(), np.float32(0.0), np.float32(0.0), table(rounds)
        )  # compiled before somebody's clock runs

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Change all parameters by their gradients."""
        rest, hidden = every = self.param_groups
        try:
            self.param_groups = [rest]
            loss = super().step(closure)
        finally:  # what is saved after Ctrl-C is whole
            self.param_groups = every
        rounds, momentum = table(hidden["rounds"]), np.float32(hidden["momentum"])
        for weight in hidden["params"]:
            state, length = self.state[weight], float(hidden["lr"]) * LIKE_ADAM * max(weight.shape) ** 0.5
            if not state:
                state["step"], state["momentum_buffer"] = torch.zeros(()), torch.zeros_like(weight)
            state["step"] += 1  # Adam wants to know it of every parameter
            here, slope, mean = (each.detach().cpu() for each in (weight, weight.grad, state["momentum_buffer"]))
            _turn(here.numpy(), slope.numpy(), mean.numpy(), momentum, np.float32(length), rounds)
            if weight.is_cuda:
                weight.copy_(here)
                state["momentum_buffer"].copy_(mean)
        return loss


def table(rounds: Rounds) -> NDArray[np.float32]:
    """Rounds as the kernels take them, (r, 3)."""
    return np.array(rounds, dtype=np.float32).reshape(-1, 3)


@kernel
def _turn(weight: Any, slope: Any, mean: Any, momentum: Any, length: Any, rounds: Any) -> None:
    """Change `weight` by a step, and `mean`, that of the slopes so far; all are (rows, columns)."""
    one, upright = np.float32(1.0), weight.shape[0] > weight.shape[1]
    mean[:] = momentum * mean + (one - momentum) * slope
    ahead = momentum * mean + (one - momentum) * slope  # Nesterov's: the mean, one step on
    x = np.ascontiguousarray(ahead.T) if upright else ahead
    x /= np.sqrt(np.sum(x * x)) + np.float32(1e-7)
    for a, b, c in rounds:
        square = np.dot(x, x.T)
        x = a * x + np.dot(b * square + c * np.dot(square, square), x)
    weight -= length * (x.T if upright else x)


@kernel
def change(
    weights: Any, slopes: Any, first: Any, second: Any, plain: Any, hidden: Any, settings: Any, rounds: Any
) -> None:
    """What `Muon.step` does, and `Adam.step` where nothing is hidden, for parameters that are parts of a row.

    Args:
        weights, slopes: the row, and the slopes of a loss.
        first, second: what the optimizer remembers: means of the slopes, and Adam's of their squares.
        plain: (n, 2) from where to where Adam changes them.
        hidden: (k, 3) where a matrix for Muon begins, its rows and its columns.
        settings: the number of this step, from 1; learning rate; Adam's betas and epsilon; Muon's momentum; and the
            greatest norm of the slopes, to which larger ones are scaled.
        rounds: (r, 3) of Muon.
    """
    count, rate, beta, square_beta, epsilon, momentum, most = settings
    squares = 0.0
    for begin, end in plain:
        for i in range(begin, end):
            squares += slopes[i] * slopes[i]
    for begin, rows, columns in hidden:
        for i in range(begin, begin + rows * columns):
            squares += slopes[i] * slopes[i]
    share = np.float32(min(1.0, most / (sqrt(squares) + 1e-6)))
    speed, bias = rate / (1.0 - beta**count), sqrt(1.0 - square_beta**count)
    for begin, end in plain:
        for i in range(begin, end):
            slope = slopes[i] * share
            first[i] = beta * first[i] + (1.0 - beta) * slope
            second[i] = square_beta * second[i] + (1.0 - square_beta) * slope * slope
            weights[i] -= speed * first[i] / (sqrt(second[i]) / bias + epsilon)
    for begin, rows, columns in hidden:
        end, length = begin + rows * columns, rate * LIKE_ADAM * sqrt(max(rows, columns))
        slopes[begin:end] *= share
        weight, slope = weights[begin:end].reshape(rows, columns), slopes[begin:end].reshape(rows, columns)
        mean = first[begin:end].reshape(rows, columns)
        _turn(weight, slope, mean, np.float32(momentum), np.float32(length), rounds)
