"""The wheel holds engine and shelves, works away from the checkout, and every dependency is pinned."""

import importlib.metadata
import json
import os
import re
import shutil
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
    for shelf, suffix in [("agents", ".py"), ("tracks", ".csv"), ("reward_functions", ".py"), ("rules", ".toml")]:
        files = {path.name for path in (CHECKOUT / shelf).glob(f"*{suffix}")}
        assert files
        assert files == {Path(name).name for name in held if Path(name).parent == Path(f"racer/shelf/shipped/{shelf}")}
    marks = {path.name for path in (CHECKOUT / "tracks/marks").glob("*.replay")}
    assert marks == {Path(name).name for name in held if name.startswith("racer/shelf/shipped/tracks/marks/")}
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
    for kind in ("tracks", "rewards", "agents", "rules"):
        assert listed[kind]
        for entry in listed[kind]:
            assert Path(entry["path"]).is_relative_to(site)
            assert entry["problem"] is None


def test_the_wheel_enters_through_racer(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "racer = racer.__main__:main" in archive.read(entry_points).decode()


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
    pytest.importorskip("ruff", reason="the lint extra is not installed")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [*extras["test"], *extras["lint"]]
    pinned, seen = pins(), set()
    while wanted:
        requirement = packaging.Requirement(wanted.pop())
        name = utils.canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        if name.startswith(("nvidia-", "cuda-", "triton")):
            continue  # torch pins its own
        assert name in pinned, f"constraints.txt does not pin {name}"
        if str(requirement.specifier):
            assert requirement.specifier.contains(pinned[name]), f"{requirement} but pinned {pinned[name]}"
        for text in importlib.metadata.requires(name) or []:
            marker = packaging.Requirement(text).marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
                wanted.append(text)
    spare = set(pinned) - seen - {"colorama", "tzdata"}  # Windows alone needs these
    assert not spare, f"constraints.txt pins {spare}, which nothing needs"


def test_torch_is_pinned_for_every_build_of_it() -> None:
    assert pins()["torch"] == "2.13.0"


def test_the_oldest_versions_are_those_of_the_dependencies() -> None:
    """`make test-lowest` installs one version of each dependency, none newer than the one racer is tested with."""
    packaging = pytest.importorskip("packaging.version")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tests" / "lowest.py"], capture_output=True, text=True, check=True, cwd="/"
    )
    lowest = dict(line.split("==") for line in done.stdout.split())
    assert len(lowest) == len(project["project"]["dependencies"])
    for requirement in project["project"]["dependencies"]:
        name, _, bound = requirement.partition(">=")
        assert lowest[name] == (pins()["torch"] if name == "torch" else bound)
        assert packaging.Version(bound) <= packaging.Version(pins()[name])


def test_the_end_of_a_run_says_how_many_tests_lacked_public_files(tmp_path: Path) -> None:
    tests = tmp_path / "checkout" / "tests"
    tests.mkdir(parents=True)
    for name in ("conftest.py", "public.py"):
        shutil.copy(CHECKOUT / "tests" / name, tests)
    (tests / "test_some.py").write_text(
        "from public import needs_routes\n"
        "def test_logs(logs): assert False\n"
        "def test_route(route): route('reinvent_base')\n"
        "@needs_routes\ndef test_routes(): assert False\n"
        "def test_more(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(tests)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "1 passed, 3 skipped" in done.stdout
    assert done.stdout.count("3 tests that need them did NOT run") == 1
    (tests / "test_some.py").write_text("def test_more(): pass\n")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "did NOT run" not in done.stdout
