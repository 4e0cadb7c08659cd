"""What several tests share: every closed track there is, and logs of the original simulator."""

from pathlib import Path

import pytest
from hypothesis import settings

from racer import shelf
from racer.track import Track, load_track

SHARED = Path(__file__).resolve().parents[2] / "shared"
ROUTES = sorted((SHARED / "tracks").glob("*.npy"))

# Machines differ in speed, and the first example may wait for the compiler.
settings.register_profile("racer", deadline=None)
settings.load_profile("racer")


def _courses():
    yield from (pytest.param(name, id=name) for name in shelf.names("tracks"))
    if not ROUTES:
        missing = f"DeepRacer's own tracks are not here ({SHARED / 'tracks'}/*.npy)"
        yield pytest.param(None, id="routes", marks=pytest.mark.skip(reason=missing))
    for path in ROUTES:
        if load_track(path).closed:
            yield pytest.param(path, id=path.stem)


@pytest.fixture(scope="session", params=_courses())
def course(request) -> Track:
    """Every closed track, one after the other: those of the shelf, and DeepRacer's own."""
    return load_track(request.param)


@pytest.fixture(scope="session")
def logs() -> Path:
    """Where the logs of the original simulator are."""
    folder = SHARED / "logs"
    if not folder.is_dir():
        pytest.skip(f"logs of the original simulator are not here ({folder})")
    return folder


@pytest.fixture(scope="session")
def route():
    """Loads one of DeepRacer's own tracks by its name."""

    def load(name: str) -> Track:
        path = SHARED / "tracks" / f"{name}.npy"
        if not path.exists():
            pytest.skip(f"DeepRacer's own track is not here ({path})")
        return load_track(path)

    return load
