"""A JSON header and named arrays in one `.npz` file: written for everybody, read without trust.

What is written opens with `numpy.load`. What is read may come from a stranger: nothing is unpickled, nothing
is unpacked before the sizes that the zip directory declares were added up, and nothing but `DamagedError`
leaves `unpack`.
"""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FILE_LIMIT", "DamagedError", "pack", "unpack"]

FILE_LIMIT = 16 * 2**20  # bytes on the disk
CONTENT_LIMIT = 64 * 2**20  # bytes once unpacked, all arrays together
MEMBER_LIMIT = 256  # arrays in a file
HEADER_LIMIT = 256 * 2**10  # bytes of JSON
HEADER = "header"

# Format version 1.0 of NumPy's array files, as `numpy.save` writes plain arrays of one or two dimensions.
ARRAY_START = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<dtype>[<|][a-z][0-9])', 'fortran_order': False, "
    rb"'shape': \((?P<rows>[0-9]{1,9}),(?: (?P<columns>[0-9]{1,9}))?\), \} *\n",
    re.DOTALL,
)
DTYPES = {dtype: np.dtype(dtype) for dtype in ("<f8", "<f4", "<i8", "<i4", "<i2", "|u1", "|b1")}


class DamagedError(ValueError):
    """The bytes are not what `pack` writes; the message says why, and the caller which file it was."""


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Give the bytes of a compressed `.npz` file; the same content gives the same bytes.

    Args:
        header: What `json` can write, without NaN.
        arrays: Arrays of one or two dimensions by name.

    Raises:
        ValueError: The content is too large to be read again, or the header holds NaN.
    """
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    size = sum(array.nbytes for array in arrays.values())
    if size > CONTENT_LIMIT // 2 or len(text) > HEADER_LIMIT:
        raise ValueError(
            f"it holds {size / 2**20:.0f} MiB, more than the {CONTENT_LIMIT // 2**21} MiB that fit in a file"
        )
    members = {name: array.astype(array.dtype.newbyteorder("<"), order="C") for name, array in arrays.items()}
    strange = [
        name for name, array in members.items() if array.dtype not in DTYPES.values() or array.ndim not in (1, 2)
    ]
    if strange:
        raise ValueError(f"its array {strange[0]!r} is of a kind that is not read again ({members[strange[0]].dtype})")
    members[HEADER] = np.frombuffer(text, np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Give (header, arrays) of what `pack` wrote; the arrays are read-only.

    Raises:
        DamagedError: The bytes are anything else.
    """
    members = _members(data)
    if HEADER not in members:
        raise DamagedError("it has no header, so it was not written by racer")
    arrays = {name: _array(name, content) for name, content in members.items()}
    return _header(arrays.pop(HEADER)), arrays


def _members(data: bytes) -> dict[str, bytes]:
    """Give the content of a zip archive by name, without the suffix `.npy`."""
    if not data:
        raise DamagedError("it is empty")
    if not data.startswith(b"PK"):
        raise DamagedError("it is another kind of file, or its beginning is damaged")
    if len(data) > FILE_LIMIT:
        raise DamagedError(f"it is larger than {FILE_LIMIT // 2**20} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            directory = archive.infolist()
            size = sum(member.file_size for member in directory)
            if size > CONTENT_LIMIT or len(directory) > MEMBER_LIMIT:
                raise DamagedError(f"it would unpack to {len(directory)} arrays of {size / 2**20:.0f} MiB in all")
            names = [member.filename.removesuffix(".npy") for member in directory]
            if len(set(names)) < len(names):
                raise DamagedError("it holds two arrays of one name")
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in directory):
                raise DamagedError("it is compressed in a way that NumPy does not write")
            return {name: archive.read(member) for name, member in zip(names, directory, strict=True)}
    except DamagedError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError) as error:
        raise DamagedError(f"it is cut short or damaged ({error})") from error
    except (ValueError, RuntimeError, LookupError) as error:  # encrypted, a later zip, names that are no text
        raise DamagedError(f"it is not a file that NumPy wrote ({error})") from error


def _array(name: str, content: bytes) -> NDArray[Any]:
    """Give one member as an array; a size that its bytes do not bear out is refused, not allocated."""
    start = ARRAY_START.match(content)
    dtype = DTYPES.get(start["dtype"].decode()) if start else None
    if start is None or dtype is None or 10 + int.from_bytes(start["length"], "little") != start.end():
        raise DamagedError(f"its array {name!r:.80} is of a kind that racer does not write")
    columns = start["columns"]
    rows = int(start["rows"])
    count = rows if columns is None else rows * int(columns)
    if len(content) - start.end() != count * dtype.itemsize:
        raise DamagedError(f"its array {name!r:.80} does not have the size it declares")
    flat: NDArray[Any] = np.frombuffer(content[start.end() :], dtype)
    array = flat if columns is None else flat.reshape(rows, int(columns))
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise DamagedError(f"its array {name!r:.80} holds a value that is not finite, in row {_first_bad(array)}")
    if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise DamagedError(f"its array {name!r:.80} holds a value that is neither true nor false")
    return array


def _first_bad(array: NDArray[Any]) -> int:
    return int(np.argwhere(~np.isfinite(array))[0][0])


def _header(content: NDArray[Any]) -> dict[str, Any]:
    if content.dtype != np.uint8 or content.ndim != 1 or content.size > HEADER_LIMIT:
        raise DamagedError("its header is not a text")
    try:
        header = json.loads(content.tobytes(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise DamagedError("its header is not a record")
    return header


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
