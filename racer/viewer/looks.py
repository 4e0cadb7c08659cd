"""Looks: what a playback begins with, and what is known of the reward function beside the replay."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["USUAL", "Looks"]


@dataclass(frozen=True)
class Looks:
    """What is shown at first; keys change it in the window.

    Attributes:
        camera: the picture of a camera and the beams of a LIDAR on the car in focus.
        params: what the reward function is given at each instant.
        heat: a map of the drive on the road: one of `racer.replay.HEAT_MAPS`, or empty for none.
        reads: the keys of `params` that the reward function reads, where they are known.
    """

    camera: bool = False
    params: bool = False
    heat: str = ""
    reads: frozenset[str] = frozenset()


USUAL = Looks()
