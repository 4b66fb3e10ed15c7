"""Segments on disk: one npz file of four arrays, without pickle, that any tool can write."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from sport_ray.adapters.normalization import read_npz_file
from sport_ray.canonical import write_atomic
from sport_ray.errors import UserError
from sport_ray.presa.segments import Segments, make_segments

ARRAYS = ("observations", "actions", "pairs", "unsafe")


def save_segments(path: Path, segments: Segments) -> None:
    """Write ``observations``, ``actions``, ``pairs`` and ``unsafe`` as an npz file."""
    buffer = io.BytesIO()
    arrays = {name: getattr(segments, name) for name in ARRAYS}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomic(Path(path), buffer.getvalue())


def load_segments(path: Path) -> Segments:
    """Read and check such a file.

    Raises:
        UserError: nothing there, an array that is missing or unknown, or what ``make_segments``
            refuses, with the file's name.
    """
    arrays = read_npz_file(Path(path))
    for name in sorted(set(arrays) - set(ARRAYS)):
        raise UserError(f"{path}: unknown array {name!r}; expected {', '.join(ARRAYS)}")
    for name in ARRAYS:
        if name not in arrays:
            raise UserError(f"{path}: the array {name!r} is missing")
    try:
        return make_segments(*(arrays[name] for name in ARRAYS))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def segments_digest(segments: Segments) -> str:
    """sha256 (hex) of the numbers, however a file stores them."""
    hasher = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(getattr(segments, name))
        hasher.update(f"{name} {array.dtype.str} {array.shape}".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()
