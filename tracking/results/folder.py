"""A result folder: where everything lies in it, and reading one file of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.untrusted_files import read_bytes, without_repeats

LARGEST_RECORD = 16 * 2**20
"""Bytes; a record has a few thousand."""
SWEEP = "`sport-ray sweep`"


class PlanFile(NamedTuple):
    """The cells that a study asks for, in order, and each one's kind of job.

    varies: what is not the same in all of them (`varying`), None where that is not written down.
    parameters: by source of task policies, its training parameters that are no axis of the sweep.
    """

    cells: tuple[str, ...]
    kinds: dict[str, str]
    varies: tuple[str, ...] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class ResultFolder:
    """The layout of a result folder.

    study: the study without secrets; study_file: as the user wrote it. plan: which cells it asks
    for. ledger: the history of its sweeps. base, certificate, outcomes: the base policy, its
    certificate, and the table of scenarios that this rests on. choice: which T and base were
    chosen, where the study asks to choose. cells: a folder each. policies: task policies by digest.
    tune: what Tune keeps, never read back.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.study_json = root / "study.json"
        self.study_file = root / "study.yaml"
        self.plan = root / "plan.json"
        self.ledger = root / "ledger.jsonl"
        self.base = root / "base"
        self.transitions = root / "certificate_transitions.parquet"
        self.certificate = root / "certificate.json"
        self.outcomes = root / "certificate_outcomes.parquet"
        self.choice = root / "choice.json"
        self.cells = root / "cells"
        self.policies = root / "policies"
        self.tune = root / ".tune"

    @property
    def places(self) -> tuple[Path, ...]:
        """Folders that a sweep writes to, each of which may be a disk of its own."""
        return self.root, self.cells, self.policies, self.tune

    def record(self, cell_id: str) -> Path:
        """A cell's record."""
        return self.cells / cell_id / "record.json"

    def samples(self, cell_id: str) -> Path:
        """A cell's sampled trajectories and policies."""
        return self.cells / cell_id / "samples.npz"

    def training(self, cell_id: str) -> Path:
        """The learning curves of a cell; see `sport_ray.tracking.results.curves`."""
        return self.cells / cell_id / "training.json"

    def policy(self, digest: str) -> Path:
        """The task policy of a digest."""
        return self.policies / digest[:16]

    def recorded(self) -> list[str]:
        """Ids of the cells that have a record, readable or not, in order."""
        return sorted(file.parent.name for file in self.root.glob("cells/*/record.json"))

    def read_record(self, cell_id: str) -> dict[str, Any] | None:
        """A cell's record, or None where there is none that can be read; its fields are unchecked.

        For those who watch a sweep: what is shown as a result comes from `read_results`.
        """
        try:
            record = json.loads(self.record(cell_id).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        whole = isinstance(record, dict) and record.get("status") in ("finished", "failed")
        return record if whole and record.get("cell_id") == cell_id else None

    def is_finished(self, cell_id: str) -> bool:
        """Whether the cell has a record that says so."""
        record = self.read_record(cell_id)
        return record is not None and record["status"] == "finished"

    def read_study(self) -> dict[str, Any] | None:
        """The study, or None where there is none.

        Raises:
            UserError: a damaged file.
        """
        return read_object(self.study_json)

    def read_plan(self) -> PlanFile | None:
        """The plan, or None where no sweep has been here.

        Raises:
            UserError: a damaged file.
        """
        content = read_object(self.plan)
        if content is None:
            return None
        try:
            kinds = {cell: job["kind"] for job in content["jobs"] for cell in job["cells"]}
            wanted = content["cells"]
        except (KeyError, TypeError):
            wanted, kinds = None, {}
        if not isinstance(wanted, list) or not all(isinstance(cell, str) for cell in wanted):
            raise UserError(damaged(self.plan, "has no list 'cells' of cell ids, or no 'jobs'"))
        varies, parameters = content.get("varies"), content.get("parameters")
        return PlanFile(
            tuple(wanted),
            kinds,
            tuple(varies) if isinstance(varies, list) else None,
            parameters if isinstance(parameters, dict) else {},
        )


def read_json(file: Path) -> Any:
    """A file's content, its texts `plain`: whoever shows them need not think of it.

    Raises:
        UserError: a file that is damaged, or larger than any record.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST_RECORD and file.name == "record.json":
            raise ValueError(f"has {size:,} bytes, more than the {LARGEST_RECORD:,} of any record")
        text = read_bytes(file).decode("utf-8")
        return _seen(json.loads(text, object_pairs_hook=without_repeats))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(damaged(file, str(error))) from error


def read_object(file: Path) -> dict[str, Any] | None:
    """The same of a JSON object; None where there is no file.

    Raises:
        UserError: a damaged file.
    """
    if not file.exists():
        return None
    content = read_json(file)
    if not isinstance(content, dict):
        raise UserError(damaged(file, "is not a JSON object"))
    return content


def _seen(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_seen(one) for one in value]
    if isinstance(value, dict):
        return {plain(name): _seen(one) for name, one in value.items()}
    return value


def damaged(file: Path, problem: str, maker: str = SWEEP, whole_cell: bool = False) -> str:
    """The line of an error, with its remedy.

    whole_cell: the file is made with its cell's record, and only where there is none.
    """
    remedy = f"{file.parent} and" if whole_cell else "it and"
    return f"damaged file {file}: {problem}; delete {remedy} run {maker} again to make it anew"
