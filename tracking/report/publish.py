"""The small files of a study's results that are worth keeping in a repository, in one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sport_ray.errors import UserError
from sport_ray.tracking.report.bases import JOINT_TABLES
from sport_ray.tracking.report.sizes import TABLE as SIZES_TABLE
from sport_ray.tracking.results.bases import named_sizes, sub_folders, with_results
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import require_unrefuted

TABLES = (
    "cells.csv",
    "pareto.csv",
    "hypervolume.csv",
    "speedup.csv",
    "side_by_side.csv",
    "limits.csv",
    "trends.csv",
    "task_policies.csv",
    "training.csv",
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
    require_ours(out)
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
    written += _copied_figures(report, out)
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
        "`cells.csv` has one row per cell; its columns are explained in docs/results-table.md.",
        "Everything else but the certificate is made from it by `sport-ray report`; pictures",
        "above 1 MB are left out.",
        "",
    ]
    return [*written, write_atomically(out / "README.md", "\n".join(lines))]


def publish_bases(
    root: Path, out: Path, versions: Mapping[str, str], made_by: str, report: Path | None = None
) -> list[Path]:
    """`publish` of each base of a study into a sub-folder of ``out``, and their joint tables.

    With as much of ``study.json`` as a joint report of what was published needs. report: where the
    joint report was written, if not into ``root``. Returns what was written.

    Raises:
        UserError: as `publish`; a base without results; no joint report yet.
    """
    report = root if report is None else report
    folders = sub_folders(root)
    for base, folder in folders.items():
        if base not in with_results(root):
            raise UserError(f"base {base} has no results in {folder}: run the study again first")
    sizes = named_sizes(root)
    joint = (SIZES_TABLE,) if sizes else JOINT_TABLES
    if not (report / joint[0]).exists():
        raise UserError(f"{report} has no joint report yet: sport-ray report {root}")
    require_ours(out)
    written = []
    for folder in folders.values():
        own = None if report == root else report / folder.name
        written += publish(folder, out / folder.name, versions, made_by, own)
    for old in (*(out / name for name in joint), *(out / "figures").glob("*.png")):
        old.unlink(missing_ok=True)
    for source in (root / "study.yaml", *(report / name for name in joint)):
        if source.exists():
            written.append(Path(shutil.copyfile(source, out / source.name)))
    study = ResultFolder(root).read_study() or {}
    named = (study.get("tracking") or {}).get("published")
    parts = {"sizes": sizes} if sizes else {"bases": [*folders]}
    kept = {"name": study["name"], **parts, "tracking": {"published": named}}
    written.append(write_atomically(out / "study.json", json.dumps(kept, indent=2) + "\n"))
    written += _copied_figures(report, out)
    lines = [
        f"# {study['name']}",
        "",
        f"Made by `{made_by}`: the same study over {len(folders)} "
        f"{'sizes of its certificate' if sizes else 'bases'}. {MARK}",
        "",
        *(f"- [{base}]({folder.name}/README.md)" for base, folder in folders.items()),
        "",
        *(_OF_SIZES if sizes else _OF_BASES),
        "",
    ]
    return [*written, write_atomically(out / "README.md", "\n".join(lines))]


_OF_BASES = (
    "`steps_saved.csv` has what each α saves against each base and over all of them;",
    "`side_by_side.csv`, where there are published numbers, these beside ours. Both are made",
    "from the bases' `cells.csv` by `sport-ray report`.",
)
_OF_SIZES = (
    "`what_n_buys.csv` has ε_base, limits and steps saved for each N and ε_max, made from the",
    "sizes' `cells.csv` and certificates by `sport-ray report`.",
)


def _copied_figures(report: Path, out: Path) -> list[Path]:
    """The pictures of a report, copied, without those that are too large."""
    (out / "figures").mkdir(exist_ok=True)
    return [
        Path(shutil.copyfile(figure, out / "figures" / figure.name))
        for figure in sorted((report / "figures").glob("*.png"))
        if figure.stat().st_size <= LARGEST_FIGURE
    ]


def require_ours(out: Path) -> None:
    """Refuse a folder with other files than published results.

    Raises:
        UserError: naming it.
    """
    readme = out / "README.md"
    written_by_us = readme.exists() and MARK in readme.read_text(encoding="utf-8")
    if out.exists() and any(out.iterdir()) and not written_by_us:
        raise UserError(f"{out} holds files that are no published results: give another folder")


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
