"""Reading a result folder: cell records, certificate and study, checked, nothing computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.results.base_steps import BaseSteps, base_steps
from sport_ray.tracking.results.bases import require_one_base
from sport_ray.tracking.results.folder import ResultFolder, damaged, read_json, read_object
from sport_ray.tracking.results.published import published_rows
from sport_ray.tracking.results.record import describe_problem

if TYPE_CHECKING:  # scipy takes half a second, which `sport-ray status` should not
    from sport_ray.certificates import Certificate
    from sport_ray.tracking.results.refutation import Refutation

SAMPLE_ARRAYS = ("poses", "goal", "hazard", "goal_radius", "hazard_radius")
POLICY_ARRAYS = ("mean", "std", "base_mean", "base_std", "task_mean", "task_std")
CHOICE_ARRAYS = ("probabilities", "base_probabilities", "task_probabilities")
"""Of selection: each candidate's probability, (steps, M)."""


class Unreadable(NamedTuple):
    """A record that cannot be trusted, and what is wrong with it."""

    cell_id: str
    problem: str

    @property
    def text(self) -> str:
        """As it is told: 'cells/ID/record.json has no field …'."""
        return f"cells/{self.cell_id}/record.json {self.problem}"


@dataclass(frozen=True)
class Results:
    """What a sweep left on disk: `records` in the order of cell ids, plain JSON values.

    `certificate` is None where the folder has none; `study` then holds at least its name.
    `planned`: cells that the study asks for, 0 where that is not written down.
    `unreadable`: records that are there and left out, to be named wherever results are shown.
    `missing`: cells of the plan without a record. `left_out`: records under this certificate that
    are not shown, because they are not trusted or not planned; they may refute it all the same.
    No text holds a control character.
    """

    path: Path
    study: dict[str, Any]
    certificate: dict[str, Any] | None
    records: tuple[dict[str, Any], ...]
    planned: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[dict[str, Any], ...] = ()

    @cached_property
    def refutations(self) -> tuple[Refutation, ...]:
        """The promises that evaluations refute, those of records that are left out, too."""
        from sport_ray.tracking.results.refutation import find_refutations

        return find_refutations([*self.records, *self.left_out], self.planned)

    @property
    def files(self) -> ResultFolder:
        """Where everything lies."""
        return ResultFolder(self.path)

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.study["name"])

    def base_at(self, horizon: int) -> BaseSteps | None:
        """The base's own time to goal at this T, from its certification scenarios, if known."""
        return base_steps(self.path, self.certificate, horizon)

    def samples(self, cell_id: str) -> dict[str, np.ndarray] | None:
        """The recorded policies of a cell, or None where none were kept.

        `POLICY_ARRAYS` of a Gaussian, or `CHOICE_ARRAYS` of a categorical or a choice; with
        `SAMPLE_ARRAYS`, the trajectories, where the environment has poses and one layout.

        Raises UserError naming the file if it is damaged.
        """
        file = self.files.samples(cell_id)
        if not file.exists():
            return None
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: np.asarray(archive[name]) for name in archive.files}
        except Exception as error:  # zipfile, zlib, ValueError and OSError all mean the same here
            raise UserError(damaged(file, str(error), whole_cell=True)) from error
        wanted: tuple[str, ...] = POLICY_ARRAYS
        if not arrays.keys().isdisjoint(CHOICE_ARRAYS):
            wanted = CHOICE_ARRAYS
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise UserError(damaged(file, f"has no array {missing[0]!r}", whole_cell=True))
        return arrays


def read_results(path: str | Path, *, may_be_empty: bool = False) -> Results:
    """Read a result folder, or published results (`sport-ray publish`), which have one table.

    A record that cannot be trusted is left out and named in `unreadable`: one cell must not
    take the others with it, and none may vanish. Raises UserError if there is no such folder, if
    it holds no results (unless it `may_be_empty`, as when a sweep has only begun), if it is that of
    a study over several bases, or, naming the file, if study, plan or certificate are damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"no result folder {folder}: make one with `sport-ray sweep STUDY.yaml`")
    require_one_base(folder)
    files = ResultFolder(folder)
    cells, plan = files.recorded(), files.read_plan()
    wanted = set(cells if plan is None else plan.cells)
    unplanned = [cell for cell in cells if cell not in wanted]
    cells = [cell for cell in cells if cell in wanted]
    if (rows := published_rows(folder)) is not None:
        cells, wanted = list(rows), set(rows)
    study = files.read_study() or {}
    if not cells and not (may_be_empty and "name" in study):
        asked = f", of {len(wanted)} cells that are planned" if wanted else ""
        raise UserError(
            f"no results in {folder} (no cells/*/record.json{asked}): "
            "run `sport-ray sweep STUDY.yaml` first"
        )
    whole = _whole_certificate(files.certificate)
    records, unreadable, left_out = [], [], []
    for cell in unplanned:
        left_out += _under(files.record(cell), whole)
    for cell in cells:
        if rows is None:
            found = _read_record(files.record(cell), study, whole)
        else:
            found = _judged(rows[cell], cell, study, whole)
        if isinstance(found, Unreadable):
            unreadable.append(found)
            left_out += _under(files.record(cell) if rows is None else rows[cell], whole)
        else:
            study.setdefault("name", found["study"])
            records.append(found)
    study.setdefault("name", plain(folder.resolve().name))
    return Results(
        folder,
        study,
        read_object(files.certificate),
        tuple(records),
        planned=0 if plan is None else len(wanted),
        unreadable=tuple(unreadable),
        missing=tuple(plain(cell) for cell in sorted(wanted - set(cells))),
        left_out=tuple(left_out),
    )


def _under(given: Path | dict[str, Any], certificate: Certificate | None) -> list[dict[str, Any]]:
    """A record that is whole and under this certificate, whether or not it is trusted; or none."""
    try:
        record = read_json(given) if isinstance(given, Path) else given
    except UserError:
        return []
    if certificate is None or describe_problem(record) is not None:
        return []
    return [record] if record["certificate_digest"] == certificate.digest else []


def _read_record(
    file: Path, study: dict[str, Any], certificate: Certificate | None
) -> dict[str, Any] | Unreadable:
    """A record of this study (of any, where its name is not known), or why there is none."""
    cell = file.parent.name
    try:
        record = read_json(file)
    except UserError as error:
        return Unreadable(plain(cell), plain(str(error.__cause__ or error)))
    return _judged(record, cell, study, certificate)


def _judged(
    record: Any, cell: str, study: dict[str, Any], certificate: Certificate | None
) -> dict[str, Any] | Unreadable:
    problem = describe_problem(record)
    if problem is None and record["cell_id"] != cell:
        problem = f"says cell {record['cell_id']!r}"
    if problem is None and record["study"] != study.get("name", record["study"]):
        problem = f"belongs to study {record['study']!r}, not to {study['name']!r}"
    if problem is None and certificate is not None:
        problem = altered(record, certificate)
    return without_nan(record) if problem is None else Unreadable(plain(cell), plain(problem))


def _whole_certificate(file: Path) -> Certificate | None:
    """The certificate with all its own checks; None where there is none.

    Raises:
        UserError: one that is damaged, or was altered.
    """
    if not file.exists():
        return None
    from sport_ray.certificates.store import load_certificate

    return load_certificate(file)


def altered(record: dict[str, Any], certificate: Certificate) -> str | None:
    """Why a finished record is not trusted: it does not follow from its counts and certificate.

    None for one that does. The text goes on after 'the record'.
    """
    from sport_ray.certificates.record_check import altered_numbers

    if record["status"] != "finished":
        return None
    if record["certificate_digest"] != certificate.digest:
        return "is of another certificate than the folder's: run the sweep again"
    try:
        wrong = altered_numbers(record, certificate)
    except UserError as error:
        return f"does not follow from its certificate: {error}"
    if not wrong:
        return None
    said = ", ".join(f"{name} = {record.get(name)}" for name in wrong)
    return f"says {said}, which its counts and certificate do not give: it was altered"


def without_nan(record: dict[str, Any]) -> dict[str, Any]:
    """The record with null for NaN: JSON has no NaN, and both mean that nothing is known."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in record.items()
    }
