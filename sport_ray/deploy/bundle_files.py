"""The files of a bundle, each with the sha256 that the manifest states; sizes are limited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sport_ray.canonical import digest, readable_json
from sport_ray.constraints.mixture import MOST_PARTS
from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.untrusted_files import TooLarge, read_bytes

SCHEMA = "sport-ray/bundle/3"
MANIFEST = "manifest.json"
CERTIFICATE = "certificate.json"
CODE = "constraint_code"
"""In the manifest: what the code of a constraint of the user's was."""
PARTS = "parts"
"""In the manifest's task: the policies of a mixture, one for each part."""
POLICY_FILES = ("policy.json", "policy.safetensors")
SAMPLER_FILES = ("sampler.json",)
SELECTOR_FILES = ("selector.json", "selector.safetensors")
KINDS = {"base": (POLICY_FILES, SAMPLER_FILES), "task": (POLICY_FILES, SELECTOR_FILES)}
"""What each folder holds: one of these."""
LARGEST_JSON, LARGEST_WEIGHTS = 2**26, 2**31
"""Bytes; nothing larger is taken into memory."""


class TaskDamaged(UserError):
    """All but the task policy is intact: the base policy could be played."""


def read_manifest(folder: Path, expect: str | None = None) -> dict[str, Any]:
    """The manifest, byte for byte what its content and digest make it.

    Raises:
        UserError: none there, damaged, altered, or of another schema; or not the one expected.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise UserError(f"{path} does not exist: make a bundle with `sport-ray export`")
    data = _read(path, str(path), LARGEST_JSON)
    try:
        document = json.loads(data)
        body = {key: value for key, value in document.items() if key != "digest"}
        unchanged = digest(body) == document["digest"] and readable_json(document) == data
        if document["schema"] != SCHEMA:
            shown = plain(document["schema"])[:80]
            raise UserError(f"{path} has schema {shown!r}, expected {SCHEMA!r}: export it again")
        if not isinstance(document["files"], dict):
            raise TypeError("files must be an object")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged: {plain(error)[:200]}") from None
    if not unchanged:
        raise UserError(f"{path} was altered: its digest does not match its content")
    if expect is not None and document["digest"] != expect:
        raise UserError(f"{path} is another bundle: its digest is {plain(document['digest'])[:80]}")
    return dict(document)


def kind_of(who: str, names: Collection[str]) -> tuple[str, ...]:
    """The files of a folder (``base``, ``task``, ``task/0`` …) of a bundle; of none, a policy's.

    Raises:
        UserError: files of two kinds, of which one is not what acts.
    """
    kinds = KINDS[who.partition("/")[0]]
    found = [kind for kind in kinds if any(f"{who}/{name}" in names for name in kind)]
    if len(found) > 1:
        raise UserError(f"{who}/ holds {found[0][0]} and {found[1][0]}: only one of them can act")
    return found[0] if found else POLICY_FILES


def task_folders(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The folder of the task policy; of a mixture one for each part.

    Raises:
        ValueError: no list of parts, or an empty one.
    """
    parts = manifest["task"].get(PARTS)
    if parts is None:
        return ("task",)
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise ValueError(f"a mixture's task policies are a list of 1 to {MOST_PARTS}")
    return tuple(f"task/{number}" for number in range(len(parts)))


def required(names: Collection[str], tasks: Sequence[str] = ("task",)) -> tuple[str, ...]:
    """All that a bundle with these files must have beside its manifest.

    tasks: its folders of task policies.

    Raises:
        UserError: files of two kinds.
    """
    folders = (f"{who}/{name}" for who in ("base", *tasks) for name in kind_of(who, names))
    return (CERTIFICATE, *folders)


def read_file(folder: Path, name: str, expected: str) -> bytes:
    """A file of the manifest, with the sha256 that it states there.

    Raises:
        ValueError: a name that leads out of the folder.
        UserError: it does not exist, cannot be read, is too large, or was altered.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or plain(name) != name:
        raise ValueError(f"{plain(name)[:200]!r} is not a file of the bundle")
    kind = TaskDamaged if name.startswith("task/") else UserError
    try:
        data = _read(
            folder / name, name, LARGEST_JSON if name.endswith(".json") else LARGEST_WEIGHTS
        )
    except UserError as error:
        raise kind(str(error)) from None
    if hashlib.sha256(data).hexdigest() != expected:
        raise kind(f"{name} was altered: its sha256 is not the one in {MANIFEST}")
    return data


def _read(path: Path, name: str, most: int) -> bytes:
    try:
        return read_bytes(path, most)
    except TooLarge:
        raise UserError(
            f"{name} has more than {most} bytes, which no file of a bundle has"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{name} does not exist: the bundle is not whole") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from None
