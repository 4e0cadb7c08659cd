"""A race without what can be computed: its commands, rules and seed, a tenth of a replay.

Track and car are not in it: who keeps many races of them keeps these once.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np

from racer.errors import ReplayError
from racer.replay.header import rules_from_header
from racer.replay.record import STEP_DTYPE, Drive, Replay
from racer.replay.tensors import DamagedError, pack, unpack
from racer.replay.verification import drive_again

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["commands_of", "replay_from_commands"]

HEADER = "racer-commands"
COLUMNS = ("steering_command_deg", "speed_command", "restart")


def commands_of(replay: Replay) -> bytes:
    """What it takes to drive a race of one car again, on its track and with its car."""
    header = {
        "rules": dataclasses.asdict(replay.rules),
        "seed": replay.seed,
        "driver": replay.driver,
        "created": replay.created,
    }
    return pack({HEADER: json.dumps(header)}, {name: replay.steps[name] for name in COLUMNS})


def replay_from_commands(data: bytes, track: Track, car: Car) -> Replay:
    """Drive a race again.

    Args:
        data: what `commands_of` gave.
        track, car: on and with which it was driven.

    Returns:
        The race as it comes out with this racer's physics.

    Raises:
        ReplayError: the data is damaged, or the race cannot be driven here.
    """
    try:
        metadata, arrays = unpack(data)
        header = json.loads(metadata[HEADER])
        steps = np.zeros(len(arrays[COLUMNS[0]]), STEP_DTYPE)
        for name in COLUMNS:
            steps[name] = arrays[name]
        drive = Drive(str(header["driver"]), "", (), steps)
        hollow = Replay(
            track, car, (drive,), int(header["seed"]), str(header["created"]), "", rules=rules_from_header(header)
        )
    except (DamagedError, ValueError, LookupError, TypeError) as error:
        raise ReplayError(f"the commands of a drive are damaged: {error!s:.100}") from error
    return drive_again(hollow)
