"""Normally distributed actions that are clipped before they are driven: all beyond a bound are one and the same.

The fastest laps are driven at the bounds: full throttle, full lock. A plain normal distribution tells two actions apart
that are both beyond a bound, though the car does the same in both. So only chance moves a mean that is beyond it, ever
farther and in ever larger steps, until the driver no longer gets back in time (docs/learning.md).
"""

from __future__ import annotations

from math import log, pi
from typing import Any

import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution
from torch import Tensor

__all__ = ["ClippedNormal", "log_prob"]


def log_prob(mean: Tensor, log_std: Tensor, actions: Tensor, bound: float = 1.0) -> Tensor:
    """Log-probabilities (n,) of actions (n, k), each independent of the others (Fujita & Maeda 2018, arXiv:1802.07564).

    Args:
        mean: (n, k) of the actions before they are clipped.
        log_std: (k,) ln of their standard deviations.
        actions: before they were clipped, too. Within the bounds it is the density that counts, beyond them the
            probability of being there.
        bound: actions are clipped to -bound..bound; infinite for a plain normal distribution.
    """
    steepness = (-log_std).exp()
    z = (actions - mean) * steepness
    within = -(0.5 * z * z + log_std + 0.5 * log(2.0 * pi))
    side = actions.sign()
    beyond = torch.special.log_ndtr((side * mean - bound) * steepness)
    return torch.where(actions.abs() < bound, within, beyond).sum(1)


class ClippedNormal(DiagGaussianDistribution):
    """Stable-Baselines3's distribution of actions, for those that are clipped to -1..1."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probabilities (n,) of actions (n, k) as they were before they were clipped."""
        normal: Any = self.distribution
        return log_prob(normal.mean, normal.stddev.log(), actions)
