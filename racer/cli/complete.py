"""What the TAB key offers: names on the shelves, runs, replays and other files.

Invariant: nothing here raises or opens a file; an unreadable folder simply offers nothing.
"""

from pathlib import Path

from racer import shelf

__all__ = [
    "agents",
    "drivers",
    "randomizations",
    "replays",
    "replays_and_runs",
    "rewards",
    "rewards_and_agents",
    "rules",
    "runs",
    "track_files",
    "track_lists",
    "tracks",
]

RUNS = Path("runs")


def tracks(incomplete: str) -> list[str]:
    """Offer track names, and track files once a path is begun."""
    return _shelf("tracks", incomplete)


def track_lists(incomplete: str) -> list[str]:
    """Offer the next track's name after those that are there, separated by commas."""
    before, comma, begun = incomplete.rpartition(",")
    named = before.split(",")
    return [
        before + comma + name for name in (*tracks(begun), "random") if name.startswith(begun) and name not in named
    ]


def rewards(incomplete: str) -> list[str]:
    """Offer reward names, and Python files once a path is begun."""
    return _shelf("reward_functions", incomplete)


def agents(incomplete: str) -> list[str]:
    """Offer agent names, and Python files once a path is begun."""
    return _shelf("agents", incomplete)


def rewards_and_agents(incomplete: str) -> list[str]:
    """Offer rewards first, then agents."""
    return list(dict.fromkeys([*rewards(incomplete), *agents(incomplete)]))


def rules(incomplete: str) -> list[str]:
    """Offer names of rulebooks, and TOML files once a path is begun."""
    return _shelf("rules", incomplete)


def runs(incomplete: str) -> list[str]:
    """Offer the names of the runs in `./runs/`."""
    return [path.name for path in _listed(RUNS) if path.is_dir() and path.name.startswith(incomplete)]


def randomizations(incomplete: str) -> list[str]:
    """Offer how much a training may be randomised."""
    return [level for level in ("off", "some", "car") if level.startswith(incomplete)]


def drivers(incomplete: str) -> list[str]:
    """Offer what can be evaluated: runs first, then agents."""
    return [*runs(incomplete), *agents(incomplete)]


def replays(incomplete: str) -> list[str]:
    """Offer replay files and folders under the path begun."""
    return _paths(incomplete, (".replay",))


def replays_and_runs(incomplete: str) -> list[str]:
    """Offer runs, then replay files and folders under the path begun."""
    return [*runs(incomplete), *replays(incomplete)]


def track_files(incomplete: str) -> list[str]:
    """Offer track files and folders under the path begun."""
    return _paths(incomplete, shelf.SHELVES["tracks"])


def _shelf(name: str, incomplete: str) -> list[str]:
    found = [entry for entry in shelf.names(name) if entry.startswith(incomplete)]
    begun = "/" in incomplete or "\\" in incomplete or incomplete.startswith(".")
    return found + (_paths(incomplete, shelf.SHELVES[name]) if begun else [])


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Files of these suffixes, and folders (with a slash), that begin so."""
    folder, _, start = incomplete.rpartition("/")
    offered = []
    for path in _listed(Path(folder or ("/" if incomplete.startswith("/") else "."))):
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            written = f"{folder}/{path.name}" if "/" in incomplete else path.name
            if path.is_dir():
                offered.append(written + "/")
            elif path.suffix in suffixes:
                offered.append(written)
    return offered


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
