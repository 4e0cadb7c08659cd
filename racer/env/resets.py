"""What `reset` is given: seeds and a mask, in every form in which Gymnasium's users give them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

Seeds = int | Sequence[int | None] | NDArray[np.integer[Any]] | None


def one_seed(seed: Any) -> int | None:
    """A seed as Gymnasium takes it: a Python integer, or None.

    Raises:
        ValueError: it is neither.
    """
    try:
        return None if seed is None else index(seed)
    except TypeError:
        raise ValueError(f"the seed is {seed!r:.60}; it must be a whole number or None") from None


def seeds_of(seed: Any, count: int) -> list[int | None]:
    """A seed for each of `count` cars; None for a car that goes on to its next episode.

    Args:
        seed: None, a whole number for the first car, from which the others count on, or a sequence with one or None
            for each car.
        count: of cars.

    Raises:
        ValueError: it is none of these.
    """
    if seed is None:
        return [None] * count
    if isinstance(seed, list | tuple) or (isinstance(seed, np.ndarray) and seed.ndim):
        try:
            seeds = [one_seed(each) for each in seed]
        except ValueError:
            seeds = []
        if len(seeds) != count or any(each is not None and each < 0 for each in seeds):
            known = f"{count} whole numbers of at least 0, or None, one a car"
            raise ValueError(f"seeds must be {known}, not {list(seed)!r:.80}")
        return seeds
    first = one_seed(seed)
    return [None if first is None else first + i for i in range(count)]


def mask_of(options: dict[str, Any] | None, count: int, first: bool) -> NDArray[np.bool_] | None:
    """Which cars a reset is for: `options["reset_mask"]`, or None for all of them.

    Args:
        options: of the reset.
        count: of cars.
        first: whether there was no reset yet.

    Raises:
        ValueError: it is no array of one truth value a car, or true for none.
        ResetNeeded: the first reset is not for all cars.
    """
    given = (options or {}).get("reset_mask")
    if given is None:
        return None
    mask = np.asarray(given)
    if mask.shape != (count,) or mask.dtype != np.bool_ or not mask.any():
        raise ValueError(
            f"options['reset_mask'] is {given!r:.80}; it must be {count} truth values, one a car, and true for one "
            "or more"
        )
    if first and not mask.all():
        raise ResetNeeded("the first reset() is for all cars; leave out the reset_mask")
    return mask
