"""The wheel holds engine and shelves, works away from the checkout, and every dependency is pinned."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import racer

CHECKOUT = Path(racer.__file__).parent.parent

if not (CHECKOUT / "pyproject.toml").is_file():
    pytest.skip("not a checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=CHECKOUT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_engine_and_shelves_and_no_more(wheel: Path) -> None:
    assert wheel.name == f"racer-{racer.__version__}-py3-none-any.whl"
    held = set(zipfile.ZipFile(wheel).namelist())
    for shelf, suffix in [("agents", ".py"), ("tracks", ".csv"), ("reward_functions", ".py")]:
        files = {path.name for path in (CHECKOUT / shelf).glob(f"*{suffix}")}
        assert files
        assert files == {Path(name).name for name in held if name.startswith(f"racer/shelf/shipped/{shelf}/")}
    engine = {str(path.relative_to(CHECKOUT).as_posix()) for path in (CHECKOUT / "racer").rglob("*.py")}
    assert engine <= held
    assert "racer/py.typed" in held
    assert {name.split("/")[0] for name in held} == {"racer", f"racer-{racer.__version__}.dist-info"}
    assert not [name for name in held if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site packages", tmp_path / "work"
    work.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "racer", "list", "--json"]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=True)
    listed = json.loads(done.stdout)
    assert listed["tracks"][0]["default"]
    for kind in ("tracks", "rewards", "agents"):
        assert listed[kind]
        for entry in listed[kind]:
            assert Path(entry["path"]).is_relative_to(site)
            assert entry["problem"] is None


def test_the_wheel_enters_through_racer(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "racer = racer.cli:main" in archive.read(entry_points).decode()


def pins() -> dict[str, str]:
    """Name to version of each line of constraints.txt."""
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    found = {}
    for line in lines:
        if not line.startswith("#"):
            pin = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.]+)(; .+)?", line)
            assert pin, f"constraints.txt: {line!r} pins nothing"
            found[pin[1]] = pin[2]
    return found


def test_every_dependency_is_pinned() -> None:
    packaging = pytest.importorskip("packaging.requirements")
    utils = pytest.importorskip("packaging.utils")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [*extras["test"], *extras["lint"]]
    pinned, seen = pins(), set()
    while wanted:
        requirement = packaging.Requirement(wanted.pop())
        name = utils.canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        if name.startswith(("nvidia-", "cuda-", "triton")):
            continue  # torch pins its own
        assert name in pinned, f"constraints.txt does not pin {name}"
        if str(requirement.specifier):
            assert requirement.specifier.contains(pinned[name]), f"{requirement} but pinned {pinned[name]}"
        wanted += importlib.metadata.requires(name) or []
    spare = set(pinned) - seen - {"colorama", "tzdata"}  # Windows alone needs these
    assert not spare, f"constraints.txt pins {spare}, which nothing needs"


def test_torch_is_pinned_for_every_build_of_it() -> None:
    assert pins()["torch"] == "2.13.0"
