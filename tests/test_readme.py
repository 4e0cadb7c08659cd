"""What the README and the other pages say can be typed can be typed."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

import racer
from racer.cli import app
from racer.reward import KEYS

README = Path(racer.__file__).parent.parent / "README.md"

if not README.is_file():
    pytest.skip("not a checkout", allow_module_level=True)

PAGES = [README, *sorted((README.parent / "docs").glob("*.md")), *sorted((README.parent / "racer").rglob("README.md"))]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block of code on a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The commands in blocks without a language."""
    lines = [line for language, block in blocks(page) if not language for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith("racer ")]


COMMANDS = list(dict.fromkeys(command for page in PAGES for command in commands(page)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    group = get_command(app)
    words = shlex.split(command)[1:]
    context = group.make_context("racer", words)  # a wrong option or a missing argument raises
    words = [*context._protected_args, *context.args]
    found = group
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words[0]]
        parsed = found.make_context(words[0], words[1:], parent=context)
        words = [*getattr(parsed, "_protected_args", []), *parsed.args]
    assert found is not group, f"racer has no command {command!r}"
    assert not words


def test_the_tour_goes_all_the_way() -> None:
    for name in ("new", "check", "train", "evaluate", "watch", "leaderboard", "demo"):
        assert any(command.startswith(f"racer {name}") for command in commands(README)), name


def test_the_first_reward_is_the_one_that_racer_new_writes() -> None:
    template = README.parent / "racer/shelf/templates/reward_functions/my_reward.py"
    first = next(block for language, block in blocks(README) if language == "python")
    assert first == template.read_text(encoding="utf-8")


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = [block for language, block in blocks(README) if language == "python"]
    assert len(code) == 2
    for block in code:
        exec(compile(block, str(README), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), f"{page} links to {target}, which is not there"


def test_the_page_of_params_has_every_key_and_no_other() -> None:
    page = (README.parent / "docs" / "params.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?`) \|", page, flags=re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(KEYS)
