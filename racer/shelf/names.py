"""The four shelves (agents, tracks, reward functions, rules): what lies on them, and which file a name means.

A name resolves to an explicit path, then to `./<shelf>/` in the working folder, then to the shelf shipped
with racer; the nearest wins. Invariant: nothing on a shelf is executed here; listing reads files as data.
"""

import ast
import difflib
import os
import tomllib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from racer.errors import RacerError, ShelfError
from racer.shelf.files import LIMITS, read_bytes, read_text

__all__ = [
    "DEFAULTS",
    "SHELVES",
    "UNSEEN",
    "Entry",
    "did_you_mean",
    "entries",
    "is_visible",
    "name_problem",
    "names",
    "resolve",
    "shipped_folder",
]

Origin = Literal["folder", "racer"]

SHELVES: dict[str, tuple[str, ...]] = {
    "agents": (".py",),
    "tracks": (".csv", ".npy"),
    "reward_functions": (".py",),
    "rules": (".toml",),
}
"""Shelf name to the suffixes of its files; of two files with one name the earlier suffix wins."""

DEFAULTS = {"agents": "ppo", "tracks": "harbor", "reward_functions": "progress", "rules": "training"}
"""What a command takes when no name is given."""

RESERVED = {
    "tracks": {"random": "another random track in each episode", "shelf": "all tracks of the shelf"},
}
"""Words that stand for something else where a name of that shelf is expected."""

UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols to Unicode, but drawn as nothing."""

NOUNS = {"agents": "agent", "tracks": "track", "reward_functions": "reward function", "rules": "rulebook"}
LIST_COMMANDS = {
    "agents": "racer list agents",
    "tracks": "racer list tracks",
    "reward_functions": "racer list rewards",
    "rules": "racer list rules",
}
MUST_DEFINE = {"agents": "Agent", "reward_functions": "reward_function"}


@dataclass(frozen=True)
class Entry:
    """One file on a shelf.

    Attributes:
        name: What is typed to mean it: the file name without its suffix.
        path: The file.
        origin: `"folder"` if it lies in the working folder, `"racer"` if it was shipped with racer.
        shadowed: Whether a nearer file of the same name hides it.
        summary: First line of a Python file's docstring, or of a track's comment header; may be empty.
        problem: Why the file cannot work, as far as can be known without running it; None if it seems sound.
    """

    name: str
    path: Path
    origin: Origin
    shadowed: bool
    summary: str
    problem: str | None


def entries(shelf: str) -> list[Entry]:
    """List a shelf, sorted by name; of two files with one name the nearer one comes first.

    Raises:
        ShelfError: There is no such shelf.
    """
    found = []
    for name, path, origin, shadowed in _files(shelf):
        summary, problem = _look(shelf, path)
        found.append(Entry(name, path, origin, shadowed, summary, name_problem(shelf, name) or problem))
    return found


def names(shelf: str) -> list[str]:
    """Names that a shelf knows, sorted, each once; opens no file."""
    return [name for name, _, _, shadowed in _files(shelf) if not shadowed]


def resolve(shelf: str, name_or_path: str | Path) -> Path:
    """Find the file that a name means.

    Args:
        shelf: A key of `SHELVES`.
        name_or_path: A name (`"centerline"`) or a path (anything with a folder or a suffix in it).

    Returns:
        An existing file.

    Raises:
        ShelfError: No such shelf, name or file; says what may have been meant and how to list the names.
    """
    suffixes = _suffixes(shelf)
    text = str(name_or_path)
    given = Path(os.path.expanduser(text))  # noqa: PTH111 (leaves an unknown ~user as it is)
    is_path = isinstance(name_or_path, Path) or len(given.parts) > 1 or bool(given.suffix)
    if is_path:
        spelled_out = [given.with_name(given.name + suffix) for suffix in suffixes if given.name]
        for candidate in (given, *spelled_out):
            if os.path.isfile(candidate):  # noqa: PTH113 (false, not an error, for names the system cannot hold)
                return candidate
    if len(given.parts) == 1:
        for name, path, _, _ in _files(shelf):
            if text in (name, path.name):
                return path
    raise ShelfError(_unknown(shelf, text, given))


def is_visible(text: str) -> bool:
    """Whether every character of a text can be seen: no controls, no changes of direction, no empty letters."""
    return text.isprintable() and not UNSEEN.intersection(text)


def name_problem(shelf: str, name: str) -> str | None:
    """Say why a file of this name could not be meant by it; None if it can.

    Args:
        shelf: A key of `SHELVES`.
        name: A file's name without its suffix.
    """
    if (meaning := RESERVED.get(shelf, {}).get(name)) is not None:
        return f"the word {name!r} means {meaning}; rename the file"
    if not is_visible(name):
        return f"the name {name!a} holds characters that cannot be seen; rename the file"
    if shelf == "tracks" and set(name) & set(",:"):
        return f"the name {name!r} holds a comma or colon, which separate names of tracks; rename the file"
    return None


def shipped_folder(shelf: str) -> Path:
    """Folder of the shelf that came with racer: inside the installed package, or beside it in a checkout."""
    _suffixes(shelf)
    room = Path(__file__).parent
    installed = room / "shipped" / shelf
    return installed if installed.is_dir() else room.parents[1] / shelf


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say which known name may have been meant: `" Did you mean 'oval'?"`, or nothing if none is near."""
    by_lower = {name.lower(): name for name in known}
    wanted = word.lower()
    near = difflib.get_close_matches(wanted, by_lower, n=3)
    near += [name for name in by_lower if len(wanted) > 2 and wanted in name and name not in near]
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(by_lower[name]) for name in near[:3])}?"


def _suffixes(shelf: str) -> tuple[str, ...]:
    if shelf not in SHELVES:
        hint = did_you_mean(shelf, SHELVES)
        raise ShelfError(f"there is no shelf {shelf!r}.{hint} The shelves are {', '.join(SHELVES)}.")
    return SHELVES[shelf]


def _files(shelf: str) -> Iterator[tuple[str, Path, Origin, bool]]:
    """Give (name, path, origin, shadowed) of every file, sorted by name, the nearer one of a name first."""
    suffixes = _suffixes(shelf)
    own, shipped = Path(shelf), shipped_folder(shelf)
    places: list[tuple[Path, Origin]] = [(shipped, "racer")]
    if own.resolve() != shipped.resolve():  # in a checkout the working folder's shelf is the shipped one
        places.insert(0, (own, "folder"))
    found = []
    for nearness, (folder, origin) in enumerate(places):
        for path in _listed(folder):
            suffix = path.suffix.lower()
            if suffix in suffixes and not path.name.startswith((".", "_")):
                found.append((path.stem, nearness, suffixes.index(suffix), path, origin))
    previous = None
    for name, _, _, path, origin in sorted(found, key=lambda file: file[:3]):
        yield name, path, origin, name == previous
        previous = name


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:  # no such shelf in the working folder, or one that is not ours to read: nothing to list
        return []


def _unknown(shelf: str, text: str, given: Path) -> str:
    noun, command = NOUNS[shelf], LIST_COMMANDS[shelf]
    if not text.strip():
        return f"no {noun} was named. `{command}` lists them."
    if os.path.isdir(given):  # noqa: PTH112
        article = "an" if noun == "agent" else "a"
        return f"{text} is a folder, not {article} {noun}. Name a file in it, or a name that `{command}` lists."
    if len(given.parts) > 1:
        beside = [path.stem for path in _listed(given.parent) if path.suffix.lower() in SHELVES[shelf]]
        hint = did_you_mean(given.stem, beside)
        return f"there is no {noun} file {text}.{hint} `{command}` lists the names that work here."
    return f"there is no {noun} {text!r}.{did_you_mean(given.stem, names(shelf))} `{command}` lists them."


def _look(shelf: str, path: Path) -> tuple[str, str | None]:
    """Give (summary, problem) of one file without running it."""
    try:
        match path.suffix.lower():
            case ".py":
                return _look_at_python(shelf, path)
            case ".toml":
                return _look_at_rules(path)
        return _look_at_track(path)
    except RacerError as error:
        return "", str(error)


def _look_at_python(shelf: str, path: Path) -> tuple[str, str | None]:
    source = read_bytes(path, ShelfError, LIMITS["source"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SyntaxError) and error.lineno is not None:
            return "", f"line {error.lineno}: {error.msg}"
        return "", f"not Python source: {error}"
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    wanted = MUST_DEFINE[shelf]
    bound = _bound(tree.body)
    if wanted in bound or "*" in bound:
        return summary, None
    if shelf == "reward_functions":
        return summary, f"defines no {wanted}(params).{did_you_mean(wanted, bound)}"
    return summary, f"defines no class {wanted}.{did_you_mean(wanted, bound)}"


def _bound(body: Iterable[ast.stmt]) -> set[str]:
    """Names that a module's top level binds, also inside its `if`, `try` and `with` blocks."""
    bound: set[str] = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                bound |= {alias.asname or alias.name for alias in imported}
            case ast.Assign(targets=targets):
                nodes = (node for target in targets for node in ast.walk(target))
                bound |= {node.id for node in nodes if isinstance(node, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound.add(name)
            case _:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.stmt):
                        bound |= _bound([child])
                    elif isinstance(child, ast.ExceptHandler):
                        bound |= _bound(child.body)
    return bound


def _look_at_rules(path: Path) -> tuple[str, str | None]:
    """Title of a rulebook. Loading it shows if it is sound."""
    try:
        title = tomllib.loads(read_text(path, ShelfError, LIMITS["settings"])).get("title")
    except (ValueError, RecursionError) as error:
        return "", f"not valid TOML: {error}"
    return title if isinstance(title, str) else "", None


def _look_at_track(path: Path) -> tuple[str, str | None]:
    """Summary of a track: its header's title, or else the first comment. Loading it shows if it is sound."""
    if path.suffix.lower() != ".csv":
        return "", None
    comments = []
    for line in read_text(path, ShelfError, LIMITS["track"]).splitlines():
        if line.strip() and not line.startswith("#"):
            break
        comments.append(line.lstrip("#").strip())
    titles = (text.partition(":")[2].strip() for text in comments if text.lower().startswith("title:"))
    return next(titles, "") or next((text for text in comments if text), ""), None
