"""Canonical JSON, digests and atomic writes: what every file that carries a promise rests on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> bytes:
    """The one byte string of a JSON value: sorted keys, no spaces, NaN and infinity refused.

    >>> canonical_json({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def digest(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part of it.

    A file that merely exists proves nothing after a full disk or a power cut, so the data is
    flushed to the device under a temporary name first and then renamed; and the name is flushed
    too, so that a record never outlives the policy that was written before it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not named by process: two threads, or two machines on one disk, may write the same file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names; there are file systems that cannot."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def readable_json(value: Any) -> bytes:
    """The bytes that ``write_json`` writes: indented, sorted keys, NaN and infinity refused."""
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON atomically."""
    write_atomic(path, readable_json(value))


def write_identified(
    manifest: Path,
    weights: tuple[Path, bytes],
    identity: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write weights, then the manifest that names them; the digest (sha256, hex) of the identity.

    The provenance stands beside it and is not covered. Where the manifest is, its weights are.
    """
    found = digest(identity)
    write_atomic(*weights)
    write_json(manifest, {**identity, "digest": found, "provenance": provenance})
    return found
