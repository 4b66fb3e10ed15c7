"""Reading a result folder: cell records, certificate and study, checked, nothing computed.

The folder is written by a sweep: ``cells/<cell_id>/record.json``, ``certificate.json``,
``study.json``, ``plan.json`` and, for some cells, ``cells/<cell_id>/samples.npz``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sport_ray.bounded import read_bytes
from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.results.base_steps import BaseSteps, base_steps
from sport_ray.tracking.results.published import is_published, published_records
from sport_ray.tracking.results.schema import describe_problem

if TYPE_CHECKING:  # torch takes seconds
    from sport_ray.certificates import Certificate

RECOMPUTABLE = {"sampling", "outcomes", "code"}
"""Fields of a certificate that records can be held against."""
CERTIFICATE_FIELDS = ("base_digest", "env_id", "num_scenarios", "beta", "table", "digest")
SAMPLE_ARRAYS = ("poses", "goal", "hazard", "goal_radius", "hazard_radius")
POLICY_ARRAYS = ("mean", "std", "base_mean", "base_std", "task_mean", "task_std")
LARGEST_RECORD = 16 * 2**20
"""Bytes; a record has a few thousand."""


class Unreadable(NamedTuple):
    """A record that cannot be believed, and what is wrong with it."""

    cell_id: str
    problem: str

    @property
    def text(self) -> str:
        """As it is told: 'cells/ID/record.json has no field …'."""
        return f"cells/{self.cell_id}/record.json {self.problem}"


@dataclass(frozen=True)
class ResultFolder:
    """What a sweep left on disk: `records` in the order of cell ids, plain JSON values.

    `certificate` is None where the folder has none; `study` then holds at least its name.
    `planned`: cells that the study asks for, 0 where that is not written down.
    `unreadable`: records that are there and left out, to be named wherever results are shown.
    `missing`: cells of the plan without a record. No text holds a control character.
    """

    path: Path
    study: dict[str, Any]
    certificate: dict[str, Any] | None
    records: tuple[dict[str, Any], ...]
    planned: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    missing: tuple[str, ...] = ()

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
    """Read a result folder, or published results (`sport-ray publish`), which have one table.

    A record that cannot be trusted is left out and named in `unreadable`: one cell must not
    take the others with it, and none may vanish. Raises UserError if there is no such folder, if
    it holds no results (unless it `may_be_empty`, as when a sweep has only begun), or, naming the
    file, if study, plan or certificate are damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"no result folder {folder}: make one with `sport-ray sweep STUDY.yaml`")
    files = sorted(folder.glob("cells/*/record.json"))
    plan = _planned(folder)
    if plan is not None:
        files = [file for file in files if file.parent.name in plan]
    study = _read_optional(folder / "study.json") or {}
    table = folder / "cells.csv" if is_published(folder) else None
    if not files and table is None and not (may_be_empty and "name" in study):
        asked = f", of {len(plan)} cells that are planned" if plan else ""
        raise UserError(
            f"no results in {folder} (no cells/*/record.json{asked}): "
            "run `sport-ray sweep STUDY.yaml` first"
        )
    records, unreadable = [], []
    judged = (_read_record(file, study) for file in files) if table is None else _rows(table)
    for found in judged:
        if isinstance(found, Unreadable):
            unreadable.append(found)
        else:
            study.setdefault("name", found["study"])
            records.append(found)
    study.setdefault("name", plain(folder.resolve().name))
    known = {file.parent.name for file in files}
    missing = tuple(plain(cell) for cell in sorted((plan or set()) - known))
    certificate = _read_certificate(folder / "certificate.json")
    whole = whole_certificate(folder / "certificate.json", certificate)
    if whole is not None:
        checked = [(record, _altered(record, whole)) for record in records]
        records = [record for record, problem in checked if problem is None]
        unreadable += [
            Unreadable(plain(record["cell_id"]), problem)
            for record, problem in checked
            if problem is not None
        ]
    return ResultFolder(
        folder,
        study,
        certificate,
        tuple(records),
        len(plan or ()),
        tuple(unreadable),
        missing,
    )


def _planned(folder: Path) -> set[str] | None:
    """The cells that the study asks for as it is now; None where no plan was written.

    A cell of an earlier grid or of other training parameters stays on disk and out of tables.
    """
    plan = _read_optional(folder / "plan.json")
    if plan is None:
        return None
    wanted = plan.get("cells")
    if not isinstance(wanted, list) or not all(isinstance(cell, str) for cell in wanted):
        raise UserError(_damaged(folder / "plan.json", "has no list 'cells' of cell ids"))
    return set(wanted)


def _read_record(file: Path, study: dict[str, Any]) -> dict[str, Any] | Unreadable:
    """A record of this study (of any, where its name is not known), or why there is none."""
    cell = file.parent.name
    try:
        record = _read_json(file)
    except UserError as error:
        problem: str | None = str(error.__cause__ or error)
    else:
        problem = describe_problem(record)
        if problem is None and record["cell_id"] != cell:
            problem = f"says cell {record['cell_id']!r}"
        if problem is None and record["study"] != study.get("name", record["study"]):
            problem = f"belongs to study {record['study']!r}, not to {study['name']!r}"
    return without_nan(record) if problem is None else Unreadable(plain(cell), plain(problem))


def _rows(table: Path) -> Iterator[dict[str, Any] | Unreadable]:
    """The records of published results, as `_read_record` gives them."""
    try:
        rows = _seen(published_records(table))
    except ValueError as error:
        raise UserError(_damaged(table, str(error), "`sport-ray publish`")) from None
    for row in rows:
        problem = describe_problem(row)
        yield row if problem is None else Unreadable(str(row.get("cell_id")), plain(problem))


def whole_certificate(file: Path, certificate: dict[str, Any] | None) -> Certificate | None:
    """The certificate with all its own checks; None where nothing can be recomputed from it.

    Raises:
        UserError: one that was altered.
    """
    if certificate is None or not certificate.keys() >= RECOMPUTABLE:
        return None
    from sport_ray.certificates.store import load_certificate  # torch takes seconds

    return load_certificate(file)


def _altered(record: dict[str, Any], certificate: Certificate) -> str | None:
    """Why a finished record is not shown: it does not follow from its counts and certificate."""
    from sport_ray.certificates.derived import altered_numbers

    if record["status"] != "finished":
        return None
    if record.get("certificate_digest") != certificate.digest:
        return "is of another certificate than the folder's: run the sweep again"
    try:
        wrong = altered_numbers(record, certificate)
    except UserError as error:
        return plain(f"does not follow from its certificate: {error}")
    if not wrong:
        return None
    said = ", ".join(f"{name} = {record.get(name)}" for name in wrong)
    return plain(f"says {said}, which its counts and certificate do not give: it was altered")


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
    """A file's content, its texts `plain`: whoever shows them need not think of it."""
    try:
        size = file.stat().st_size
        if size > LARGEST_RECORD and file.name == "record.json":
            raise ValueError(f"has {size:,} bytes, more than the {LARGEST_RECORD:,} of any record")
        return _seen(json.loads(read_bytes(file).decode("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(_damaged(file, str(error))) from error


def _seen(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_seen(one) for one in value]
    if isinstance(value, dict):
        return {plain(name): _seen(one) for name, one in value.items()}
    return value


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
