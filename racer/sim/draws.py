"""Random numbers: each depends on its race's seed, its episode and what it is for, and on nothing else.

So a car in a batch meets exactly what it meets alone, and nothing has to be remembered from step to step.
"""

from __future__ import annotations

from math import cos, log, pi, sqrt
from typing import Any

import numpy as np

from racer.sim.compiled import kernel

# Draws below `EPISODE` decide where cars start; those of an episode come before those of its steps.
EPISODE, DRAWS = 1 << 20, 64
STEP, STEP_DRAWS, CARS_AT_MOST = 1 << 30, 1 << 12, 1 << 8
FRICTION, MASS, LAG, OFFSET, TURN, DELAY, TRIM, BATTERY, THROTTLE, RATE = range(10)  # draws of an episode
PICTURE = 16  # the first draw of an episode's camera
LOST, BEAMS, ENTRIES, PIXELS, TEXTURE = 0, 16, 1024, 2048, 2064  # the first draws of a step


@kernel
def uniform(seed: int, episode: int, draw: int) -> float:
    """A number in [0, 1) that depends on its three counters alone (SplitMix64, Steele et al. 2014, applied twice)."""
    z = _mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    z = _mix(z ^ (np.uint64(episode) * np.uint64(0xD1B54A32D192ED03) + np.uint64(draw) + np.uint64(1)))
    return float(z >> np.uint64(11)) * 2.0**-53


@kernel
def spread(state: Any, car: int, draw: int) -> float:
    """A number in [-1, 1) that stays the same all through an episode; `car` is its number in the race."""
    return 2.0 * uniform(state.seed, state.episode, EPISODE + DRAWS * car + draw) - 1.0


@kernel
def varied(ranges: Any, state: Any, car: int, draw: int) -> float:
    """The same for what `ranges` (`Randomization.constants`) vary, of which the share `ends` is -1 or 1."""
    at: float = min(1.0, max(-1.0, spread(state, car, draw) / (1.0 - ranges.ends)))
    return at


@kernel
def chance(state: Any, car: int, draw: int) -> float:
    """A number in [0, 1) that is another one at each step; `draw` is below `STEP_DRAWS`."""
    return uniform(state.seed, state.episode, STEP + STEP_DRAWS * (CARS_AT_MOST * state.steps + car) + draw)


@kernel
def gauss(state: Any, car: int, draw: int) -> float:
    """A number of mean 0 and standard deviation 1 at each step; it takes the draws `draw` and `draw + 1`."""
    return sqrt(-2.0 * log(1.0 - chance(state, car, draw))) * cos(2.0 * pi * chance(state, car, draw + 1))


@kernel
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
