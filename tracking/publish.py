"""The small files of a study's results that are worth keeping in a repository, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sport_ray.errors import UserError
from tracking.files import write_atomically
from tracking.records import read_results

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
KEPT = ("certificate.json", "study.yaml", *TABLES)


def publish(results: Path, out: Path, versions: Mapping[str, str], made_by: str) -> list[Path]:
    """Copy certificate, study, tables and figures (PNG) of a finished report to ``out``.

    Writes a README.md beside them: the command, the versions, the digests, what each file is.
    Returns what was written.

    Raises:
        UserError: no results, no report yet, cells that are not finished, or an ``out`` that
            holds other files.
    """
    folder = read_results(results)
    if not (folder.path / "cells.csv").exists():
        raise UserError(f"{results} has no report yet: sport-ray report {results}")
    failed = sum(record["status"] != "finished" for record in folder.records)
    if failed:
        raise UserError(f"{failed} cells of {results} failed: run them again before publishing")
    if out.exists() and any(out.iterdir()) and not (out / "study.yaml").exists():
        raise UserError(f"{out} holds files that are no published results: give another folder")
    out.mkdir(parents=True, exist_ok=True)
    for old in (*(out / name for name in KEPT), *(out / "figures").glob("*.png")):
        old.unlink(missing_ok=True)
    written = []
    for name in KEPT:
        if (folder.path / name).exists():
            written.append(Path(shutil.copyfile(folder.path / name, out / name)))
    (out / "figures").mkdir(exist_ok=True)
    for figure in sorted((folder.path / "figures").glob("*.png")):
        if figure.stat().st_size > LARGEST_FIGURE:
            continue
        written.append(Path(shutil.copyfile(figure, out / "figures" / figure.name)))
    certificate = folder.certificate or {}
    lines = [
        f"# {folder.name}",
        "",
        f"Made by `{made_by}`; {len(folder.records)} cells, all finished.",
        "",
        f"- base policy `{certificate.get('base_digest')}`",
        f"- certificate `{certificate.get('digest')}`",
        "- versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()),
        "",
        "`cells.csv` has one row per cell; its columns are explained in docs/results-table.md. "
        "Everything else but the certificate is made from it by `sport-ray report`; pictures above "
        "1 MB are left out.",
        "",
    ]
    return [*written, write_atomically(out / "README.md", "\n".join(lines))]
