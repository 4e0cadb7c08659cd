"""Ranges: what values of Stable-Baselines3's hyperparameters an algorithm can learn with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from racer.errors import AgentError

__all__ = ["check_ranges"]


def check_ranges(values: Mapping[str, Any]) -> None:
    """Refuse what no algorithm can learn with.

    Raises:
        AgentError: a value is outside its range.
    """
    gammas = ("gamma", "stuck_gamma", "last_gamma", "teacher_gamma")
    shares = (*gammas, "gae_lambda", "tau", "last_rate", "noise_correlation")
    for name, value in values.items():
        wrong, least = "", 0 if name == "crop" else 1
        if name in shares and not 0.0 <= value <= 1.0:
            wrong = "from 0 to 1"
        elif name in ("learning_rate", "clip_range", "imitation", "last_imitation") and value <= 0.0:
            wrong = "above 0"
        elif name == "teacher_share" and not 0.0 < value < 1.0:
            wrong = "above 0 and less than 1"
        elif name in ("batch_size", "first_batch_size") and value < 2:
            wrong = "at least 2"
        elif isinstance(value, int) and not isinstance(value, bool) and value < 1:
            wrong = "at least 1"
        elif isinstance(value, tuple) and not all(isinstance(one, int) and one >= least for one in value):
            wrong = f"whole numbers of at least {least}"
        if wrong:
            raise AgentError(f"{name} is {value!r}; it must be {wrong}")
