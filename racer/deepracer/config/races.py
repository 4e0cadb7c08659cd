"""What DeepRacer's files say of boxes and bot cars, as racer's traffic; and what becomes of each of these settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from racer.errors import DeepRacerError
from racer.shelf import Section
from racer.sim import Bots, Boxes, Place, Traffic

__all__ = ["RACE_NAMES", "read_traffic"]

RACE_NAMES: Mapping[str, str] = {
    "NUMBER_OF_OBSTACLES": "DR_OA_NUMBER_OF_OBSTACLES",
    "MIN_DISTANCE_BETWEEN_OBSTACLES": "DR_OA_MIN_DISTANCE_BETWEEN_OBSTACLES",
    "RANDOMIZE_OBSTACLE_LOCATIONS": "DR_OA_RANDOMIZE_OBSTACLE_LOCATIONS",
    "IS_OBSTACLE_BOT_CAR": "DR_OA_IS_OBSTACLE_BOT_CAR",
    "OBJECT_POSITIONS": "DR_OA_OBJECT_POSITIONS",
    "NUMBER_OF_BOT_CARS": "DR_H2B_NUMBER_OF_BOT_CARS",
    "BOT_CAR_SPEED": "DR_H2B_BOT_CAR_SPEED",
    "MIN_DISTANCE_BETWEEN_BOT_CARS": "DR_H2B_MIN_DISTANCE_BETWEEN_BOT_CARS",
    "RANDOMIZE_BOT_CAR_LOCATIONS": "DR_H2B_RANDOMIZE_BOT_CAR_LOCATIONS",
    "IS_LANE_CHANGE": "DR_H2B_IS_LANE_CHANGE",
    "LOWER_LANE_CHANGE_TIME": "DR_H2B_LOWER_LANE_CHANGE_TIME",
    "UPPER_LANE_CHANGE_TIME": "DR_H2B_UPPER_LANE_CHANGE_TIME",
    "LANE_CHANGE_DISTANCE": "DR_H2B_LANE_CHANGE_DISTANCE",
    "PENALTY_SECONDS": "DR_H2B_BOT_CAR_PENALTY",
}
"""deepracer-for-cloud's variable for each key of the YAML file that tells of boxes and bot cars."""


def read_traffic(section: Section, race_type: str, key: Mapping[str, str]) -> Traffic | None:
    """The traffic that a settings' file asks for; None for races that have none.

    Args:
        section: the file.
        race_type: one of the original's.
        key: what each key of `RACE_NAMES` is called in the file.

    Raises:
        DeepRacerError: a value makes no sense.
    """
    try:
        if race_type == "OBJECT_AVOIDANCE":
            return Traffic(_boxes(section, key))
        if race_type == "HEAD_TO_BOT":
            return Traffic(bots=_bots(section, key))
    except ValueError as wrong:
        raise DeepRacerError(f"{section.where}: {wrong}") from wrong
    return None


def _boxes(section: Section, key: Mapping[str, str]) -> Boxes:
    as_cars = section.flag(key["IS_OBSTACLE_BOT_CAR"], False)
    drawn = section.flag(key["RANDOMIZE_OBSTACLE_LOCATIONS"], False)
    places = section.text(key["OBJECT_POSITIONS"], "")
    if places and not drawn:
        return Boxes(places=tuple(_places(section, key["OBJECT_POSITIONS"], places)), as_cars=as_cars)
    gap = section.number(key["MIN_DISTANCE_BETWEEN_OBSTACLES"], 2.0, 0.0, 100.0)
    return Boxes(section.whole(key["NUMBER_OF_OBSTACLES"], 6, 0, 200), drawn=drawn, gap_m=gap, as_cars=as_cars)


def _places(section: Section, key: str, text: str) -> Iterator[Place]:
    """Pairs of a share of the lap and a lane: -1 is the outer one, any other number the inner one."""
    for pair in text.split(";"):
        words = pair.strip(" []()\"'").split(",")
        try:
            share, lane = map(float, words)
            if not (isfinite(share) and isfinite(lane)):
                raise ValueError
        except ValueError:
            section.refuse(key, pair, 'it must be pairs such as "0.23,-1;0.46,1", the share of a lap and the lane')
        yield Place(share % 1.0, "outer" if lane == -1.0 else "inner")


def _bots(section: Section, key: Mapping[str, str]) -> Bots:
    times = [
        section.number(key[name], usual, 0.1, 1000.0)
        for name, usual in (("LOWER_LANE_CHANGE_TIME", 3.0), ("UPPER_LANE_CHANGE_TIME", 5.0))
    ]
    return Bots(
        section.whole(key["NUMBER_OF_BOT_CARS"], 3, 0, 200),
        section.number(key["BOT_CAR_SPEED"], 0.2, 0.0, 10.0),
        section.flag(key["RANDOMIZE_BOT_CAR_LOCATIONS"], False),
        section.number(key["MIN_DISTANCE_BETWEEN_BOT_CARS"], 2.0, 0.5, 100.0),
        section.flag(key["IS_LANE_CHANGE"], False),
        (times[0], times[1]),
        section.number(key["LANE_CHANGE_DISTANCE"], 1.0, 0.1, 100.0),
        section.number(key["PENALTY_SECONDS"], 5.0, 0.0, 60.0),
    )
