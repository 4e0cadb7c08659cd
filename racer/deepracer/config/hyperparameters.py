"""`hyperparameters.json`: how DeepRacer was to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from racer.deepracer.config.documents import Source, json_of
from racer.errors import DeepRacerError
from racer.shelf import Section

__all__ = ["ALLOWED", "SQUARED", "Hyperparameters", "read_hyperparameters"]

SQUARED = "mean squared error"


@dataclass(frozen=True)
class Hyperparameters:
    """What `hyperparameters.json` says; the defaults are the original's for keys that a file lacks."""

    batch_size: int = 64
    num_epochs: int = 10
    lr: float = 3e-4
    beta_entropy: float = 0.01
    discount_factor: float = 0.999
    loss_type: str = SQUARED
    num_episodes_between_training: int = 20
    exploration_type: str = "categorical"
    e_greedy_value: float = 0.05
    epsilon_steps: int = 10000
    stack_size: int = 1
    term_cond_max_episodes: int = 100000
    term_cond_avg_score: float = 100000.0
    sac_alpha: float = 0.2

    @property
    def effective(self) -> dict[str, Any]:
        """What takes effect, by name: any other loss than `huber` is the mean squared error."""
        return self.as_json() | ({} if self.loss_type == "huber" else {"loss_type": SQUARED})

    def as_json(self) -> dict[str, Any]:
        """The file's content; `read_hyperparameters` reads the same record from it."""
        return asdict(self)


ALLOWED: Mapping[str, tuple[float, float]] = {
    "batch_size": (1, 1_000_000),
    "num_epochs": (1, 100),
    "lr": (0.0, 1.0),
    "beta_entropy": (0.0, 1.0),
    "discount_factor": (0.0, 1.0),
    "num_episodes_between_training": (1, 100_000),
    "e_greedy_value": (0.0, 1.0),
    "epsilon_steps": (0, inf),
    "stack_size": (1, 1000),
    "term_cond_max_episodes": (1, inf),
    "term_cond_avg_score": (-inf, inf),
    "sac_alpha": (0.0, 1.0),
}
"""Least and most of each number; the console's form was narrower (3 to 10 epochs, say)."""


def read_hyperparameters(source: Source) -> Hyperparameters:
    """Read hyperparameters as the original does: cast, missing ones defaulted, unknown ones not looked at.

    Args:
        source: the file.

    Raises:
        DeepRacerError: it cannot be read, is no JSON, or a value makes no sense.
    """
    path, data = json_of(source)
    if not isinstance(data, Mapping):
        raise DeepRacerError(f'{path}: these are no hyperparameters; it must be an object such as {{"batch_size": 64}}')
    section = Section(str(path), data)
    return Hyperparameters(
        **{field.name: _value(section, field.name, field.default) for field in fields(Hyperparameters)}
    )


def _value(section: Section, key: str, default: Any) -> Any:
    if isinstance(default, str):
        return section.text(key, default)
    low, high = ALLOWED[key]
    if isinstance(default, int):
        return section.whole(key, default, low, high)
    return section.number(key, default, low, high)
