"""What an environment can be asked for: its arguments as one record, checked in one place.

The docstring of `racer.env.TimeTrial` says what each of them means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from racer.reward import RewardFunction, VectorReward
from racer.sensors import Sensor
from racer.shelf import DEFAULTS
from racer.sim import CARS, DEFAULT, OFF, ActionSpace, Car, Randomization, Rules, Start, TrackSampler, Traffic
from racer.track import Track

TrackSource = str | Path | Track | TrackSampler
RewardSource = str | Path | Callable[[dict[str, Any]], Any] | RewardFunction | VectorReward | None
Sensors = str | Sensor | list[str | Sensor] | tuple[str | Sensor, ...]
RenderMode = Literal["human", "rgb_array"]

RENDER_MODES: tuple[RenderMode, ...] = get_args(RenderMode)


@dataclass(frozen=True)
class Opponent:
    """Who drives another car of a race.

    Attributes:
        driver: has a method `act(observations)`, as every agent of racer's, for the cars of all races at once.
        actions: what its actions mean.
        sensors: what it observes.
        drawn: whether the driver is another one from episode to episode. Then `act(observations, draws)` is given
            (n,) numbers in [0, 1) besides, one for each race, which stay the same all through its episode.
    """

    driver: Any
    actions: ActionSpace = DEFAULT
    sensors: tuple[str, ...] = ("state",)
    drawn: bool = False


class Options(TypedDict, total=False):
    """The arguments that are given by keyword alone; `Setup` has their defaults."""

    actions: ActionSpace
    sensors: Sensors
    randomization: Randomization
    penalty_s: float | None
    rules: Rules | None
    threads: int
    max_episode_steps: int | None
    render_mode: RenderMode | None
    traffic: Traffic | None
    opponents: tuple[Opponent, ...]


@dataclass(frozen=True)
class Setup:
    """Every argument of an environment but the number of its cars.

    Raises:
        ValueError: an argument makes no sense.
    """

    track: TrackSource = DEFAULTS["tracks"]
    reward_function: RewardSource = None
    car: str | Car = "deepracer"
    start: Start = "random"
    laps: int = 1
    time_limit_s: float = 180.0
    actions: ActionSpace = DEFAULT
    sensors: Sensors = ("state",)
    randomization: Randomization = OFF
    penalty_s: float | None = None
    rules: Rules | None = None
    threads: int = 1
    max_episode_steps: int | None = None
    render_mode: RenderMode | None = None
    traffic: Traffic | None = None
    opponents: tuple[Opponent, ...] = ()

    def __post_init__(self) -> None:
        """Check what no record or loader checks by itself."""
        if not isinstance(self.rules, Rules | None):
            raise ValueError(f"rules is {self.rules!r:.60}; it must be a `racer.sim.Rules`, or None")
        if self.rules is not None and self._simple_rules != Rules():
            raise ValueError("rules take the place of start, laps, time_limit_s and penalty_s; leave these out")
        if not isinstance(self.car, Car) and self.car not in tuple(CARS):
            raise ValueError(f"car is {self.car!r:.60}; it must be a `racer.sim.Car` or one of {', '.join(CARS)}")
        if not isinstance(self.actions, ActionSpace):
            raise ValueError(
                f"actions is {self.actions!r:.60}; it must be a `racer.sim.ContinuousActions()` or a "
                "`racer.sim.DiscreteActions`, for example DiscreteActions(((-30, 1.0), (0, 2.5), (30, 1.0)))"
            )
        if not isinstance(self.randomization, Randomization):
            raise ValueError(
                f"randomization is {self.randomization!r:.60}; it must be a `racer.sim.Randomization`, for example "
                "Randomization(friction=0.2)"
            )
        if not isinstance(self.traffic, Traffic | None):
            raise ValueError(f"traffic is {self.traffic!r:.60}; it must be a `racer.sim.Traffic`, or None")
        if not all(isinstance(one, Opponent) for one in self.opponents):
            raise ValueError(f"opponents are {self.opponents!r:.60}; each must be a `racer.env.Opponent`")
        if self.render_mode not in (None, *RENDER_MODES):
            raise ValueError(f"render_mode is {self.render_mode!r:.60}; it must be None, 'human' or 'rgb_array'")
        least_one = {"threads": self.threads}
        if self.max_episode_steps is not None:
            least_one["max_episode_steps"] = self.max_episode_steps
        for name, value in least_one.items():
            check_count(name, value)
        for sensor in self.chosen_sensors:
            if not (isinstance(sensor, str) or hasattr(sensor, "observe")):
                raise ValueError(
                    f"sensors hold {sensor!r:.60}; each must be a name such as 'LIDAR' or an object of `racer.sensors`"
                )

    @property
    def kind(self) -> Car:
        """The kind of car."""
        return self.car if isinstance(self.car, Car) else CARS[self.car]

    @property
    def chosen_rules(self) -> Rules:
        """The rules of the races."""
        return self._simple_rules if self.rules is None else self.rules

    @cached_property
    def _simple_rules(self) -> Rules:
        return Rules(self.start, self.laps, self.time_limit_s, penalty_s=self.penalty_s)

    @cached_property
    def chosen_sensors(self) -> tuple[str | Sensor, ...]:
        """The sensors; a single one needs no brackets."""
        return tuple(self.sensors) if isinstance(self.sensors, list | tuple) else (self.sensors,)


def check_count(name: str, value: Any) -> None:
    """Refuse what is no number of things.

    Raises:
        ValueError: it is not a whole number of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r:.60}; it must be a whole number of at least 1")
