"""Where public files of DeepRacer's lie beside a checkout: its own tracks, and logs of the original simulator."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
ROUTES = sorted((SHARED / "tracks").glob("*.npy"))
MISSING = "public data is missing"
"""Begins the reason for every skip of a test that needs them, so that the end of a run can count those."""

needs_routes = pytest.mark.skipif(not ROUTES, reason=f"{MISSING}: DeepRacer's own tracks")


def public(path: Path) -> Path:
    """A public file or folder; skips the test where it is not."""
    if not path.exists():
        pytest.skip(f"{MISSING}: {path}")
    return path
