"""Muon, an optimizer that changes a hidden layer's weights in all directions equally much.

Adam takes large steps in the few directions in which gradients are large, and hardly any in the others; but the fine
control of a fast lap has to be learned in those. docs/learning.md has what it wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from racer.sim import kernel

__all__ = ["Muon"]

LIKE_ADAM = 0.2  # root mean square of Adam's steps, as a share of the learning rate (Liu et al. 2025, arXiv:2502.16982)
ROUNDS = 5
A, B, C = np.float32(3.4445), np.float32(-4.7750), np.float32(2.0315)  # Jordan's, for as few rounds
OUTPUTS = 16  # a layer with fewer units is the last one


class Muon(torch.optim.Adam):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for hidden layers, and Adam for everything else.

    A hidden layer's step is the mean of its gradients with all singular values made about 1. It is as large as Adam's
    are with the same learning rate. `torch.optim.Muon` does the same for matrices alone, with 16-bit numbers.
    """

    def __init__(self, params: Iterable[Tensor], momentum: float = 0.95, **adam: Any) -> None:
        """Optimize `params`; `momentum` is the share that stays of the gradients' mean, `adam` are Adam's arguments."""
        rest: list[Tensor] = []
        hidden: list[Tensor] = []
        for each in params:
            (hidden if each.ndim == 2 and len(each) >= OUTPUTS else rest).append(each)
        groups: list[dict[str, Any]] = [{"params": rest}, {"params": hidden, "momentum": momentum}]
        super().__init__(groups, **adam)
        one = np.zeros((1, 1), np.float32)
        _step(one, one, one.copy(), np.float32(0.0), np.float32(0.0))  # compiled before somebody's clock runs

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Change all parameters by their gradients."""
        rest, hidden = every = self.param_groups
        try:
            self.param_groups = [rest]
            loss = super().step(closure)
        finally:  # what is saved after Ctrl-C is whole
            self.param_groups = every
        for weight in hidden["params"]:
            state, length = self.state[weight], float(hidden["lr"]) * LIKE_ADAM * max(weight.shape) ** 0.5
            if not state:
                state["step"], state["momentum_buffer"] = torch.zeros(()), torch.zeros_like(weight)
            state["step"] += 1  # Adam wants to know it of every parameter
            here, slope, mean = (each.detach().cpu() for each in (weight, weight.grad, state["momentum_buffer"]))
            _step(here.numpy(), slope.numpy(), mean.numpy(), np.float32(hidden["momentum"]), np.float32(length))
            if weight.is_cuda:
                weight.copy_(here)
                state["momentum_buffer"].copy_(mean)
        return loss


@kernel
def _step(weight: Any, slope: Any, mean: Any, momentum: Any, length: Any) -> None:
    """Change `weight` by a step, and `mean`, that of the slopes so far; all are (rows, columns)."""
    one, upright = np.float32(1.0), weight.shape[0] > weight.shape[1]
    mean[:] = momentum * mean + (one - momentum) * slope
    ahead = momentum * mean + (one - momentum) * slope  # Nesterov's: the mean, one step on
    x = np.ascontiguousarray(ahead.T) if upright else ahead
    x /= np.sqrt(np.sum(x * x)) + np.float32(1e-7)
    for _ in range(ROUNDS):  # Newton's and Schulz's way to singular values of 1
        square = np.dot(x, x.T)
        x = A * x + np.dot(B * square + C * np.dot(square, square), x)
    weight -= length * (x.T if upright else x)
