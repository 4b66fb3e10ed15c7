"""Files of others, read only as far as there is room: sizes are checked before memory is taken.

A few bytes can claim to be gigabytes: a zip's members expand a thousandfold, an array's header
gives any shape. What a file claims is compared with a limit, and with what there is.
"""

from __future__ import annotations

import errno
import io
import json
import math
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**28
"""Bytes of a file, or of all that a zip expands to."""
MOST_MEMBERS = 10_000
MOST_DIMENSIONS = 32


UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)
"""What reading a damaged, encrypted or oddly compressed zip raises, beside OSError."""


class TooLarge(ValueError):
    """A file that is, or claims to be, larger than is read."""


def read_bytes(path: Path, limit: int = LARGEST) -> bytes:
    """A file's bytes.

    Raises:
        TooLarge: there are more than ``limit``.
        OSError: it cannot be read, or is a pipe or device, which may never end.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode) and not Path(path).is_dir():
        raise OSError(errno.EINVAL, "no regular file", str(path))
    with Path(path).open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"larger than {limit} bytes")
    return data


def require_small(archive: zipfile.ZipFile, limit: int = LARGEST) -> None:
    """Refuse a zip that claims to expand to more than ``limit`` bytes, or has too many members.

    Raises:
        TooLarge: with what it claims.
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise TooLarge(f"{len(members)} files in it, more than {MOST_MEMBERS}")
    total = sum(member.file_size for member in members)
    if total > limit:
        raise TooLarge(f"it expands to {total} bytes, more than {limit}")


def read_member(archive: zipfile.ZipFile, name: str, limit: int = LARGEST) -> bytes:
    """The bytes of a member.

    Raises:
        KeyError: no such member. TooLarge: more than ``limit``.
    """
    if archive.getinfo(name).file_size > limit:
        raise TooLarge(f"{name} in it is larger than {limit} bytes")
    with archive.open(name) as member:
        return member.read(limit + 1)  # never more than it claims


def json_object(text: bytes) -> dict[str, Any]:
    """A JSON object that every reader reads alike.

    Raises:
        ValueError: no object, a name that one has twice, or NaN and its like, which JSON has not.
    """
    found = json.loads(text, object_pairs_hook=without_repeats, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names, for ``json.loads``; ValueError where one is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def read_arrays(path: Path, limit: int = LARGEST) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file, without pickle.

    Raises:
        TooLarge, or ValueError: an array whose header claims another size than its bytes have, or
            that holds objects. OSError, zipfile.BadZipFile: no such file.
    """
    found = {}
    with zipfile.ZipFile(path) as archive:
        require_small(archive, limit)
        for name in archive.namelist():
            if not name.endswith(".npy"):
                raise ValueError(f"{name} in it is no array")
            data = read_member(archive, name, limit)
            found[name.removesuffix(".npy")] = _array(name, data)
    return found


def _array(name: str, data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"{name} in it is of a version that is not read, {version}")
    claimed, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if not dtype.hasobject and (claimed != there or len(shape) > MOST_DIMENSIONS):
        raise ValueError(f"{name} in it claims {claimed} bytes and has {there}")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array
