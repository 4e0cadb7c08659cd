"""The architecture, written down once and held against the import statements.

`LAYERS` is the list: a module imports only modules of lines above its own. A new module is put on a line
here, or the test says that it has no place.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import racer

LAYERS = """
errors kernel
files geometry simtrace
shelf npz watchdog clock aside
track_file blame simtrace_file
track_check track_grade instance
track
track_maker car actions
rules
road
simulation
randomization
sensors
objects
params
compile random_tracks
reward deepracer
record
env replay_file canvas
fleet
agent replay tracer
sb3 networks run race logbook check plot sensor_plot
run_logs recipe
train trial database log_track
leaderboard viewer log_replay rescore
scaffold
cli
__main__
"""

OWNERS = {
    "gymnasium": {"__init__", "env", "fleet", "networks", "sb3"},
    "llvmlite": {"compile"},
    "stable_baselines3": {"networks", "recipe", "sb3"},
    "tensorboard": {"logbook"},
    "torch": {"networks", "recipe"},
    "safetensors": {"agent"},
    "pygame": {"viewer"},
    "sqlalchemy": {"database", "leaderboard"},
    "matplotlib": {"canvas", "plot"},
    "typer": {"cli"},
    "yaml": {"deepracer"},
    "rich": {"cli", "viewer"},
    "PIL": {"viewer"},
    "imageio_ffmpeg": {"viewer"},
}
"""Third-party packages that one corner of racer knows and no other; NumPy and Numba are everywhere."""

PACKAGE = Path(racer.__file__).parent
LINE_OF = {name: index for index, line in enumerate(LAYERS.split("\n")) for name in line.split()}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts)


def noun(path: Path) -> str:
    """Name on the list: a package (`sensors`, `cli`) counts as one module."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[int, str]]:
    """Every (line, dotted name) that a file imports, wherever in the file it does so."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write it out"
            if node.module == "racer":
                found += [(node.lineno, f"racer.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, str(node.module)))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = noun(path)
    if own == "__init__":
        return  # the face of the package: it names what it loads when asked
    assert own in LINE_OF, f"racer.{own} has no line in LAYERS"
    for line, name in imports(path):
        if not name.startswith("racer."):
            continue
        other = name.split(".")[1]
        if other in (own, "__version__"):
            continue
        assert other in LINE_OF, f"{path}:{line}: racer.{other} has no line in LAYERS"
        assert LINE_OF[other] < LINE_OF[own], f"{path}:{line}: racer.{own} must not import racer.{other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_library_has_its_corner(path: Path) -> None:
    for line, name in imports(path):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in ("racer", "numpy", "numba"):
            continue
        assert top in OWNERS, f"{path}:{line}: {top} has no corner in OWNERS"
        assert noun(path) in OWNERS[top], f"{path}:{line}: racer.{noun(path)} must not know {top}"


def test_the_list_holds_no_ghosts() -> None:
    existing = {noun(path) for path in MODULES}
    assert set(LINE_OF) <= existing, "LAYERS names modules that do not exist"
    assert set().union(*OWNERS.values()) <= existing


def test_shelves_are_no_packages() -> None:
    checkout = PACKAGE.parent
    for name in ("agents", "tracks", "reward_functions"):
        assert (checkout / name).is_dir()
        assert not list((checkout / name).rglob("__init__.py"))


HEAVY = {
    "torch",
    "stable_baselines3",
    "pygame",
    "matplotlib",
    "numba",
    "shapely",
    "sqlalchemy",
    "tensorboard",
    "PIL",
}


@pytest.mark.parametrize(
    "statement",
    [
        "import racer",
        "import racer.track; racer.load_track",
        "import racer.cli",
        "import racer.errors, racer.files, racer.shelf, racer.scaffold",
    ],
)
def test_light_imports_stay_light(statement: str) -> None:
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("command", [["--help"], ["list"], ["train", "--help"], ["leaderboard", "--help"]])
def test_quick_commands_load_nothing_heavy(command: list[str]) -> None:
    script = f"import sys; from racer.cli import app; app({command!r}, standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("imports", ["gymnasium, racer", "racer, gymnasium", "gymnasium"])
def test_the_environment_is_registered_in_any_order(imports: str) -> None:
    name = "racer/TimeTrial-v0" if "racer" in imports else "racer:racer/TimeTrial-v0"
    script = f"import {imports}; print(gymnasium.make({name!r}).unwrapped.__class__.__module__)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "racer.env", done.stderr


def test_the_package_shows_what_it_has() -> None:
    assert {"load_track", "car", "reward", "replay", "__version__"} <= set(dir(racer))
    assert racer.load_track is racer.track.load_track
    with pytest.raises(AttributeError, match="no attribute 'lod_track'"):
        _ = racer.lod_track  # type: ignore[attr-defined]
