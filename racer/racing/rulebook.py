"""The rulebook of a race: everything that is agreed before it, as one frozen record.

Invariant: a `Rulebook` that exists makes sense, whatever it was made of. The part of it that the simulation needs is
its `rules`; who drives by the same `rules`, environment, race, replay or board, drives under the same conditions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from math import radians
from typing import TYPE_CHECKING, Any

from racer.errors import RulesError, TrackError
from racer.racing.fields import checked, choice, of, text, texts
from racer.racing.sections import Bots, Entries, Limits, Noise, Objects, Penalties, Race, Resets, Timing
from racer.shelf import DEFAULTS, did_you_mean
from racer.track import Track, load_track

if TYPE_CHECKING:
    from racer.sim import Randomization, Rules

__all__ = ["FORMAT", "Rulebook", "board_digest", "rulebook_as_json", "rulebook_from_json"]

FORMAT = "racer rules"
VERSION = 1
MOST_TRACKS = 20
TIME_TRIAL = "time-trial"
RACE_TYPES = (TIME_TRIAL, "object-avoidance", "head-to-bot", "head-to-head")


def _cars() -> tuple[str, ...]:
    from racer.sim import CARS

    return tuple(CARS)


def _sensors() -> tuple[str, ...]:
    from racer.sensors import SENSORS

    return tuple(SENSORS)


@dataclass(frozen=True)
class Rulebook:
    """The rules of a race.

    The fields' meanings are in their `metadata["about"]`, as `racer rules show` prints them.
    """

    title: str = of(text(100), "Untitled", "what the race is called, in a line")
    race_type: str = of(choice(*RACE_TYPES), TIME_TRIAL, "what kind of race it is")
    tracks: tuple[str, ...] = of(texts("tracks", MOST_TRACKS, least=1), (DEFAULTS["tracks"],), "names or files")
    direction: str = of(choice("forward", "reverse", "both"), "forward", "in which the tracks are driven")
    car: str = of(text(60), "deepracer", "the car that everybody drives")
    sensors: tuple[str, ...] = of(texts("names of sensors", 20, _sensors), (), "that are allowed; none named: all")
    race: Race = field(default_factory=Race)
    timing: Timing = field(default_factory=Timing)
    penalties: Penalties = field(default_factory=Penalties)
    resets: Resets = field(default_factory=Resets)
    limits: Limits = field(default_factory=Limits)
    noise: Noise = field(default_factory=Noise)
    objects: Objects = field(default_factory=Objects)
    bots: Bots = field(default_factory=Bots)
    entries: Entries = field(default_factory=Entries)

    def __post_init__(self) -> None:
        """Check the values, and whether they fit each other.

        Raises:
            RulesError: one of them makes no sense.
        """
        checked(self, "")
        if self.car not in _cars():
            hint = did_you_mean(self.car, _cars())
            raise RulesError(f"car is {self.car!r}; the cars are {', '.join(_cars())}.{hint}", "car")
        if self.timing.method == "average-laps" and self.timing.laps > self.race.laps:
            raise RulesError(
                f"laps in [timing] is {self.timing.laps}, but a trial has only {self.race.laps} (laps in [race]).",
                "timing.laps",
            )
        for section, race_type in (("objects", "object-avoidance"), ("bots", "head-to-bot")):
            count = getattr(self, section).count
            if self.race_type == TIME_TRIAL and count:
                raise RulesError(
                    f"count in [{section}] is {count}, but a time trial has none; race_type would be {race_type!r}.",
                    f"{section}.count",
                )
            if self.race_type == race_type and not count:
                raise RulesError(
                    f"count in [{section}] is 0, but race_type is {race_type!r}; it must be at least 1.",
                    f"{section}.count",
                )

    @cached_property
    def rules(self) -> Rules:
        """What the simulation needs of it: the rules of each trial's episode.

        Raises:
            RulesError: races of this type cannot be driven yet.
        """
        from racer.sim import Rules

        if self.race_type != TIME_TRIAL:
            raise RulesError(
                f"race_type is {self.race_type!r}: such races cannot be driven with this version of racer yet; only "
                f"{TIME_TRIAL!r} can.",
                "race_type",
            )
        race, limits, most = self.race, self.limits, self.resets.most
        return Rules(
            start=race.place,  # type: ignore[arg-type]
            laps=race.laps + self.warm_up_laps,
            time_limit_s=race.time_limit_s,
            still_m=limits.immobilized_m,
            immobilized_steps=limits.immobilized_steps,
            reversed_steps=limits.reversed_steps,
            resets=most or None,
            penalty_s=None if most == 0 else self.penalties.off_track_s,
        )

    @property
    def warm_up_laps(self) -> int:
        """Laps of a trial that do not count, before those that do: 1 with a flying start."""
        return int(self.race.start == "flying")

    @cached_property
    def randomization(self) -> Randomization:
        """The noise, as the simulation takes it."""
        from racer.sim import Randomization

        noise = self.noise
        return Randomization(
            start_offset_m=noise.start_offset_m,
            start_heading=radians(noise.start_heading_deg),
            state_noise=noise.state,
            lidar_noise_m=noise.lidar_m,
            pixel_noise=noise.pixels,
        )

    def courses(self) -> list[Track]:
        """The tracks, each in the direction or directions in which it is driven.

        Raises:
            ShelfError, TrackError: a track does not exist, or cannot be raced.
        """
        found: list[Track] = []
        for name in self.tracks:
            track = load_track(name)
            if not track.closed:
                raise TrackError(f"{name}: this track is open; races take closed tracks")
            ways = {"forward": (track,), "reverse": (track.reverse(),), "both": (track, track.reverse())}
            found += ways[self.direction]
        return found

    def allows(self, sensors: tuple[str, ...]) -> bool:
        """Whether a driver may observe by these sensors, given as `racer.sensors.make_sensors` takes them."""
        return not self.sensors or {one.split(":", 1)[0] for one in sensors} <= set(self.sensors)


SECTIONS: Mapping[str, Any] = {
    one.name: one.default_factory for one in dataclasses.fields(Rulebook) if "kind" not in one.metadata
}
"""The classes of the sections by their names."""


def rulebook_as_json(rulebook: Rulebook) -> dict[str, Any]:
    """A rulebook as JSON holds it, for `rulebook_from_json`; documented in docs/rules.md."""
    data: dict[str, Any] = _plain(dataclasses.asdict(rulebook))
    return {"format": FORMAT, "version": VERSION, **data}


def rulebook_from_json(data: Any) -> Rulebook:
    """The rulebook that `rulebook_as_json` wrote, or a TOML file holds; what it leaves out has its default.

    Raises:
        RulesError: it is no rulebook; `key` says which part of it is wrong.
    """
    if not isinstance(data, Mapping):
        raise RulesError(f"it is no rulebook: it must be an object, not {data!r:.60}")
    given = dict(data)
    if given.pop("format", FORMAT) != FORMAT:
        raise RulesError(f"format is {data['format']!r:.60}; it must be {FORMAT!r}", "format")
    if given.pop("version", VERSION) != VERSION:
        raise RulesError(f"version is {data['version']!r:.60}; this racer reads version {VERSION}", "version")
    _refuse_unknown(given, [one.name for one in dataclasses.fields(Rulebook)], "")
    for name, made in SECTIONS.items():
        if name in given:
            inside = given[name]
            if not isinstance(inside, Mapping):
                raise RulesError(f"{name} is {inside!r:.60}; it must be a section, [{name}]", name)
            _refuse_unknown(inside, [one.name for one in dataclasses.fields(made)], name)
            given[name] = made(**inside)
    return Rulebook(**given)


def board_digest(rulebook: Rulebook) -> str:
    """SHA-256 of what decides the races: the rules, the shape of the tracks, and the car's constants.

    Two rulebooks with the same digest are the same competition, whatever their titles, whatever their tracks' files are
    called, and whoever may enter until when. It does not cover the physics, which belongs to each entry.

    Raises:
        ShelfError, TrackError: a track does not exist, or cannot be raced.
    """
    from racer.sim import CARS

    data = rulebook_as_json(rulebook)
    for key in ("title", "entries", "direction"):
        del data[key]
    data["tracks"] = [track.digest for track in rulebook.courses()]
    data["car"] = {name: value for name, value in dataclasses.asdict(CARS[rulebook.car]).items() if name != "name"}
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _refuse_unknown(given: Mapping[Any, Any], known: list[str], section: str) -> None:
    for key in given:
        if key in known:
            continue
        where, what = (f" in [{section}]", "fields") if section else ("", "fields and sections")
        hint = did_you_mean(str(key), known)
        homes = [name for name, made in SECTIONS.items() if key in {one.name for one in dataclasses.fields(made)}]
        if not hint and homes:
            hint = f" It belongs in [{homes[0]}]."
        full = f"{section}.{key}" if section else str(key)
        raise RulesError(f"there is no {str(key)!a:.60}{where}.{hint} The {what} are {', '.join(known)}.", full)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case tuple():
            return list(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return value
