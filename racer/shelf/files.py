"""Files that are whole or not there: atomic writes, and reads that say what is wrong.

Invariant: a reader sees a file's old content or its new content, never a part, also when a writer is killed.
A write that fails leaves the old file; one that is killed may leave a hidden `.NAME.*.tmp*` beside it.
"""

import contextlib
import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from racer.errors import FileError, RacerError

__all__ = [
    "file_error",
    "make_folder",
    "read_bytes",
    "read_json",
    "read_text",
    "replacing",
    "write_atomically",
]

READ_LIMIT = 256 * 2**20  # bytes; nothing racer reads is near it, and a device such as /dev/zero never ends

ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "your disk quota is used up; free some space and try again",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission; choose another folder or change its permissions",
    errno.EPERM: "no permission; choose another folder or change its permissions",
    errno.ENOENT: "no such file or folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENAMETOOLONG: "the name is too long",
}


def write_atomically(path: str | Path, data: bytes | str) -> None:
    """Write a whole file at once: the old content stays until the new one is safely on the disk.

    Args:
        path: The file to write; its folder must exist. Permissions of an existing file are kept.
        data: The content; text is written as UTF-8 with newlines as they are.

    Raises:
        FileError: The file cannot be written (disk full, read-only folder, …); the old file is untouched.
    """
    content = data.encode() if isinstance(data, str) else data
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder that takes the file's name when the block succeeds.

    For libraries that write files themselves. The temporary name keeps the suffix, because many libraries
    choose the format by it. If the block raises, the temporary file is removed and the old file stays.

    Args:
        path: The file to write; its folder must exist.

    Yields:
        The path to write to, not yet existing.

    Raises:
        FileError: The block or the renaming met an `OSError`, or the block wrote nothing.
    """
    target = _real(path)
    try:
        mode = _mode_of(target)
        temporary = target.with_name(f".{target.stem[:30]}.{secrets.token_hex(4)}.tmp{target.suffix}")
        try:
            yield temporary
            _sync(temporary)
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except RacerError:
        raise
    except OSError as error:
        raise file_error("write", Path(path), error) from error


def make_folder(path: str | Path) -> Path:
    """Make a folder with its parents, if it is not there yet.

    Raises:
        FileError: The folder cannot be made, or a file is in its place.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(f"cannot make the folder {folder}: a file of that name is in its place") from error
    except OSError as error:
        raise file_error("make the folder", folder, error) from error
    return folder


def read_bytes(path: str | Path, error: type[RacerError] = FileError) -> bytes:
    """Read a whole file.

    Args:
        path: The file to read.
        error: The class to raise, for instance `TrackError` when a track is read.

    Raises:
        RacerError: As `error`: the file is missing, a folder, unreadable, or larger than 256 MiB.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(READ_LIMIT + 1)
    except OSError as cause:
        raise error(f"cannot read {path}: {_reason(cause)}") from cause
    except ValueError as cause:  # a null byte in the name
        raise error(f"cannot read {str(path)!r}: {cause}") from cause
    if len(data) > READ_LIMIT:
        size = f"{READ_LIMIT // 2**20} MiB"
        raise error(f"cannot read {path}: it is larger than {size}, so it is none of racer's files")
    return data


def read_text(path: str | Path, error: type[RacerError] = FileError) -> str:
    """Read a whole UTF-8 file; drops a byte order mark, unifies newlines, raises like `read_bytes`."""
    data = read_bytes(path, error)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = data[: cause.start].count(b"\n") + 1
        byte = f"0x{data[cause.start]:02x}"
        raise error(f"{path}, line {line}: not UTF-8 text (byte {byte}); save it as UTF-8") from cause
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, error: type[RacerError] = FileError) -> Any:
    """Read a JSON file strictly: NaN and infinities, which JSON does not have, are refused.

    Args:
        path: The file to read.
        error: The class to raise.

    Raises:
        RacerError: As `error`: the file cannot be read or is no JSON; the message names the line.
    """
    text = read_text(path, error)
    if not text.strip():
        raise error(f"{path} is empty")
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as cause:
        where = f"{path}, line {cause.lineno}"
        raise error(f"{where}: not valid JSON ({cause.msg}); is the file cut short?") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{path}: not valid JSON ({cause})") from cause


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text)


def _real(path: str | Path) -> Path:
    """The file behind a link, which is written through and not replaced."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as cause:  # a null byte in the name
        raise FileError(f"cannot write {str(path)!r}: {cause}") from cause


def _mode_of(target: Path) -> int | None:
    """Permissions of an existing file; refuses what is no plain file: renaming would replace /dev/null."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if target.parent.is_dir():
            return None
        reason = f"the folder {target.parent} does not exist; make it first"
        raise FileError(f"cannot write {target}: {reason}") from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not stat.S_ISREG(mode):
        raise FileError(f"cannot write {target}: it is not a plain file; choose another name")
    return stat.S_IMODE(mode)


def _sync(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_error(verb: str, path: Path, cause: OSError) -> FileError:
    """What to raise where the system would not `verb` a file: what is wrong, and what to do about it."""
    error = FileError(f"cannot {verb} {path}: {_reason(cause)}")
    error.errno = cause.errno
    return error


def _reason(cause: OSError) -> str:
    advice = ADVICE.get(cause.errno) if cause.errno is not None else None
    return advice or cause.strerror or str(cause) or type(cause).__name__
