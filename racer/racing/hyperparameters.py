"""Hyperparameters by name: what an agent file has, read from text and checked against its own values."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from racer.errors import AgentError
from racer.shelf import did_you_mean

__all__ = ["Hyperparameters", "checked_hyperparameters", "hyperparameters_of", "parse_hyperparameters"]

Hyperparameters = Mapping[str, Any]
"""Numbers, texts, and tuples of numbers by name."""


def parse_hyperparameters(settings: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Read settings such as `n_epochs=8`, `gamma=0.97` or `net_arch=128,128`.

    Raises:
        AgentError: one is no setting, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not name.isidentifier() or not value:
            raise AgentError(f"{setting!r:.80} is no setting; write --set NAME=VALUE, such as --set n_epochs=8")
        if name in found:
            raise AgentError(f"{name} is set twice; set it once")
        numbers = [_number(part.strip()) for part in value.removesuffix(",").split(",")]
        if any(number is None for number in numbers):
            found[name] = value
        else:
            found[name] = tuple(numbers) if "," in value else numbers[0]
    return found


def hyperparameters_of(agent: type[Any]) -> dict[str, Any] | None:
    """The hyperparameters of a class `Agent` and their values.

    They are what its `defaults()` gives, or else the keyword arguments that it takes beside `env`, `seed` and
    `device`. None: it takes any.
    """
    if callable(getattr(agent, "defaults", None)):
        return dict(agent.defaults())
    taken = inspect.signature(agent).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in taken):
        return None
    named = [one for one in taken if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    return {
        one.name: None if one.default is one.empty else one.default
        for one in named
        if one.name not in ("env", "seed", "device")
    }


def checked_hyperparameters(given: Hyperparameters, own: Hyperparameters, who: str) -> dict[str, Any]:
    """Values of the kinds that an agent's own have: whole numbers, numbers, texts or tuples of numbers.

    Args:
        given: by name; numbers in a list or alone where a tuple belongs are taken for one.
        own: the agent's hyperparameters, as `hyperparameters_of` gives them; of a None any value is taken.
        who: whose they are, for messages.

    Raises:
        AgentError: there is no such hyperparameter, or its value is of another kind.
    """
    checked = {}
    for name, value in given.items():
        if name not in own:
            known = f"it has {', '.join(own)}" if own else "it has none: its Agent takes no further arguments"
            raise AgentError(
                f"{who} has no hyperparameter {name!r}.{did_you_mean(name, own)} {known[0].upper()}{known[1:]}"
            )
        checked[name] = _like(value, own[name], f"{who}: {name}")
    return checked


def _like(value: Any, own: Any, what: str) -> Any:
    """`value` as the kind that `own` is."""
    if isinstance(value, list):
        value = tuple(value)
    if own is None:
        return value
    if isinstance(own, tuple):
        values = value if isinstance(value, tuple) else (value,)
        kind = own[0] if own else 0
        return tuple(_like(one, kind, what) for one in values)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if isinstance(own, bool):
        if isinstance(value, bool) or value in (0, 1, "true", "false"):
            return value not in (0, False, "false")
        raise AgentError(f"{what} is {value!r:.40}; it must be true or false")
    if isinstance(own, int):
        if number and float(value).is_integer():
            return int(value)
        raise AgentError(f"{what} is {value!r:.40}; it must be a whole number, such as {own}")
    if isinstance(own, float):
        if number:
            return float(value)
        raise AgentError(f"{what} is {value!r:.40}; it must be a number, such as {own:g}")
    if isinstance(own, str) and not isinstance(value, str):
        raise AgentError(f"{what} is {value!r:.40}; it must be a text, such as {own!r}")
    return value


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
