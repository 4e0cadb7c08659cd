"""The observer of a world: what its cars observe at this moment, through all their sensors.

With randomisation observations can come late, or not at all; then the cars go on with older ones. Stacks remember what
was observed before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sensors.registry import Sensor
from racer.sensors.stack import Stack, fill, push
from racer.sensors.variation import add_noise
from racer.sim import DELAY, LOST, Randomization, World, chance, kernel, spread


class Observer:
    """The sensors of a world's cars, and what they observed last.

    Attributes:
        sensors: in the order of `values`.
        values: (n, m, *shape) for each sensor, what the cars (n, m) observe.
        is_plain: whether an observation is an array, as with the state alone; else it is a dict of arrays by sensor.
    """

    def __init__(self, world: World, sensors: tuple[Sensor, ...], randomization: Randomization | None = None) -> None:
        """Make room for what the cars of `world` observe; `observe` fills it.

        Args:
            world: whose cars observe.
            sensors: of each of them.
            randomization: of what is observed, and when; the world's own by default.
        """
        self.sensors = sensors
        self._world = world
        self.values = [np.zeros((*world.cars.shape, *sensor.shape), dtype=sensor.dtype) for sensor in sensors]
        self._names = [sensor.name for sensor in sensors]
        self.is_plain = self._names == ["state"]
        self._single = [sensor.sensor if isinstance(sensor, Stack) else sensor for sensor in sensors]
        self._newest = [
            np.zeros((*world.cars.shape, *single.shape), single.dtype) if isinstance(sensor, Stack) else values
            for sensor, single, values in zip(sensors, self._single, self.values, strict=True)
        ]
        self._stacked = [k for k, sensor in enumerate(sensors) if isinstance(sensor, Stack)]
        self._randomization = randomization = randomization or world.randomization
        delays = randomization.delay or randomization.dropped
        self._late = [_Late(values, randomization) for values in self._newest] if delays else []

    def observe(self, which: NDArray[np.bool_] | None = None) -> None:
        """Observe the world as it is now.

        Args:
            which: None once a step, for all cars; else (n,), true for the races whose episode has begun since.
        """
        world = self._world
        fresh = [np.empty_like(newest) for newest in self._newest] if self._late else self._newest
        noise = self._randomization.state_noise
        whole = which is None and world.one_track
        for races, part in ((slice(None), world),) if whole else world.by_track(which):
            for sensor, values in zip(self._single, fresh, strict=True):
                seen = values if whole else np.empty((*part.cars.shape, *sensor.shape), sensor.dtype)
                sensor.observe(part, seen)
                if noise and sensor.name == "state":
                    add_noise(seen, part.cars, noise, sensor.high)
                if not whole:
                    values[races] = seen
        for k, late in enumerate(self._late):
            late.pass_on(fresh[k], world.cars, which, self._newest[k])
        for k in self._stacked:
            self._remember(self.values[k], self._newest[k], which)

    def observed(self, race: int | slice, car: int | slice) -> Any:
        """A copy of what the cars at a place in (n, m) observe, as drivers are given it."""
        values = [values[race, car].copy() for values in self.values]
        return values[0] if self.is_plain else dict(zip(self._names, values, strict=True))

    def _remember(self, stacks: NDArray[Any], newest: NDArray[Any], which: NDArray[np.bool_] | None) -> None:
        if which is not None:
            first = stacks[which]
            fill(first, newest[which])
            stacks[which] = first
            return
        push(stacks, newest)
        begins = self._world.cars["steps"] == 1
        if begins.any():
            first = stacks[begins]
            fill(first, newest[begins])
            stacks[begins] = first


class _Late:
    """What one sensor observed in the last `delay` steps and now."""

    def __init__(self, values: NDArray[Any], randomization: Randomization) -> None:
        self._randomization = randomization
        self._kept = np.zeros((int(randomization.delay) + 1, *values.shape), values.dtype)
        self._newest = 0

    def pass_on(
        self, fresh: NDArray[Any], cars: NDArray[np.void], which: NDArray[np.bool_] | None, out: NDArray[Any]
    ) -> None:
        """Keep what is fresh, and put what is due into `out`; an episode begins with what is true."""
        kept = self._kept
        if which is not None:
            kept[:, which] = fresh[which]
            out[which] = fresh[which]
            return
        late, lost = np.zeros(cars.shape, np.int64), np.zeros(cars.shape, np.bool_)
        _draw(cars, int(self._randomization.delay), float(self._randomization.dropped), late, lost)
        before, self._newest = self._newest, (self._newest + 1) % len(kept)
        begins = cars["steps"] == 1
        kept[self._newest] = fresh
        kept[self._newest][lost] = kept[before][lost] if len(kept) > 1 else out[lost]
        kept[:, begins] = fresh[begins]
        out[:] = kept[(self._newest - late) % len(kept), *np.indices(cars.shape)]


@kernel
def _draw(cars: Any, delay: int, dropped: float, late: Any, lost: Any) -> None:
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            late[i, j] = int(0.5 * (1.0 + spread(state, j, DELAY)) * (delay + 1))
            lost[i, j] = chance(state, j, LOST) < dropped
