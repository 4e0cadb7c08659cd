"""Files that are whole or not there: atomic writes, and reads that say what is wrong.

Invariant: a reader sees a file's old content or its new content, never a part, also when a writer is killed.
A write that fails leaves the old file; one that is killed may leave a hidden `.NAME.*.tmp*` beside it.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from racer.errors import FileError, RacerError, RunError
from racer.shelf.parsing import parse_json, parse_text

__all__ = [
    "LIMITS",
    "file_error",
    "make_folder",
    "open_plain",
    "read_bytes",
    "read_json",
    "read_text",
    "refuse_existing",
    "refuse_links",
    "replacing",
    "user_cache",
    "write_atomically",
]

LIMITS = {
    "settings": 2**20,  # JSON that people write; the largest seen has 3 kB
    "yaml": 2**17,  # read a thousand times slower than JSON
    "source": 200_000,  # Python; the longest public reward has 60 kB
    "track": 4 * 2**20,  # the largest real route has 30 kB
    "json": 32 * 2**20,  # JSON that programs write: a run's tracks, metrics of each episode
    "replay": 16 * 2**20,
    "log": 256 * 2**20,
    "weights": 256 * 2**20,
    "model": 32 * 2**20,  # a driver to enter a race with; racer's own have up to 5 MB, imported ones up to 24
    "leaderboard": 4 * 2**30,  # a SQLite file of some 200,000 entries, with what was driven
}
"""How many bytes racer reads of a file, by what it is: many times what is real, and still read in seconds."""

READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

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


def write_atomically(path: str | Path, data: bytes | str, *, within: str | Path | None = None) -> None:
    """Write a whole file at once: the old content stays until the new one is safely on the disk.

    Args:
        path: The file to write; its folder must exist. Permissions of an existing file are kept.
        data: The content; text is written as UTF-8 with newlines as they are.
        within: A folder around it that others may have made, such as a run's: no link in it is followed.

    Raises:
        FileError: The file cannot be written (disk full, read-only folder, …); the old file is untouched.
        RunError: Between `within` and the file is a link.
    """
    content = data.encode() if isinstance(data, str) else data
    with replacing(path, within=within) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: str | Path, *, within: str | Path | None = None) -> Iterator[Path]:
    """Give a temporary path in the same folder that takes the file's name when the block succeeds.

    For libraries that write files themselves. The temporary name keeps the suffix, because many libraries
    choose the format by it. If the block raises, the temporary file is removed and the old file stays.

    Args:
        path: The file to write; its folder must exist. If it is a link, the file behind it is replaced.
        within: A folder around it that others may have made, such as a run's: no link in it is followed.

    Yields:
        The path to write to, not yet existing.

    Raises:
        FileError: The block or the renaming met an `OSError`, or the block wrote nothing.
        RunError: Between `within` and the file is a link.
    """
    if within is not None:
        refuse_links(path, within)
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


def make_folder(path: str | Path, *, within: str | Path | None = None) -> Path:
    """Make a folder with its parents, if it is not there yet.

    Args:
        path: The folder.
        within: A folder around it that others may have made, such as a run's: no link in it is followed.

    Raises:
        FileError: The folder cannot be made, or a file is in its place.
        RunError: Between `within` and the folder is a link.
    """
    folder = Path(path)
    if within is not None:
        refuse_links(folder, within)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(f"cannot make the folder {folder}: a file of that name is in its place") from error
    except OSError as error:
        raise file_error("make the folder", folder, error) from error
    return folder


def user_cache() -> Path:
    """Folder of what can be worked out again: `racer` in `XDG_CACHE_HOME`, else in `~/.cache`. It need not exist.

    Raises:
        FileError: The user has no home.
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # Others than absolute ones are to be ignored, says the specification of the variable.
        return (chosen if chosen.is_absolute() else Path.home() / ".cache") / "racer"
    except RuntimeError as error:
        raise FileError(f"there is no folder for racer's cache: {error}; set XDG_CACHE_HOME to one") from error


def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
    """Refuse to write where something is, links that lead nowhere included.

    Raises:
        FileError: something is there, and it is not to be overwritten.
    """
    if not overwrite and os.path.lexists(path):
        raise FileError(f"{path} exists already and is kept; choose another name, or replace it with --force")


def refuse_links(
    path: str | Path, within: str | Path, error: type[RacerError] = RunError, *, in_place: bool = False
) -> None:
    """Refuse a path with a link in it, as a stranger's folder may hold: writing there would change another file.

    Args:
        path: A file or folder, there or not yet.
        within: The folder that it lies in; this one and what is above it may be links, they are the user's own.
        error: The class to raise.
        in_place: Whether the file is added to and not replaced: then hard links are refused, too.

    Raises:
        RacerError: As `error`: below `within`, the path or a folder on the way to it is a link.
    """
    part = Path(within)
    for name in Path(path).relative_to(part).parts:
        part = part / name
        if part.is_symlink():
            raise error(f"{part} is a link; racer follows no links inside {within}. Replace it by what it leads to.")
    if in_place and part.is_file() and part.stat().st_nlink > 1:
        raise error(f"{part} is a hard link: a file of another name would change with it. Replace it by a copy.")


def open_plain(path: str | Path, error: type[RacerError] = FileError) -> BufferedReader:
    """Open a plain file for reading.

    Args:
        path: The file to read.
        error: The class to raise.

    Raises:
        RacerError: As `error`: the file is missing, unreadable, or no plain file (a folder, pipe, socket or
            device, which is not even opened: it might never end).
    """
    try:
        _refuse_special(path, os.stat(path).st_mode, error)  # noqa: PTH116 (a Path cannot hold every text)
        file = open(os.open(path, READ_FLAGS), "rb")  # noqa: PTH123, SIM115 (that waits for nobody)
        _refuse_special(path, os.fstat(file.fileno()).st_mode, error)
    except RacerError:
        raise
    except OSError as cause:
        raise error(f"cannot read {path}: {_reason(cause)}") from cause
    except ValueError as cause:  # a null byte in the name
        raise error(f"cannot read {str(path)!r}: {cause}") from cause
    return file


def read_bytes(path: str | Path, error: type[RacerError] = FileError, limit: int = LIMITS["weights"]) -> bytes:
    """Read a whole file.

    Args:
        path: The file to read.
        error: The class to raise, for instance `TrackError` when a track is read.
        limit: How many bytes it may have; see `LIMITS`.

    Raises:
        RacerError: As `error`: the file is no plain file that can be read, or larger than the limit.
    """
    try:
        with open_plain(path, error) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(limit + 1) if size <= limit else b""
    except RacerError:
        raise
    except OSError as cause:
        raise error(f"cannot read {path}: {_reason(cause)}") from cause
    size = max(size, len(data))
    if size > limit:
        raise error(
            f"cannot read {path}: it is too large, {size:,} bytes; racer reads such files up to {limit:,} bytes"
        )
    return data


def read_text(path: str | Path, error: type[RacerError] = FileError, limit: int = LIMITS["json"]) -> str:
    """Read a whole UTF-8 file; drops a byte order mark, unifies newlines, raises like `read_bytes`."""
    return parse_text(read_bytes(path, error, limit), path, error)


def read_json(path: str | Path, error: type[RacerError] = FileError, limit: int = LIMITS["json"]) -> Any:
    """Read a JSON file strictly: NaN and infinities, which JSON does not have, are refused.

    Args:
        path: The file to read.
        error: The class to raise.
        limit: How many bytes it may have; see `LIMITS`.

    Raises:
        RacerError: As `error`: the file cannot be read or is no JSON (the message names the line), it nests
            deeper than 64 levels, or holds a whole number of more than 64 bits.
    """
    return parse_json(read_text(path, error, limit), path, error)


def _refuse_special(path: str | Path, mode: int, error: type[RacerError]) -> None:
    """Let plain files pass alone; opening a pipe waits for a writer, and a device never ends."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise error(f"cannot read {path}: it is not a plain file but a {_special(mode)}; copy it into one first")


def _special(mode: int) -> str:
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


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
