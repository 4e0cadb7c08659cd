"""The sections of a rulebook: each is a frozen record whose fields say what they may be and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from racer.errors import RulesError
from racer.racing.fields import checked, choice, flag, maybe, moment, number, of, texts, whole

__all__ = [
    "METHODS",
    "Bots",
    "Entries",
    "Limits",
    "Noise",
    "Objects",
    "Penalties",
    "Race",
    "Resets",
    "Timing",
]

WHEN = maybe(moment(), None)
METHODS = ("best-lap", "average-laps", "total-time")


@dataclass(frozen=True)
class Race:
    """How often and how far is driven, and from where."""

    trials: int = of(whole(1, 100), 1, "attempts on each track, each with a start of its own")
    laps: int = of(whole(1, 999), 3, "of each trial that count")
    start: str = of(choice("standing", "flying"), "standing", "flying: one more lap is driven before those that count")
    place: str = of(choice("line", "random"), "line", "where trials start: on the line, or anywhere")
    seeds: int = of(whole(1, 99), 5, "races that a model drives, a seed each; the middle time of them counts")
    time_limit_s: float = of(number(1.0, 1e6, "s"), 180.0, "simulated time that a trial has")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "race")


@dataclass(frozen=True)
class Timing:
    """What the official time is."""

    method: str = of(choice(*METHODS), METHODS[0], "what counts: the best lap, the best mean of laps in a row, the sum")
    laps: int = of(whole(1, 999), 3, "in a row that are averaged, for average-laps alone")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "timing")


@dataclass(frozen=True)
class Penalties:
    """What mistakes cost: simulated time that passes while the car is held, within the lap."""

    off_track_s: float = of(number(0.0, 60.0, "s"), 5.0, "for leaving the track, and for driving backwards")
    crash_s: float = of(number(0.0, 60.0, "s"), 5.0, "for running into something")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "penalties")


@dataclass(frozen=True)
class Resets:
    """Whether a car that made a mistake is put back on the track."""

    most: int | None = of(maybe(whole(0, 10**6)), 0, "resets in a trial; the mistake after the last one ends it")
    where: str = of(choice("nearer-lane"), "nearer-lane", "on the middle of the nearer lane, where it left the road")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "resets")


@dataclass(frozen=True)
class Limits:
    """When a car counts as standing still, and as driving backwards."""

    immobilized_m: float = of(number(0.0, 1.0, "m"), 0.0003, "a car that moves no farther in a step stands still")
    immobilized_steps: int = of(whole(1, 10**6), 15, "steps in a row without moving that are a mistake")
    reversed_steps: int = of(whole(1, 10**6), 15, "steps in a row with falling progress that are a mistake")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "limits")


@dataclass(frozen=True)
class Noise:
    """What makes one trial differ from the next when racer runs them: drawn from a seed, for each trial anew."""

    start_offset_m: float = of(number(0.0, 1.0, "m"), 0.05, "how far beside the line's middle a car may start")
    start_heading_deg: float = of(number(0.0, 90.0, "degrees"), 2.0, "how far it may face to a side there")
    state: float = of(number(0.0, 1.0), 0.01, "standard deviation of every number of the state sensor")
    lidar_m: float = of(number(0.0, 1.0, "m"), 0.01, "standard deviation of every LIDAR beam")
    pixels: float = of(number(0.0, 127.0, "levels"), 2.0, "standard deviation of every pixel, of 255 levels")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "noise")


@dataclass(frozen=True)
class Objects:
    """Boxes on the track, for object avoidance."""

    count: int = of(whole(0, 100), 0, "boxes on the track")
    random: bool = of(flag(), False, "whether each trial has them in other places")
    gap_m: float = of(number(0.0, 100.0, "m"), 2.0, "the least distance between two of them")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "objects")


@dataclass(frozen=True)
class Bots:
    """Bot cars on the track, for head-to-bot races."""

    count: int = of(whole(0, 100), 0, "bot cars on the track")
    speed_mps: float = of(number(0.0, 10.0, "m/s"), 0.2, "how fast they drive")
    lane_changes: bool = of(flag(), False, "whether they change lanes")

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "bots")


@dataclass(frozen=True)
class Entries:
    """Who may enter what, and when; it has no influence on how a race is driven."""

    kinds: tuple[str, ...] = of(
        texts("kinds", 2, lambda: ("replay", "model"), 1), ("replay", "model"), "what can be entered"
    )
    most_per_driver: int | None = of(maybe(whole(1, 10**6)), None, "entries that a driver may make")
    allow_copies: bool = of(flag(), False, "whether the same drive may be entered under another name")
    opens: datetime | None = of(WHEN, None, "when the board opens; left out: it is open")  # noqa: RUF009
    closes: datetime | None = of(WHEN, None, "when it closes; left out: never")  # noqa: RUF009

    def __post_init__(self) -> None:
        """Check the values."""
        checked(self, "entries")
        if self.opens is not None and self.closes is not None and self.opens >= self.closes:
            raise RulesError(
                f"closes in [entries] is {self.closes.isoformat()}, which is not after opens, "
                f"{self.opens.isoformat()}; choose a later time.",
                "entries.closes",
            )
