"""The architecture, written down once and held against the import statements.

`FLOORS` is the list of rooms: a room imports only from rooms on floors above its own, and only through their doors, the
names in their `__init__.pyi`. A new room is put on a floor here, or the test says that it has no place.
"""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import racer

FLOORS = """
errors
shelf
track
sim
car sensors
reward replay
viewer viewer.plot
env
racing
deepracer.config training.sb3
deepracer.car deepracer.logs training leaderboard
lab
cli
"""

OWNERS = {
    "filelock": {"training"},
    "google": {"deepracer.car"},
    "gymnasium": {"env", "training.sb3"},
    "imageio_ffmpeg": {"viewer"},
    "matplotlib": {"viewer.plot"},
    "numba": {"sim"},
    "onnx": {"racing"},
    "optuna": {"lab"},
    "pettingzoo": {"env"},
    "PIL": {"viewer"},
    "pygame": {"viewer"},
    "ray": {"lab"},
    "rich": {"cli", "viewer"},
    "safetensors": {"replay"},
    "scipy": {"training.sb3"},
    "shapely": {"track"},
    "alembic": {"leaderboard"},
    "sqlalchemy": {"leaderboard"},
    "stable_baselines3": {"training.sb3"},
    "tensorboard": {"deepracer.car", "training"},
    "threadpoolctl": {"training.sb3"},
    "torch": {"training.sb3"},
    "typer": {"cli"},
    "yaml": {"deepracer.config"},
}
"""Third-party packages, each known to its room and to no other; NumPy is everywhere, `lazy_loader` in every door."""

MOST_ENTRIES = 16  # in `racer/`, beside `__init__`, `__main__` and the mark of a typed package
MOST_FLOORS = 12  # between the top-level entries
MOST_LINES = 350  # of a file
MOST_PARAMETERS = 8  # of a function; compiled kernels and commands, whose parameters are options, aside

PACKAGE = Path(racer.__file__).parent
FLOOR_OF = {room: floor for floor, line in enumerate(FLOORS.split("\n")) for room in line.split()}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not {"templates", "shipped"} & set(path.parts))
KERNELS = {"kernel", "lean", "inlined"}


def room_of(parts: tuple[str, ...]) -> str:
    """Room of a module: the longest name on the list that its dotted name begins with."""
    for length in (2, 1):
        if ".".join(parts[:length]) in FLOOR_OF:
            return ".".join(parts[:length])
    return parts[0]


def own_room(path: Path) -> str:
    return room_of(path.relative_to(PACKAGE).with_suffix("").parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def imports(path: Path) -> list[tuple[int, str, tuple[str, ...]]]:
    """Every (line, dotted module, names) that a file imports, wherever in the file it does so."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write it out"
            names = tuple(alias.name for alias in node.names)
            if node.module == "racer":
                found += [(node.lineno, f"racer.{name}", ()) for name in names]
            else:
                found.append((node.lineno, str(node.module), names))
    return found


@cache
def door(room: str) -> set[str]:
    """The names that others may import from a room."""
    stub = PACKAGE.joinpath(*room.split(".")) / "__init__.pyi"
    if not stub.exists():
        return set()
    return {
        alias.asname or alias.name
        for node in parsed(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way_and_through_doors(path: Path) -> None:
    own = own_room(path)
    if own in ("__init__", "__main__", "deepracer"):
        return  # faces of packages: they name what they load when asked
    assert own in FLOOR_OF, f"racer.{own} has no floor in FLOORS"
    for line, module, names in imports(path):
        if not module.startswith("racer.") or module == "racer.__version__":
            continue
        other = room_of(tuple(module.split(".")[1:]))
        if other == own:
            continue
        assert other in FLOOR_OF, f"{path}:{line}: racer.{other} has no floor in FLOORS"
        assert FLOOR_OF[other] < FLOOR_OF[own], f"{path}:{line}: racer.{own} must not import racer.{other}"
        assert module == f"racer.{other}", f"{path}:{line}: {module} is private to racer.{other}; use its door"
        if (PACKAGE / other.replace(".", "/")).is_dir() and other != "cli":
            strangers = set(names) - door(other)
            assert not strangers, f"{path}:{line}: {strangers} not in racer/{other}/__init__.pyi"


def test_doors_lead_somewhere() -> None:
    for room in FLOOR_OF:
        if door(room):
            module = __import__(f"racer.{room}", fromlist=["*"])
            for name in door(room):
                getattr(module, name)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_library_has_its_room(path: Path) -> None:
    for line, module, _ in imports(path):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top in ("racer", "numpy"):
            continue
        if top == "lazy_loader":
            assert path.name == "__init__.py"
            continue
        assert top in OWNERS, f"{path}:{line}: {top} has no room in OWNERS"
        assert own_room(path) in OWNERS[top], f"{path}:{line}: racer.{own_room(path)} must not know {top}"


def test_the_lists_hold_no_ghosts() -> None:
    existing = {own_room(path) for path in MODULES}
    assert set(FLOOR_OF) <= existing, "FLOORS names rooms that do not exist"
    assert set().union(*OWNERS.values()) <= existing


def entries() -> set[str]:
    """The top-level entries of `racer/` that hold code."""
    return {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES} - {"__init__", "__main__"}


def test_the_house_is_small() -> None:
    assert len(entries()) <= MOST_ENTRIES
    needs: dict[str, set[str]] = {entry: set() for entry in entries()}
    for path in MODULES:
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for _, module, _ in imports(path):
            other = [*module.split("."), ""][1] if module.startswith("racer.") else ""
            if own in needs and other in needs and other != own:
                needs[own].add(other)

    def floor(entry: str) -> int:
        return 1 + max(map(floor, needs[entry]), default=0)

    assert max(map(floor, needs)) <= MOST_FLOORS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_signatures_are_short(path: Path) -> None:
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= MOST_LINES, f"{path}: {count} lines"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and own_room(path) != "cli":
            decorators = {item.id for item in node.decorator_list if isinstance(item, ast.Name)}
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([one for one in given if one.arg not in ("self", "cls")])
            assert decorators & KERNELS or count <= MOST_PARAMETERS, f"{path}:{node.lineno}: {count} parameters"


def test_shelves_are_no_packages() -> None:
    checkout = PACKAGE.parent
    for name in ("agents", "tracks", "reward_functions", "rules"):
        assert (checkout / name).is_dir()
        assert not list((checkout / name).rglob("__init__.py"))


HEAVY = {
    "torch",
    "stable_baselines3",
    "pygame",
    "matplotlib",
    "numba",
    "shapely",
    "alembic",
    "sqlalchemy",
    "tensorboard",
    "PIL",
    "optuna",
    "ray",
}


@pytest.mark.parametrize(
    "statement",
    [
        "import racer",
        "import racer.track; racer.load_track",
        "import racer.cli",
        "from racer.errors import RacerError; from racer.shelf import read_bytes, resolve, scaffold",
        "import racer.sim, racer.sensors, racer.reward, racer.env, racer.replay, racer.racing, racer.training",
        "import racer.deepracer.car, racer.deepracer.config, racer.deepracer.logs",
        "import racer.leaderboard, racer.viewer, racer.viewer.plot, racer.lab",
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
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())  # the lines above are the command's own


@pytest.mark.parametrize("imports", ["gymnasium, racer", "racer, gymnasium", "gymnasium"])
def test_the_environment_is_registered_in_any_order(imports: str) -> None:
    name = "racer/TimeTrial-v0" if "racer" in imports else "racer:racer/TimeTrial-v0"
    script = f"import {imports}; print(gymnasium.make({name!r}).unwrapped.__class__.__module__)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().startswith("racer.env"), done.stderr


def test_a_program_whose_package_imports_racer_has_the_environments(tmp_path: Path) -> None:
    (tmp_path / "club").mkdir()
    (tmp_path / "club/__init__.py").write_text("import racer\n")  # while sys.argv[0] is still "-m"
    (tmp_path / "club/__main__.py").write_text("import gymnasium; print(gymnasium.make('racer/TimeTrial-v0'))\n")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-m", "club", "racer"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)
    assert "TimeTrial" in done.stdout, done.stderr


def test_the_package_shows_what_it_has() -> None:
    assert {"load_track", "car", "reward", "replay", "__version__"} <= set(dir(racer))
    assert racer.load_track is racer.track.load_track
    with pytest.raises(AttributeError, match="no attribute 'lod_track'"):
        _ = racer.lod_track  # type: ignore[attr-defined]
