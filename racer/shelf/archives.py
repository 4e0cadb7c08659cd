"""Archives (`.gz`, `.tar`, `.tar.gz`) read in memory, as the consoles of cloud services give them.

Invariant: nothing is written to the disk. A name in an archive is a label and never a path; only plain files are
read, and no archive, however it was made, takes more memory than `limit` or more than `UNPACKED` bytes of
decompression.
"""

import gzip
import itertools
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from racer.errors import FileError, RacerError
from racer.shelf.files import LIMITS, open_plain

__all__ = ["Archive", "is_archive", "read_archive"]

UNPACKED = 2**30  # bytes, of what is passed over as well
MOST_MEMBERS = 4_000
MOST_AT_ONCE = 4096  # bytes in one read: headers of a tar file are not longer, unless somebody means harm
GZIP, TAR = b"\x1f\x8b", b"ustar"
BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError)


@dataclass(frozen=True)
class Archive:
    """What was read of an archive.

    Attributes:
        files: The wanted files, by the names that they have in it; of two with one name, the later one.
        complete: Whether the archive was read to its end; if not, it was cut short, and so may be the last file.
    """

    files: dict[str, bytes]
    complete: bool


def is_archive(path: str | Path, error: type[RacerError] = FileError) -> bool:
    """Whether a file is an archive, by its content.

    Raises:
        RacerError: As `error`: the file cannot be read.
    """
    with open_plain(path, error) as file:
        head = file.read(512)
    return head.startswith(GZIP) or _is_tar(head)


def read_archive(
    path: str | Path, wanted: Callable[[str], bool], error: type[RacerError] = FileError, limit: int = LIMITS["log"]
) -> Archive:
    """Read the wanted files of an archive.

    A single compressed file is an archive of one, which has its name without `.gz`.

    Args:
        path: The archive.
        wanted: Whether a file of this name is wanted.
        error: The class to raise.
        limit: How many bytes the wanted files may have together.

    Raises:
        RacerError: As `error`: the archive cannot be read, is damaged from its start, or holds too much.
    """
    source = Path(path)
    try:
        with _opened(source, error) as stream:
            head = stream.read(512)
            tar = _is_tar(head)
        with _opened(source, error) as stream:
            if tar:
                files = _members(source, stream, wanted, error, limit)
            else:
                name = source.name.removesuffix(".gz")
                files = {name: _only_file(source, stream, error, limit)} if wanted(name) else {}
            return Archive(files, not stream.cut)
    except BROKEN as wrong:
        if isinstance(wrong, RacerError):
            raise
        raise error(f"{source} is a damaged archive: {wrong}") from wrong


class _Limited:
    """A stream for `tarfile`, read forwards, that ends where the compressed data are cut."""

    def __init__(self, raw: BufferedReader | gzip.GzipFile, path: Path, error: type[RacerError]) -> None:
        self.raw, self.path, self.error = raw, path, error
        self.position, self.cut = 0, False

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise tarfile.ReadError(f"it has a header of {size:,} bytes")
        if self.position > UNPACKED:
            raise self.error(f"{self.path} holds more than {LIMITS['archive']:,} bytes; unpack what you need of it")
        data = b""
        try:
            while len(data) < size and (part := self.raw.read1(size - len(data))):  # read() loses what is before a cut
                data += part
        except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
            if not self.position and not data:
                raise tarfile.ReadError(str(wrong)) from wrong
            self.cut = True
        self.position += len(data)
        return data

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> None:
        while self.position < position and self.read(min(MOST_AT_ONCE, position - self.position)):
            pass
        if self.position > position:
            raise tarfile.ReadError("its files overlap")


@contextmanager
def _opened(path: Path, error: type[RacerError]) -> Iterator[_Limited]:
    with open_plain(path, error) as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        yield _Limited(gzip.GzipFile(fileobj=file) if packed else file, path, error)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == TAR


def _members(
    path: Path, stream: _Limited, wanted: Callable[[str], bool], error: type[RacerError], limit: int
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
        for number in itertools.count():
            try:
                member = tar.next()
            except tarfile.ReadError:
                if not files:
                    raise
                stream.cut, member = True, None
            if member is None:
                break
            if number >= MOST_MEMBERS:
                raise error(f"{path} holds more than {MOST_MEMBERS:,} files; unpack what you need of it")
            name = str(PurePosixPath(member.name))
            if member.isreg() and not member.issparse() and wanted(name):
                if member.size > limit - sum(map(len, files.values())):
                    raise error(_too_much(path, limit))
                stream.seek(member.offset_data)
                files[name] = b"".join(_parts(stream, member.size))
                stream.cut |= len(files[name]) < member.size
    return files


def _only_file(path: Path, stream: _Limited, error: type[RacerError], limit: int) -> bytes:
    data = b"".join(_parts(stream, limit + 1))
    if len(data) > limit:
        raise error(_too_much(path, limit))
    return data


def _parts(stream: _Limited, size: int) -> Iterator[bytes]:
    """The next bytes, up to `size`, or up to where the stream ends."""
    while size > 0 and (part := stream.read(min(size, MOST_AT_ONCE))):
        yield part
        size -= len(part)


def _too_much(path: Path, limit: int) -> str:
    return f"{path} holds too much: racer reads up to {limit:,} bytes of such files; unpack what you need of it"
