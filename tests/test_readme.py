"""What the README says can be typed can be typed."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

import racer
from racer.cli import app

README = Path(racer.__file__).parent.parent / "README.md"

if not README.is_file():
    pytest.skip("not a checkout", allow_module_level=True)

BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
COMMANDS = [
    line.split("#")[0].strip()
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
    if line.startswith("racer ")
]


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
        assert any(command.startswith(f"racer {name}") for command in COMMANDS), name


def test_the_first_reward_is_the_one_that_racer_new_writes() -> None:
    template = README.parent / "racer/shelf/templates/reward_functions/my_reward.py"
    first = next(block for language, block in BLOCKS if language == "python")
    assert first == template.read_text(encoding="utf-8")


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = [block for language, block in BLOCKS if language == "python"]
    assert len(code) == 2
    for block in code:
        exec(compile(block, str(README), "exec"), {})


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (README.parent / target).exists(), f"README.md links to {target}, which is not there"
