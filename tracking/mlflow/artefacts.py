"""The files that go to MLflow: each cell's record and policy, the sweep's certificate and report.

A file of the sweep is sent again only when its content has changed: a tag of the parent run has
what was sent. Policies of up to `MAX_POLICY_BYTES` lie beside the record in each run that uses
them, where whoever opens a run looks; larger ones once, under the parent.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sport_ray.canonical import digest
from sport_ray.tracking.results.folder import ResultFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from sport_ray.tracking.mlflow.uploads import Uploads

ARTEFACTS_TAG, POLICY_TAG = "sport_ray.artefacts", "sport_ray.policy"
SWEEP_FILES = (
    "certificate.json",
    "study.json",
    "study.yaml",
    "choice.json",
    "cells.parquet",
    "*.csv",
    "*.html",
)
"""What a sweep and its report write at the top of the folder."""
FIGURES = "figures"
MAX_POLICY_BYTES = 1_000_000
_KINDS = (
    ("policy.json", "policy.safetensors", ("schema", "spec", "weights_sha256")),
    (
        "selector.json",
        "selector.safetensors",
        ("schema", "num_candidates", "score", "weights_sha256"),
    ),
    (
        "switch.json",
        "switch.safetensors",
        ("schema", "horizon", "threshold", "resume", "task", "monitor", "weights_sha256"),
    ),
)
"""Manifest and weights of a task policy of any kind, and what its digest is over."""


def send_sweep_files(
    client: MlflowClient, uploads: Uploads, run: Any, results_dir: Path
) -> list[str]:
    """Send what has changed of a sweep's files to its run; their names, ``figures/`` as one."""
    try:
        sent = json.loads(run.data.tags.get(ARTEFACTS_TAG, "{}"))
    except ValueError:  # edited by hand
        sent = {}
    found = sweep_files(results_dir)
    changed = [name for name, content in found.items() if sent.get(name) != content]
    for name in changed:
        path = results_dir / name
        if path.is_dir():
            uploads.folder(run.info.run_id, path, name)
        else:
            uploads.file(run.info.run_id, path)
    if changed:
        # Last: what was broken off is sent again.
        client.set_tag(run.info.run_id, ARTEFACTS_TAG, json.dumps({**sent, **found}))
    return changed


def sweep_files(results_dir: Path) -> dict[str, str]:
    """Content hashes (16 hex digits) of a sweep's files that are there; of ``figures/`` as one.

    One for all figures, because there may be many and a tag holds 8,000 characters.
    """
    files = [path for pattern in SWEEP_FILES for path in sorted(results_dir.glob(pattern))]
    found = {path.name: short_hash(path.read_bytes()) for path in files if path.is_file()}
    figures = sorted(path for path in (results_dir / FIGURES).glob("*") if path.is_file())
    if figures:
        contents = [[path.name, short_hash(path.read_bytes())] for path in figures]
        found[FIGURES] = short_hash(json.dumps(contents).encode())
    return found


def short_hash(content: bytes) -> str:
    """The first 16 hex digits of a content's sha256."""
    return hashlib.sha256(content).hexdigest()[:16]


class Policies:
    """Sends the policies of cells: to the cell's run, or, large ones, once to the parent's."""

    def __init__(self, uploads: Uploads, parent_id: str) -> None:
        self.uploads = uploads
        self.parent_id = parent_id
        self._on_parent: set[str] = set()

    def send(self, run_id: str, record: dict[str, Any], results_dir: Path) -> str | None:
        """Send the policy that a record names; where it is, or why it is not, in a few words.

        None where the record names none. A policy that is not the one of that digest, whole, is
        not sent: beside the numbers of a certificate it would be taken for the certified one.
        """
        name = record.get("policy_digest")
        if name is None:
            return None
        folder = ResultFolder(results_dir).policy(str(name))
        files = _files_of(folder)
        if not files:
            return "not there when the cell was logged"
        if not _is_whole(folder, str(name)):
            return "damaged when the cell was logged"
        if sum(file.stat().st_size for file in files) <= MAX_POLICY_BYTES:
            target, path, where = run_id, "policy", "policy"
        else:
            path = f"policies/{folder.name}"
            target, where = self.parent_id, f"{path} of the parent run"
            if folder.name in self._on_parent:
                return where
        for file in files:
            self.uploads.file(target, file, path)
        if target == self.parent_id:
            self._on_parent.add(folder.name)
        return where


def _files_of(folder: Path) -> list[Path]:
    """Manifest and weights, where both are there."""
    for manifest, weights, _ in _KINDS:
        found = [folder / manifest, folder / weights]
        if all(file.is_file() for file in found):
            return found
    return []


def _is_whole(folder: Path, name: str) -> bool:
    """Whether the files are the policy of this digest, as whoever wrote them makes it."""
    manifest, weights = _files_of(folder)
    keys = next(keys for file, _, keys in _KINDS if file == manifest.name)
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
        identity = {key: said[key] for key in keys}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    whole = hashlib.sha256(weights.read_bytes()).hexdigest() == identity["weights_sha256"]
    return bool(whole and digest(identity) == name)
