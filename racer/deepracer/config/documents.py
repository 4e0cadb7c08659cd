"""A settings file's content, wherever it lies: on the disk, or in an archive that nobody unpacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racer.errors import DeepRacerError
from racer.shelf import LIMITS, parse_json, parse_text, read_bytes

__all__ = ["Document", "Source", "json_of", "read_document", "text_of"]


@dataclass(frozen=True)
class Document:
    """A file that was read.

    Attributes:
        path: the file; of one in an archive, the archive's path with the file's name below it.
        data: its content.
        packed: whether it lies in an archive, so that there is no file of this path.
    """

    path: Path
    data: bytes
    packed: bool = False


Source = str | Path | Document


def read_document(source: Source, limit: int = LIMITS["settings"]) -> Document:
    """Read a file, unless it was read.

    Raises:
        DeepRacerError: it cannot be read, or is larger than the limit, in bytes.
    """
    if not isinstance(source, Document):
        return Document(Path(source), read_bytes(source, DeepRacerError, limit))
    if len(source.data) > limit:
        raise DeepRacerError(
            f"cannot read {source.path}: it is too large, {len(source.data):,} bytes; racer reads such files up to "
            f"{limit:,} bytes"
        )
    return source


def text_of(source: Source, limit: int = LIMITS["settings"]) -> tuple[Path, str]:
    """The path and the text of a file.

    Raises:
        DeepRacerError: it cannot be read, or is no UTF-8.
    """
    document = read_document(source, limit)
    return document.path, parse_text(document.data, document.path, DeepRacerError)


def json_of(source: Source) -> tuple[Path, Any]:
    """The path of a JSON file, and its value.

    Raises:
        DeepRacerError: it cannot be read, or is no JSON.
    """
    path, text = text_of(source)
    return path, parse_json(text, path, DeepRacerError)
