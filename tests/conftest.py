"""What several tests share: every closed track there is, and logs of the original simulator."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from public import MISSING, ROUTES, SHARED, needs_routes, public

from racer import shelf
from racer.track import Track, load_track

# Marks that a user has found decide nothing here, and no test changes them; tests that start racer pass it on.
os.environ["RACER_MARKS"] = tempfile.mkdtemp(prefix="racer-marks-")
atexit.register(shutil.rmtree, os.environ["RACER_MARKS"], ignore_errors=True)

# A job in the background ignores Ctrl-C, and so would every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines differ in speed, and the first example may wait for the compiler.
settings.register_profile("racer", deadline=None)
settings.load_profile("racer")


def pytest_terminal_summary(terminalreporter):
    """Say, once and where nobody can miss it, how many tests did not run because public files are not here."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.section("DeepRacer's own tracks and logs are not here", sep="=", yellow=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests that need them did NOT run. To run them too, put the tracks (*.npy) into "
            f"{SHARED / 'tracks'} and the logs into {SHARED / 'logs'}.",
            yellow=True,
        )


def _courses():
    yield from (pytest.param(name, id=name) for name in shelf.names("tracks"))
    if not ROUTES:
        yield pytest.param(None, id="routes", marks=needs_routes)
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
    return public(SHARED / "logs")


@pytest.fixture(scope="session")
def route():
    """Loads one of DeepRacer's own tracks by its name."""

    def load(name: str) -> Track:
        return load_track(public(SHARED / "tracks" / f"{name}.npy"))

    return load


@pytest.fixture(scope="session")
def browser() -> str:
    """A browser that draws pages without a screen."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here; install the package chromium")
    return found


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of this test process's own."""
    try:
        import psycopg  # noqa: F401
        from postgres import Server

        server = Server()
    except (ImportError, OSError, subprocess.SubprocessError) as why:
        pytest.skip(f"no PostgreSQL server can be started here (install postgresql and psycopg[binary]): {why}")
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request, tmp_path) -> str:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "board.sqlite")
    server = request.getfixturevalue("postgres")
    server.clear()
    return server.url
