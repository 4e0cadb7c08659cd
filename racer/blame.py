"""Python files that learners write: reading them as text, and saying where and why they failed."""

from __future__ import annotations

import ast
import io
import linecache
import reprlib
import tokenize
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from racer.errors import RacerError
from racer.files import read_bytes

MAX_BYTES = 5_000_000
PACKAGE = str(Path(__file__).parent)


def read_source(path: Path, error: type[RacerError], must_define: str) -> str:
    """The text of a Python file, in whichever encoding it declares, found to be Python that defines `must_define`.

    Raises:
        RacerError: of the kind `error`, naming file and line: unreadable, too large, no text, not Python, or the name
            is never defined. `must_define` may be a function, a class, or assigned or imported.
    """
    data = read_bytes(path)
    if len(data) > MAX_BYTES:
        raise error(f"{path}: {len(data):,} bytes are no learner's file; the limit is {MAX_BYTES:,}")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding).removeprefix("\ufeff")
        tree = ast.parse(text, filename=str(path))
    except UnicodeDecodeError as wrong:
        line = data[: wrong.start].count(b"\n") + 1
        raise error(f"{path}, line {line}: this is not {wrong.encoding} text; save the file as UTF-8") from wrong
    except SyntaxError as wrong:
        shown = f"\n    {wrong.text.strip()}" if wrong.text else ""
        raise error(f"{path}, line {wrong.lineno or 1}: {type(wrong).__name__}: {wrong.msg}{shown}") from wrong
    except (ValueError, RecursionError, MemoryError) as wrong:
        raise error(f"{path}: this cannot be read as Python: {wrong}") from wrong
    if not _defines(tree, must_define):
        raise error(f"{path}: defines no '{must_define}'; see 'racer new' for an example to start from")
    return text


def explain(wrong: BaseException, path: Path | None, given: Mapping[str, Any] | None = None) -> str:
    """Say what went wrong where, and which values the line used.

    Args:
        wrong: what was raised while the learner's code ran.
        path: the learner's file; None to blame the innermost line that is not racer's.
        given: what the function was called with, to show the keys that the line mentions.

    Returns:
        `FILE, line N: ExceptionName: message`, then the line itself, then the values of the names and keys in it.
    """
    frame, line = _innermost(wrong.__traceback__, path)
    said = "".join(traceback.format_exception_only(wrong)).strip().splitlines()[-1]
    if frame is None:
        return f"{path}: {said}" if path else said
    file = frame.f_code.co_filename
    message = f"{path or file}, line {line}: {said}"
    source = linecache.getline(file, line).strip()
    if source:
        message += f"\n    {source}"
    values = _values(source, frame, given or {})
    return message + (f"\n    with {values}" if values else "")


def _innermost(trace: TracebackType | None, path: Path | None) -> tuple[FrameType | None, int]:
    found: tuple[FrameType | None, int] = (None, 0)
    for frame, line in traceback.walk_tb(trace):
        file = frame.f_code.co_filename
        if file == str(path) or (path is None and not file.startswith(PACKAGE)):
            found = (frame, line)
    return found


def _values(source: str, frame: FrameType, given: Mapping[str, Any]) -> str:
    try:
        tree = ast.parse(source.rstrip(":") if not source.startswith(("if ", "for ", "while ", "with ")) else source + " pass")
    except SyntaxError:
        tree = ast.parse("")
    shown: dict[str, str] = {}
    short = reprlib.Repr()
    short.maxlist = short.maxtuple = 4
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in given:
            shown[f"params[{node.value!r}]"] = short.repr(given[node.value])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in frame.f_locals:
            value = frame.f_locals[node.id]
            if isinstance(value, int | float | str | bool | list | tuple | type(None)):
                shown[node.id] = short.repr(value)
    return ", ".join(f"{name} = {value}" for name, value in shown.items())


def _defines(tree: ast.Module, name: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(alias.asname == name or alias.name in (name, "*") for alias in node.names):
                return True
    return False
