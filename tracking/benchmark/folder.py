"""A result folder of the benchmark, read once: cells by method, what is missing, the gain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from sport_ray.tracking.benchmark.conformal import conformal_choices
from sport_ray.tracking.benchmark.gains import Gain, gain_of
from sport_ray.tracking.benchmark.manifest import Folder, Manifest, Method
from sport_ray.tracking.results.completeness import Completeness, completeness_of
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.limit_choices import choices_of
from sport_ray.tracking.results.published import TABLES as PUBLISHED
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.table import plain_rows, table_of
from sport_ray.untrusted_files import read_bytes

Row = dict[str, Any]


@dataclass(frozen=True)
class BenchFolder:
    """One base of one task: its results, and the table of the cells at the task's T.

    missing: how many planned cells of each source have no record. levels: the benchmark's risks.
    """

    about: Folder
    results: Results
    frame: pd.DataFrame
    rows: list[Row]
    gain: Gain
    missing: Counter[str]
    levels: tuple[float, ...]

    @property
    def refuted(self) -> bool:
        """Whether the data contradict a promise: then nothing in the folder is promised."""
        return bool(self.results.refutations)

    @property
    def completeness(self) -> Completeness:
        """Its cells by their state."""
        state = completeness_of(self.results)
        # What was published has no plan but that of the cells that were not run.
        return replace(state, missing=max(state.missing, self.missing.total()))

    @cached_property
    def choices(self) -> dict[tuple[str, str, float], tuple[str, ...]]:
        """Ids of the members that pass: by rule (`list` or `conformal`), list and risk."""
        with_confidence = choices_of(self.rows)
        found = {("list", one.list_id, one.level): one.passed for one in with_confidence}
        for one in conformal_choices(self.results, self.rows, self.levels):
            found["conformal", one.list_id, one.level] = one.passed
        return found

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """The cells by their id."""
        return {str(row["cell_id"]): row for row in self.rows}

    def has(self, method: Method) -> bool:
        """Whether the study asks for the method: by its cells, or where no level is in reach.

        A method that does not fit the base's family has no cells at levels that are.
        """
        if self.cells(method):
            return True
        return method.promised and self.gain.eps_base > max(self.levels) and self._names(method)

    def _names(self, method: Method) -> bool:
        study = self.results.study
        if "task_policies" not in study and self.results.files.study_file.is_file():
            study = yaml.safe_load(read_bytes(self.results.files.study_file)) or {}
        return method.source in (study.get("task_policies") or {})

    def cells(self, method: Method) -> list[Row]:
        """The cells of a method's source under its constraint, or as they are without one.

        Those that are derived from a risk, or, of a method that chooses its limit, those of lists.
        """
        found = [row for row in self.rows if _is_of(row, method)]
        if method.constraint is None:
            return found
        chosen = "limit_list" if method.from_list else "eps_max"
        return [row for row in found if row[chosen] is not None]


def _is_of(row: Row, method: Method) -> bool:
    if row["source"] != method.source or row["projected"] != (method.constraint is not None):
        return False
    return method.constraint is None or row["constraint"] == method.constraint


def read_folder(root: Path, about: Folder, manifest: Manifest) -> BenchFolder | None:
    """The results of one base; None where its study has not begun.

    Raises:
        UserError: a damaged file.
    """
    path, task = root / about.folder, manifest.task(about.task)
    files = ResultFolder(path)
    published = any((path / name).is_file() for name in PUBLISHED)
    if not files.study_json.exists() and not published:
        return None
    results = read_results(path, may_be_empty=True)
    if not results.records:
        return None
    frame = table_of(results)
    frame = frame[frame["horizon"] == task.horizon].reset_index(drop=True)
    rows = plain_rows(frame)
    plan = files.read_plan()
    here = {str(row["cell_id"]) for row in results.records}
    kinds = {} if plan is None else {cell: plan.kinds.get(cell, "") for cell in plan.cells}
    missing = Counter(kind for cell, kind in kinds.items() if cell not in here)
    gain = gain_of(frame, rows, task.measure)
    return BenchFolder(about, results, frame, rows, gain, missing, manifest.risk_levels)


def read_folders(root: Path, manifest: Manifest) -> tuple[list[BenchFolder], list[Folder]]:
    """Those with results, and those whose study has not begun.

    Raises:
        UserError: a damaged file.
    """
    found = [(one, read_folder(root, one, manifest)) for one in manifest.folders]
    return (
        [folder for _, folder in found if folder is not None],
        [about for about, folder in found if folder is None],
    )
