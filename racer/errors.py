"""The errors a user can cause, one class for each kind of input.

Invariant: every message stands alone. It names the file, the line or row, the value and the next step, so
that the command line can print it as it is, without a traceback. A bug in racer is never a `RacerError`.
"""

__all__ = [
    "AgentError",
    "DeepRacerError",
    "FileError",
    "LeaderboardError",
    "LogError",
    "ModelError",
    "RacerError",
    "ReplayError",
    "RewardError",
    "RulesError",
    "RunError",
    "SensorError",
    "ShelfError",
    "TrackError",
]


class RacerError(Exception):
    """Base of every error that a user can cause and mend; the command line prints it and exits with 1."""


class FileError(RacerError, OSError):
    """A file or folder that cannot be read or written: missing, read-only, disk full."""


class ShelfError(RacerError, ValueError):
    """A name that no shelf holds, or a shelf that does not exist."""


class TrackError(RacerError, ValueError):
    """A track file that cannot be driven; names the row that is wrong."""


class RewardError(RacerError, ValueError):
    """A reward function that cannot be loaded, raises, hangs, or returns something that is not a reward."""


class AgentError(RacerError, ValueError):
    """An agent file that cannot be loaded, or a driver whose actions make no sense."""


class SensorError(RacerError, ValueError):
    """A sensor that cannot be built, or a list of sensors that contradicts itself."""


class RulesError(RacerError, ValueError):
    """A rulebook that cannot be read, contradicts itself, or cannot be raced by yet.

    Attributes:
        key: what is wrong in it, such as `"race.laps"`; empty where it is no single value.
    """

    def __init__(self, message: str, key: str = "") -> None:
        """Keep the key, for a reader that knows the line."""
        super().__init__(message)
        self.key = key


class RunError(RacerError, ValueError):
    """A run folder that is missing, incomplete, or belongs to another race."""


class ReplayError(RacerError, ValueError):
    """A replay file that is damaged, or whose actions do not lead to its states."""


class LeaderboardError(RacerError, ValueError):
    """A leaderboard that cannot be opened, or an entry that it refuses."""


class ModelError(RacerError, ValueError):
    """A model file that cannot be read or driven by, or a driver that cannot be exported as one."""


class LogError(RacerError, ValueError):
    """A DeepRacer log that cannot be read, or that was written on another track."""


class DeepRacerError(RacerError, ValueError):
    """A settings file of DeepRacer's that cannot be read, or that asks for what does not exist."""
