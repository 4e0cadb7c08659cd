"""Rulebooks as files: TOML on the shelf `rules/`, or anywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from racer import shelf
from racer.errors import RulesError
from racer.racing.rulebook import Rulebook, rulebook_from_json
from racer.shelf import LIMITS, make_folder, read_text, write_atomically

__all__ = ["copy_rulebook", "load_rulebook", "parse_rulebook"]


def load_rulebook(name_or_path: str | Path | Rulebook) -> Rulebook:
    """Load a rulebook by its name on the shelf `rules/`, such as `"league"`, or by its path.

    Raises:
        ShelfError: there is no such rulebook.
        RulesError: the file is no rulebook; the message names file, line, key and value.
    """
    if isinstance(name_or_path, Rulebook):
        return name_or_path
    path = shelf.resolve("rules", name_or_path)
    return parse_rulebook(read_text(path, RulesError, LIMITS["settings"]), path)


def copy_rulebook(source: str | Path, name: str, folder: str | Path = "rules", *, overwrite: bool = False) -> Path:
    """Put a copy of a rulebook, with all its comments, on a shelf under a name of its own.

    Args:
        source: a name or a path.
        name: of the copy.
        folder: the shelf's; it is made if missing.
        overwrite: whether a rulebook of that name may be replaced.

    Returns:
        The stored file.

    Raises:
        ShelfError: there is no such rulebook.
        RulesError: it is none, or the name is taken or not fit for a file.
        FileError: the copy cannot be written.
    """
    path = shelf.resolve("rules", source)
    text = read_text(path, RulesError, LIMITS["settings"])
    parse_rulebook(text, path)
    if not re.fullmatch(r"\w[\w-]{0,99}", name):
        raise RulesError(f"{name!r:.120} is no name for a rulebook; choose one of letters, digits, - and _")
    target = make_folder(folder) / f"{name}.toml"
    if target.exists() and not overwrite:
        raise RulesError(f"{target} exists already; choose another name or replace it (--force)")
    write_atomically(target, text)
    return target


def parse_rulebook(text: str, path: str | Path = "these rules") -> Rulebook:
    """The rulebook that a TOML text holds.

    Args:
        text: the content of a file.
        path: what it is called in messages.

    Raises:
        RulesError: it is none.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as wrong:  # numbers of too many digits, brackets of too many levels
        place = re.search(r" \(at line (\d+), column \d+\)$", str(wrong))
        last = text.count("\n") + 1 if str(wrong).endswith("(at end of document)") else None
        line = f", line {place[1] if place else last}" if place or last else ""
        reason = str(wrong)[: place.start()] if place else str(wrong) or type(wrong).__name__
        raise RulesError(f"{path}{line}: not valid TOML ({reason:.200})") from wrong
    try:
        return rulebook_from_json(data)
    except RulesError as wrong:
        number = _line_of(text, wrong.key)
        raise RulesError(f"{path}{'' if number is None else f', line {number}'}: {wrong}", wrong.key) from wrong


def _line_of(text: str, key: str) -> int | None:
    """The line, from 1, on which a key such as `race.laps` is given a value, or a section begins."""
    if not key:
        return None
    section, _, name = key.rpartition(".")
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            inside = header[1].strip("\"'")
            if inside == key:
                return number
        elif given := re.match(r"\s*([^=#]+?)\s*=", line):
            found = given[1].replace('"', "").replace("'", "")
            if (inside, found) == (section, name) or (not inside and found == key):
                return number
    return None
