"""The tracks of a run, as its folder keeps them: what is trained on later is what was trained on first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racer.errors import RacerError, RunError
from racer.track import Track, track_from_arrays

__all__ = ["track_of", "tracks_text"]

LINES = ("center", "inner", "outer")


def tracks_text(tracks: Sequence[Track]) -> str:
    """The content of `track.json`: one track, or a list of several."""
    kept = [
        {"name": track.name, "reversed": track.reversed, "about": dict(track.metadata)}
        | {key: getattr(track, key).tolist() for key in LINES}
        for track in tracks
    ]
    return json.dumps(kept[0] if len(kept) == 1 else kept)


def track_of(path: Path, data: Any) -> Track:
    """A track as a file at `path` holds it.

    Raises:
        RunError, TrackError: it is damaged.
    """
    try:
        about = {str(key): str(value) for key, value in data["about"].items()}
        lines = [np.array(data[key], dtype=np.float64) for key in LINES]
        return track_from_arrays(str(data["name"]), *lines, reversed=bool(data["reversed"]), **about)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
        if isinstance(wrong, RacerError):
            raise
        raise RunError(f"{path} is damaged: {wrong}") from wrong
