"""Whatever is printed, nothing stops a command, and no stranger's text commands a terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from racer.cli import console
from racer.cli.streams import visible

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eabc\u3164\u2800\x00\x9b31m"


def racer(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "racer", *words]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


@given(st.text())
def test_nothing_printed_controls_a_terminal(text: str) -> None:
    shown = visible(text)
    assert not any((ord(one) < 32 and one not in "\n\t") or 127 <= ord(one) < 160 for one in shown)
    assert not {"\u202e", "\u2066", "\u200f", "\ufeff", "\u3164", "\u2800"} & set(shown)
    assert visible(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u2800\u3164\uffa0")))
def test_names_of_all_languages_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_a_strangers_text_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    console.error(f"{HOSTILE} is no track")
    console.note(f"Driven by {HOSTILE}")
    console.show(console.table([HOSTILE, "b"], [[HOSTILE, HOSTILE]], HOSTILE))
    console.print_json({HOSTILE: [HOSTILE]})
    console.print_csv(["driver"], [[HOSTILE]])
    printed = "".join(capsys.readouterr())
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u3164", "\x00"} & set(printed)
    assert "\\x1b]0;owned" in printed and "\\u202eabc" in printed


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_no_character_stops_a_command(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reward_functions").mkdir()
    path = Path("reward_functions/snow_\u2603.py")
    path.write_text('"""Zo\u00eb \u2603 pays."""\n\n\ndef reward_function(params):\n    return 1.0\n', encoding="utf-8")
    for words in (["list", "rewards"], ["list", "rewards", "--json"], ["check", "snow_\u2604"]):
        done = racer(*words, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
        assert b"snow_" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_closed_streams_stop_nothing(tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m racer"
    for words in (f"{command} list >&-", f"{command} list 2>&- >/dev/null", f"{command} list <&- >/dev/null"):
        done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words
    told = subprocess.run(["bash", "-c", f"{command} check nothere 2>&-"], capture_output=True, text=True, cwd=tmp_path)
    assert told.returncode == 1 and "there is no reward function 'nothere'" in told.stdout


def drawn(width: int) -> list[str]:
    columns = ["rank>", "driver", "best lap>", "gap>?", "mean speed>?", "tries>?", "when"]
    rows = [["1", "Ada Lovelace", "6.023 s", "", "3.49 m/s", "12", "2026-11-28 06:12"]] * 2
    out = io.StringIO()
    Console(file=out, width=width).print(console.table(columns, rows, "harbor"))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [200, 80, 60, 44])
def test_tables_stay_readable_on_narrow_screens(width: int) -> None:
    lines = drawn(width)
    assert len(lines) <= 2 + 2 * 2, "no column is so narrow that its words break into a letter a line"
    assert all(len(line.rstrip()) <= width for line in lines)
    assert all("Ada Lovelace" in line and "6.023 s" in line for line in lines if "2026" in line)
    assert ("mean speed" in lines[1]) == (width >= 80)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@sum", "=cmd|' /C calc'!A0", "\tx"])
def test_a_name_is_no_formula(cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.print_csv(["driver", "time"], [[cell, -1.5]])
    assert capsys.readouterr().out.splitlines()[1].lstrip('"').startswith("'" + cell[0])


def test_commands_can_be_typed_as_printed() -> None:
    assert console.command("racer", "evaluate", "first run") == "[cyan]racer evaluate 'first run'[/cyan]"
