"""Reading safetensors with numpy alone: length, JSON header, raw little-endian numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError

LARGEST_HEADER = 2**20
"""Bytes; a policy's header has a few hundred."""


def read_tensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The tensors of a safetensors file, all of them float32; read-only arrays.

    Layout: 8 bytes n (little-endian), n bytes of JSON ``{name: {dtype, shape, data_offsets}}``,
    then the data. The tensors must cover the data exactly: no gap, no overlap, nothing behind.

    Raises:
        UserError: anything else, another dtype, or a number that is not finite.

    Source: the format's description, https://huggingface.co/docs/safetensors.
    """
    try:
        return _read(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"weights are not a safetensors file of float32 numbers: {error}") from None


def _read(data: bytes) -> dict[str, NDArray[np.float32]]:
    if len(data) < 8:
        raise ValueError(f"{len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > min(LARGEST_HEADER, len(data) - 8):
        raise ValueError(f"its header has {size} bytes")
    header = json.loads(data[8 : 8 + size], object_pairs_hook=_once)
    body = data[8 + size :]
    header.pop("__metadata__", None)
    found: dict[str, NDArray[np.float32]] = {}
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if set(entry) != {"dtype", "shape", "data_offsets"} or entry["dtype"] != "F32":
            raise ValueError(f"tensor {name!r} is described by {entry}")
        shape, (start, stop) = entry["shape"], entry["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (*shape, start, stop))
        if not whole or start != end or stop - start != 4 * math.prod(shape) or stop > len(body):
            raise ValueError(f"tensor {name!r} has shape {shape} and bytes {start} to {stop}")
        array = np.frombuffer(body[start:stop], dtype="<f4").reshape(shape)
        if not np.isfinite(array).all():
            raise ValueError(f"tensor {name!r} holds numbers that are not finite")
        found[name] = array
        end = stop
    if end != len(body):
        raise ValueError(f"{len(body) - end} bytes belong to no tensor")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which no key is given twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found
