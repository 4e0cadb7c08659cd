"""Compiled kernels on disk: never those of other sources, found again by the next command, whatever can be written."""

import ast
import builtins
import os
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path

import numba
import numpy as np
import pytest

import racer
from racer.cli import console
from racer.sim import SOURCES, World, kernels_are_compiled
from racer.track import load_track

PACKAGE = Path(racer.__file__).parent
DECORATORS = {"kernel", "lean", "inlined"}
LEAF = "from racer.sim.compiled import {decorator}\n\n@{decorator}\ndef leaf(x):\n    return x + {constant}\n"
CALLER = (
    "from racer.sim.compiled import kernel\nfrom racer.sim.borders import leaf\n\n"
    "@kernel\ndef caller(x):\n    return leaf(x) * 2\n"
)
FOLDER = "from racer.sim.kernel_cache import kernel_folder; print(kernel_folder())"
CALL = "from racer.sim.car import caller; print(caller(1), sum(caller.stats.cache_hits.values()))"


@pytest.fixture
def package(tmp_path):
    """A racer of two kernels: `sim/car.py` calls `sim/borders.py`."""
    (tmp_path / "racer").mkdir()
    (tmp_path / "racer/__init__.py").touch()
    for room, modules in SOURCES.items():
        folder = tmp_path / "racer" / room
        folder.mkdir(parents=True)
        for name in ("__init__", *modules):
            (folder / f"{name}.py").touch()
    for name in ("compiled", "kernel_cache"):
        (tmp_path / f"racer/sim/{name}.py").write_text((PACKAGE / f"sim/{name}.py").read_text())
    (tmp_path / "racer/sim/car.py").write_text(CALLER)
    (tmp_path / "racer/sim/borders.py").write_text(LEAF.format(decorator="kernel", constant=1))
    return tmp_path


def run(folder, code=CALL, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "PYTHONPATH"))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment | variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_a_changed_callee_is_compiled_again(package):
    for decorator in ("kernel", "inlined", "lean"):
        (package / "racer/sim/borders.py").write_text(LEAF.format(decorator=decorator, constant=1))
        assert run(package) == "4 0"
        assert run(package) == "4 1"  # from the cache
        (package / "racer/sim/borders.py").write_text(LEAF.format(decorator=decorator, constant=2))
        assert run(package) == "6 0"


@cache
def parsed(path):
    return ast.parse(path.read_bytes())


def defined(path, name):
    """The statement of a file that defines a name at its top level."""
    for node in parsed(path).body:
        targets = [*getattr(node, "targets", ()), *([node.target] if isinstance(node, ast.AnnAssign) else [])]
        names = {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        if isinstance(node, ast.ImportFrom):
            names = {alias.asname or alias.name for alias in node.names}
        if name in names | {getattr(node, "name", None)}:
            return node
    return None


def behind(path, name, found):
    """Add to `found` every file of racer that decides what a name at the top of a file stands for."""
    node = defined(path, name)
    if node is None or (path, name) in found:
        return
    if isinstance(node, ast.ImportFrom):
        if node.level:  # of a door
            behind(path.parent / f"{node.module}.py", name, found)
        elif str(node.module).startswith("racer."):
            target = PACKAGE.joinpath(*node.module.split(".")[1:])
            behind(target / "__init__.pyi" if target.is_dir() else target.with_suffix(".py"), name, found)
        return
    found.add((path, name))
    function = isinstance(node, ast.FunctionDef)
    names = [one for part in (node.body if function else [node]) for one in ast.walk(part) if isinstance(one, ast.Name)]
    local = {argument.arg for argument in node.args.args} if function else set()
    local |= {one.id for one in names if function and isinstance(one.ctx, ast.Store)}
    for name in {one.id for one in names} - local - set(dir(builtins)):
        behind(path, name, found)


def test_the_digest_covers_every_source_of_a_kernel_and_no_other():
    found = {(PACKAGE / "sim/compiled.py", "")}
    for path in PACKAGE.rglob("*.py"):
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef):
                used = {one.id for one in node.decorator_list if isinstance(one, ast.Name)}
                if used & DECORATORS and node.name not in DECORATORS:
                    behind(path, node.name, found)
    files = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path, _ in found}
    assert files == {f"{room}/{module}" for room, modules in SOURCES.items() for module in modules}


COMPILED = (
    "import sys; from racer.sim.kernel_cache import kernels_are_compiled as there; "
    "print(there('car'), there('step'), 'numba' in sys.modules)"
)


def test_it_can_be_asked_whether_kernels_are_compiled(package):
    assert run(package, COMPILED) == "False False False"
    run(package)
    assert run(package, COMPILED) == "True False False"


def test_the_first_time_is_announced_once():
    world = World(load_track("harbor"))
    world.seed(0)
    world.reset()
    world.step(np.zeros((1, 1, 2)), np.zeros((1, 1)))
    assert kernels_are_compiled()
    assert console.loading("Driving") == "Driving …"
    assert "compiled" in console.loading("Driving", "no_such_module")


def read_only(package, temporary):
    """Environment of a user without a home, with a racer that cannot be written."""
    (package / "racer" / "__pycache__").touch()  # no folder can be made there, not even by root
    temporary.mkdir()
    return {"HOME": "/dev/null/nowhere", "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_users_cache_is_the_second_choice(package, tmp_path):
    environment = read_only(package, tmp_path / "tmp") | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert Path(run(package, FOLDER, **environment)).parent == tmp_path / "cache" / "racer"
    environment |= {"XDG_CACHE_HOME": "relative", "HOME": str(tmp_path / "home")}
    assert Path(run(package, FOLDER, **environment)).parent == tmp_path / "home" / ".cache" / "racer"
    assert not (package / "relative").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the temporary directory is the user's own")
def test_without_any_home_one_private_folder_in_the_temporary_directory_is_kept(package, tmp_path):
    environment = read_only(package, tmp_path / "tmp")
    assert [run(package, **environment) for _ in range(2)] == ["4 0", "4 1"]
    (kept,) = (tmp_path / "tmp").iterdir()
    assert kept.name == f"racer-{os.getuid()}" and stat.S_IMODE(kept.stat().st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the temporary directory is the user's own")
@pytest.mark.parametrize("kind", ["open to all", "link", "file"])
def test_a_folder_that_others_can_write_is_not_trusted(package, tmp_path, kind):
    environment = read_only(package, tmp_path / "tmp")
    trap = tmp_path / "tmp" / f"racer-{os.getuid()}"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        trap.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        trap.touch()
    else:
        trap.mkdir()
        trap.chmod(0o777)
    assert trap not in Path(run(package, FOLDER, **environment)).parents
    assert list((tmp_path / "tmp").iterdir()) == [trap], "nothing is left behind"
    assert kind == "file" or not list(trap.iterdir())


def test_other_packages_keep_their_cache():
    assert "kernels-" not in str(numba.config.CACHE_DIR)
