"""A way of choosing: how many candidates, and by which score; in memory and on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

import sport_ray.selection.scores  # noqa: F401  each registers itself, for whoever reads one
from sport_ray.canonical import digest, write_identified
from sport_ray.errors import UserError
from sport_ray.selection.limits import MOST_CANDIDATES
from sport_ray.selection.score import Score, score_class
from sport_ray.untrusted_files import read_bytes

SCHEMA = "sport-ray/selector/1"
MANIFEST = "selector.json"
WEIGHTS = "selector.safetensors"
LARGEST_MANIFEST = 2**24
LARGEST_WEIGHTS = 2**28
"""Bytes."""


@dataclass(frozen=True)
class Selector:
    """Choose among ``num_candidates`` (M) actions of the base by a score.

    Raises:
        UserError: fewer than 2 candidates, or more than 4,096.
    """

    num_candidates: int
    score: Score

    def __post_init__(self) -> None:
        if not 2 <= self.num_candidates <= MOST_CANDIDATES:
            raise UserError(
                f"num_candidates must lie in 2 … {MOST_CANDIDATES}, got {self.num_candidates}"
            )

    @property
    def digest(self) -> str:
        """sha256 (hex) over M, the score and the bytes of its arrays."""
        return digest(self._identity(save(self.score.arrays())))

    def _identity(self, weights: bytes) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "num_candidates": self.num_candidates,
            "score": {"name": self.score.name, **self.score.to_json()},
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }

    def save(self, folder: Path, provenance: dict[str, Any]) -> str:
        """Write ``selector.safetensors`` and ``selector.json`` into a folder; the digest."""
        folder, weights = Path(folder), save(self.score.arrays())
        identity = self._identity(weights)
        return write_identified(
            folder / MANIFEST, (folder / WEIGHTS, weights), identity, provenance
        )


def load_selector(folder: Path) -> tuple[Selector, dict[str, Any]]:
    """The selector in a folder, checked, and how it was made.

    Raises:
        UserError: anything that does not match, naming the file.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = read_bytes(path, LARGEST_MANIFEST)
        weights = read_bytes(Path(folder) / WEIGHTS, LARGEST_WEIGHTS)
    except (ValueError, OSError) as error:
        raise UserError(f"selector file {path} is damaged: {error!r}") from None
    return selector_from_bytes(manifest, weights, Path(folder))


def selector_from_bytes(
    data: bytes, weights: bytes, folder: Path
) -> tuple[Selector, dict[str, Any]]:
    """The selector of these two files' bytes; ``folder`` is where errors say they are.

    Raises:
        UserError: anything that does not match, naming the file.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(data)
        identity = {
            key: manifest[key] for key in ("schema", "num_candidates", "score", "weights_sha256")
        }
        claimed, provenance = manifest["digest"], dict(manifest.get("provenance", {}))
        count, about = identity["num_candidates"], dict(identity["score"])
        if identity["schema"] != SCHEMA:
            raise UserError(
                f"selector file {path} has schema {identity['schema']!r}, expected {SCHEMA!r}"
            )
        if hashlib.sha256(weights).hexdigest() != identity["weights_sha256"]:
            raise UserError(f"selector file {folder / WEIGHTS} is damaged: its sha256 differs")
        if digest(identity) != claimed:
            raise UserError(f"selector file {path} is damaged: its digest does not match")
        if type(count) is not int:
            raise TypeError(f"num_candidates is {count!r}")
        kind = score_class(about.pop("name", None))
        found = Selector(count, kind.from_parts(about, load(weights)))
    except UserError:
        raise
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError
    ) as error:  # fmt: skip
        reason = " ".join(repr(error).split())[:300]
        raise UserError(f"selector file {path} is damaged: {reason}") from None
    if found.digest != claimed:
        raise UserError(f"selector file {path} was not read as it is: its digest differs")
    return found, provenance
