"""The small files of a study's results that are worth keeping in a repository, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sport_ray.errors import UserError
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import require_unrefuted

TABLES = (
    "cells.csv",
    "pareto.csv",
    "hypervolume.csv",
    "speedup.csv",
    "side_by_side.csv",
    "trends.csv",
    "task_policies.csv",
)
LARGEST_FIGURE = 1_000_000
"""Bytes; a larger picture is in the report, and made again by it."""
MARK = "Published by sport-ray."
KEPT = ("certificate.json", "study.yaml", *TABLES)


def publish(
    results: Path, out: Path, versions: Mapping[str, str], made_by: str, report: Path | None = None
) -> list[Path]:
    """Copy certificate, study, tables and figures (PNG) of a finished report to ``out``.

    Writes a README.md beside them: the command, the versions, the digests, what each file is.
    report: where the report was written, if not into the result folder. Returns what was written.

    Raises:
        UserError: no results, no report yet, cells that are not finished, promises that the data
            refute, or an ``out`` that holds other files.
    """
    folder = read_results(results)
    report = folder.path if report is None else report
    if not (report / "cells.csv").exists():
        raise UserError(
            f"{report} has no report yet: sport-ray report {results} (where that folder may only "
            "be read, with --out DIR, and then publish with --report DIR)"
        )
    failed = sum(record["status"] != "finished" for record in folder.records)
    if failed:
        raise UserError(f"{failed} cells of {results} failed: run them again before publishing")
    readme = out / "README.md"
    written_by_us = readme.exists() and MARK in readme.read_text(encoding="utf-8")
    if out.exists() and any(out.iterdir()) and not written_by_us:
        raise UserError(f"{out} holds files that are no published results: give another folder")
    _require_whole(folder, report)
    require_unrefuted(folder.refutations, f"{results} is not published")
    out.mkdir(parents=True, exist_ok=True)
    for old in (*(out / name for name in KEPT), *(out / "figures").glob("*.png")):
        old.unlink(missing_ok=True)
    written = []
    for name in KEPT:
        source = (report if name in TABLES else folder.path) / name
        if source.exists():
            written.append(Path(shutil.copyfile(source, out / name)))
    (out / "figures").mkdir(exist_ok=True)
    for figure in sorted((report / "figures").glob("*.png")):
        if figure.stat().st_size > LARGEST_FIGURE:
            continue
        written.append(Path(shutil.copyfile(figure, out / "figures" / figure.name)))
    certificate = folder.certificate or {}
    lines = [
        f"# {folder.name}",
        "",
        f"Made by `{made_by}`; {len(folder.records)} cells, all finished. {MARK}",
        "",
        f"- base policy `{certificate.get('base_digest')}`",
        f"- certificate `{certificate.get('digest')}`",
        "- published with: " + ", ".join(f"{name} {number}" for name, number in versions.items()),
        "",
        "`cells.csv` has one row per cell; its columns are explained in docs/results-table.md. "
        "Everything else but the certificate is made from it by `sport-ray report`; pictures above "
        "1 MB are left out.",
        "",
    ]
    return [*written, write_atomically(out / "README.md", "\n".join(lines))]


def _require_whole(folder: Results, report: Path) -> None:
    """Refuse results of which cells are missing, or whose table is not of these records.

    Raises:
        UserError: naming how many, and what to run.
    """
    lost = len(folder.missing) + len(folder.unreadable)
    if lost:
        raise UserError(
            f"{lost} of {len(folder.records) + lost} cells of {folder.path} are not finished: "
            "run the study again before publishing"
        )
    records = {record["cell_id"] for record in folder.records}
    cells = pd.read_csv(report / "cells.csv", usecols=["cell_id"], dtype=str)
    table = set(cells["cell_id"])
    if table != records:
        raise UserError(f"{report}/cells.csv is older than the records: sport-ray report first")
