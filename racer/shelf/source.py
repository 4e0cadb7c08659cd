"""Python files that learners write: reading them as text, and saying where and why they failed."""

from __future__ import annotations

import ast
import io
import linecache
import reprlib
import textwrap
import tokenize
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from racer.errors import RacerError
from racer.shelf.files import LIMITS, read_bytes

__all__ = ["explain", "named", "parse_source", "read_source", "shown"]

SHOWN_LINES = 6  # of a failed statement
SHOWN_VALUES = 12
PACKAGE = str(Path(__file__).parents[1])
OWN_FRAMES = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>")
"""Names of code whose variables stand, in part, in the frame around it."""


def read_source(path: Path, error: type[RacerError], must_define: str | None = None) -> tuple[str, ast.Module]:
    """The text of a Python file, in whichever encoding it declares, and its syntax tree.

    Args:
        path: the file.
        error: the kind to raise.
        must_define: name of a function or class that it has to define, assign or import.

    Raises:
        RacerError: of the kind `error`, naming file and line: unreadable, too large, no text, not Python, or
            the name is never defined.
    """
    text = _decoded(path, read_bytes(path, error, LIMITS["source"]), error)
    tree = parse_source(path, text, error)
    if must_define is not None and not _defines(tree, must_define):
        raise error(f"{path}: defines no '{must_define}'; see 'racer new' for an example to start from")
    return text, tree


def parse_source(path: Path, text: str, error: type[RacerError]) -> ast.Module:
    """The syntax tree of a Python source; messages name `path` as its file.

    Raises:
        RacerError: of the kind `error`, naming file and line: it is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes and the like, which run all the same
            return ast.parse(text, filename=str(path))
    except SyntaxError as wrong:
        line = f"\n    {wrong.text.strip()}" if wrong.text else ""
        raise error(f"{path}, line {wrong.lineno or 1}: {type(wrong).__name__}: {wrong.msg}{line}") from wrong
    except (ValueError, RecursionError, MemoryError) as wrong:
        raise error(f"{path}: this cannot be read as Python: {wrong}") from wrong


def explain(wrong: BaseException, path: Path | None, hint: str = "", careful: bool = False) -> str:
    """Say what went wrong where, and which values the statement used.

    Args:
        wrong: what was raised while the learner's code ran.
        path: the learner's file, or None to blame the innermost line that is not racer's. An error in a
            file beside it is that file's.
        hint: to be put after the message.
        careful: ask neither the exception nor any value for its text, since that is learners' code, too.

    Returns:
        `FILE, line N: ExceptionName: message`, then the statement, then the values of what it names.
    """
    said = type(wrong).__name__ if careful else named(wrong)
    if isinstance(wrong, SyntaxError) and wrong.filename and wrong.lineno:  # of what it imports, or evaluates
        text = f"\n    {wrong.text.strip()}" if wrong.text else ""
        return f"{wrong.filename}, line {wrong.lineno}: {said}{text}"
    frames = [(f, line) for f, line in traceback.walk_tb(wrong.__traceback__) if _is_learners(f, path)]
    if not frames:
        return f"{path}: {said}{hint}" if path else f"{said}{hint}"
    frame, line = frames[-1]
    file = frame.f_code.co_filename
    statement, source = _statement(linecache.getlines(file), line)
    message = f"{file}, line {line}: {said}{hint}"
    if source:
        message += "\n" + textwrap.indent(source, "    ")
    if careful:
        return message
    names = _names([f for f, _ in frames])
    values = list(_values(statement, names).items())[:SHOWN_VALUES]
    if values:
        message += "\n    with " + ", ".join(f"{name} = {value}" for name, value in values)
    return message


def named(wrong: BaseException) -> str:
    """`ExceptionName: message`, on one line; whatever the exception does when it is asked for its message."""
    try:
        said = " ".join(str(wrong.msg if isinstance(wrong, SyntaxError) else wrong).split())
    except Exception as worse:
        said = f"(its message cannot be had: {type(worse).__name__})"
    if len(said) > 500:
        said = f"{said[:500]}…"
    return f"{type(wrong).__name__}: {said}" if said else type(wrong).__name__


def shown(value: Any) -> str:
    """A value in at most some 80 characters, whatever it does when it is asked for its text."""
    try:
        short = reprlib.Repr()
        short.maxlist = short.maxtuple = short.maxdict = 4
        short.maxstring = short.maxother = 60
        text = " ".join(short.repr(value).split())
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:79]}…"


def _decoded(path: Path, data: bytes, error: type[RacerError]) -> str:
    encoding = "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding).removeprefix("\ufeff")
    except SyntaxError as wrong:  # an encoding that does not exist, or the first lines are not in it
        if "unknown encoding" in str(wrong) or "encoding problem" in str(wrong):
            raise error(f"{path}, line 1: {wrong.msg}; save the file as UTF-8") from wrong
        line = _first_bad_line(data)
    except UnicodeDecodeError as wrong:
        line = data[: wrong.start].count(b"\n") + 1
    except (LookupError, ValueError) as wrong:  # it declares a code that is no encoding of text, such as rot13
        raise error(f"{path}, line 1: the encoding {encoding!r} is not one of text; save the file as UTF-8") from wrong
    raise error(f"{path}, line {line}: this is not {encoding} text; save the file as UTF-8")


def _first_bad_line(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return data[: wrong.start].count(b"\n") + 1
    return 1


def _is_learners(frame: FrameType, path: Path | None) -> bool:
    file = frame.f_code.co_filename
    if path is None:
        return not file.startswith((PACKAGE, "<frozen"))
    return file == str(path) or (Path(file).parent == path.parent and not file.startswith("<"))


def _statement(lines: list[str], line: int) -> tuple[list[ast.AST], str]:
    """The syntax of the statement at a line (of a compound one its head alone), and its text."""
    here = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    try:
        tree = ast.parse("".join(lines).removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # changed since it was run
        return [], here
    found: ast.stmt | None = None
    for node in ast.walk(tree):  # outer ones come first
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            found = node
    if found is None:
        return [], here
    head = [node for part in _head(found) for node in ast.walk(part)]
    first = found.lineno
    last = max([first, *(getattr(node, "end_lineno", None) or 0 for node in head)])
    if not first <= line <= last:
        return [], here
    text = textwrap.dedent("".join(lines[first - 1 : min(last, first - 1 + SHOWN_LINES)])).rstrip()
    return head, text


def _head(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that are not statements themselves."""
    parts: list[ast.AST] = []
    for field, value in ast.iter_fields(statement):
        if field not in ("body", "orelse", "finalbody", "handlers", "cases"):
            parts += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)]
    return parts


def _names(frames: list[FrameType]) -> dict[str, Any]:
    """What the names in the innermost frame stand for; builtins are left out."""
    names: dict[str, Any] = {}
    for frame in reversed(frames):
        names = {**frame.f_globals, **frame.f_locals, **names} if not names else {**frame.f_locals, **names}
        if frame.f_code.co_name not in OWN_FRAMES:
            break
    return names


def _values(statement: list[ast.AST], names: dict[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for node in statement:
        for text, value in _valued(node, names):
            values.setdefault(text, shown(value))
    return values


def _valued(node: ast.AST, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The value of a name, `name["key"]`, `name.get("key")` or `name.attribute`, if it is safe to look at."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if _is_plain(names.get(name, node)):
            yield name, names[name]
        case (
            ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)))
            | ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="get"),
                args=[ast.Constant(value=str(key)), *_],
            )
        ):
            holder = names.get(name)
            if type(holder) is dict and key in holder:
                yield f"{name}[{key!r}]", holder[key]
        case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Load()):
            inside = getattr(names.get(name), "__dict__", None)
            if type(inside) is dict and _is_plain(inside.get(attribute, node)):
                yield f"{name}.{attribute}", inside[attribute]


def _is_plain(value: Any) -> bool:
    """Whether a value is data: no module, function or class, nor a dict as large as `params`."""
    if isinstance(value, dict):
        return len(value) <= 8
    if isinstance(value, int | float | complex | str | list | tuple | set | type(None)):
        return True
    return type(value).__module__ == "numpy" and not callable(value)


def _defines(tree: ast.Module, name: str) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found):
                if found == name:
                    return True
            case ast.Name(id=found, ctx=ast.Store()):
                if found == name:
                    return True
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                if any(alias.asname == name or alias.name in (name, "*") for alias in imported):
                    return True
    return False
