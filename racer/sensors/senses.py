"""The senses of the cars of a world: what they perceive at this moment, through all their sensors.

With randomisation perceptions can come late, or not at all; then the cars go on with older ones. Stacks remember what
was perceived before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sensors.sensors import Sensor
from racer.sensors.stack import Stack, fill, push
from racer.sensors.variation import add_noise
from racer.sim import DELAY, LOST, Randomization, World, chance, kernel, randomization_of, spread


class Senses:
    """Sensors, and what they told last.

    Attributes:
        sensors: in the order of `values`.
        values: (n, m, *shape) for each sensor, what the cars (n, m) perceive.
    """

    def __init__(self, world: World, sensors: tuple[Sensor, ...]) -> None:
        """Make room for what the cars of `world` perceive; `observe` fills it."""
        self.sensors = sensors
        self._world = world
        self.values = [np.zeros((*world.cars.shape, *sensor.shape), dtype=sensor.dtype) for sensor in sensors]
        self._single = [sensor.sensor if isinstance(sensor, Stack) else sensor for sensor in sensors]
        self._newest = [
            np.zeros((*world.cars.shape, *single.shape), single.dtype) if isinstance(sensor, Stack) else values
            for sensor, single, values in zip(sensors, self._single, self.values, strict=True)
        ]
        varies = randomization_of(world)
        self._late = [_Late(values, varies) for values in self._newest] if varies.delay or varies.dropped else []

    def observe(self, which: NDArray[np.bool_] | None = None) -> None:
        """Perceive the world as it is now, once a step: with all cars, or with those of races that began anew since."""
        world = self._world if which is None else self._world.only(which)
        for k, sensor in enumerate(self._single):
            newest = self._newest[k]
            whole = which is None and not self._late
            fresh = newest if whole else np.empty((*world.cars.shape, *sensor.shape), sensor.dtype)
            for races, part in world.parts():
                seen = fresh[races]
                sensor.observe(part, seen)
                if not isinstance(races, slice):  # then it is a copy
                    fresh[races] = seen
            noise = randomization_of(world).state_noise
            if noise and sensor.name == "state":
                add_noise(fresh, world.cars, noise, sensor.high)
            if self._late:
                self._late[k].pass_on(fresh, world.cars, which, newest)
            elif which is not None:
                newest[which] = fresh
            if isinstance(self.sensors[k], Stack):
                self._remember(self.values[k], newest, which)

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
    """One sensor's newest perceptions, `delay` steps back and more."""

    def __init__(self, values: NDArray[Any], varies: Randomization) -> None:
        self._varies = varies
        self._kept = np.zeros((int(varies.delay) + 1, *values.shape), values.dtype)
        self._newest = 0

    def pass_on(
        self, fresh: NDArray[Any], cars: NDArray[np.void], which: NDArray[np.bool_] | None, out: NDArray[Any]
    ) -> None:
        """Keep what is fresh, and tell what is due; an episode begins with what is true."""
        kept = self._kept
        if which is not None:
            kept[:, which] = fresh
            out[which] = fresh
            return
        late, lost = np.zeros(cars.shape, np.int64), np.zeros(cars.shape, np.bool_)
        _draw(cars, int(self._varies.delay), float(self._varies.dropped), late, lost)
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
