"""Reading a result folder: cell records, certificate and study, checked, nothing computed.

The folder is written by a sweep: ``cells/<cell_id>/record.json``, ``certificate.json``,
``study.json``, ``plan.json`` and, for some cells, ``cells/<cell_id>/samples.npz``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sport_ray.errors import UserError
from tracking.base_steps import BaseSteps, base_steps
from tracking.refutation import planned_cells
from tracking.schema import describe_problem

CERTIFICATE_FIELDS = ("base_digest", "env_id", "num_scenarios", "beta", "table", "digest")
SAMPLE_ARRAYS = ("poses", "goal", "hazard", "goal_radius", "hazard_radius")
POLICY_ARRAYS = ("mean", "std", "base_mean", "base_std", "task_mean", "task_std")


@dataclass(frozen=True)
class ResultFolder:
    """What a sweep left on disk: `records` in the order of cell ids, plain JSON values.

    `certificate` is None where the folder has none; `study` then holds at least its name.
    `planned`: cells that the study asks for, 0 where that is not written down.
    """

    path: Path
    study: dict[str, Any]
    certificate: dict[str, Any] | None
    records: tuple[dict[str, Any], ...]
    planned: int = 0

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.study["name"])

    def base_at(self, horizon: int) -> BaseSteps | None:
        """The base's own time to goal at this T, from its certification scenarios, if known."""
        return base_steps(self.path, self.certificate, horizon)

    def samples(self, cell_id: str) -> dict[str, np.ndarray] | None:
        """The recorded policies of a cell, or None where none were kept.

        With `SAMPLE_ARRAYS`, the trajectories, where the environment has poses and one layout.

        Raises UserError naming the file if it is damaged.
        """
        file = self.path / "cells" / cell_id / "samples.npz"
        if not file.exists():
            return None
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: np.asarray(archive[name]) for name in archive.files}
        except Exception as error:  # zipfile, zlib, ValueError and OSError all mean the same here
            raise UserError(_damaged(file, str(error), whole_cell=True)) from error
        missing = [name for name in POLICY_ARRAYS if name not in arrays]
        if missing:
            raise UserError(_damaged(file, f"has no array {missing[0]!r}", whole_cell=True))
        return arrays


def read_results(path: str | Path, *, may_be_empty: bool = False) -> ResultFolder:
    """Read a result folder.

    Raises UserError if there is no such folder, if it holds no results (unless it `may_be_empty`,
    as when a sweep has only begun), or, naming the file, if a file is damaged: a record that
    cannot be trusted must not vanish from a table.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"no result folder {folder}: make one with `sport-ray sweep STUDY.yaml`")
    files = _planned(folder, sorted(folder.glob("cells/*/record.json")))
    study = _read_optional(folder / "study.json") or {}
    if not files and not (may_be_empty and "name" in study):
        raise UserError(
            f"no results in {folder} (no cells/*/record.json): "
            "run `sport-ray sweep STUDY.yaml` first"
        )
    records = tuple(_read_record(file) for file in files)
    if records:
        study.setdefault("name", records[0]["study"])
    for file, record in zip(files, records, strict=True):
        if record["study"] != study["name"]:
            raise UserError(
                f"{file} belongs to study {record['study']!r}, the folder to {study['name']!r}: "
                "move one of them to a folder of its own"
            )
    certificate = _read_certificate(folder / "certificate.json")
    return ResultFolder(folder, study, certificate, records, planned_cells(folder))


def _planned(folder: Path, files: list[Path]) -> list[Path]:
    """The records that the study asks for as it is now; all of them where no plan was written.

    A cell of an earlier grid or of other training parameters stays on disk and out of tables.
    """
    plan = _read_optional(folder / "plan.json")
    if plan is None:
        return files
    wanted = plan.get("cells")
    if not isinstance(wanted, list):
        raise UserError(_damaged(folder / "plan.json", "has no list 'cells'"))
    return [file for file in files if file.parent.name in set(wanted)]


def _read_record(file: Path) -> dict[str, Any]:
    record = _read_json(file)
    problem = describe_problem(record)
    if problem is None and record["cell_id"] != file.parent.name:
        problem = f"says cell {record['cell_id']!r}"
    if problem:
        raise UserError(_damaged(file, problem))
    return without_nan(record)


def _read_certificate(file: Path) -> dict[str, Any] | None:
    certificate = _read_optional(file)
    if certificate is None:
        return None
    for name in CERTIFICATE_FIELDS:
        if name not in certificate:
            raise UserError(_damaged(file, f"has no field {name!r}", "`sport-ray certify`"))
    table = certificate["table"]
    lengths = {len(table.get(name, ())) for name in ("horizon", "eps_base_simultaneous")}
    if len(lengths) != 1 or 0 in lengths:
        raise UserError(_damaged(file, "has an incomplete table", "`sport-ray certify`"))
    return certificate


def _read_optional(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    content = _read_json(file)
    if not isinstance(content, dict):
        raise UserError(_damaged(file, "is not a JSON object"))
    return content


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(_damaged(file, str(error))) from error


def _damaged(
    file: Path, problem: str, maker: str = "`sport-ray sweep`", whole_cell: bool = False
) -> str:
    """whole_cell: the file is made with its record, and only where there is none."""
    remedy = f"{file.parent} and" if whole_cell else "it and"
    return f"damaged file {file}: {problem}; delete {remedy} run {maker} again to make it anew"


def without_nan(record: dict[str, Any]) -> dict[str, Any]:
    """The record with null for NaN: JSON has no NaN, and both mean that nothing is known."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in record.items()
    }
