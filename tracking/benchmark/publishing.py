"""The small files of a benchmark that are worth keeping in a repository, in one folder.

What is published is a benchmark's results again: `write_leaderboard` makes the same leaderboard of
it. Failed cells are rows of its tables, and cells that were not run stand in the plans.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.tracking.benchmark.conformal import FILE as CONFORMAL
from sport_ray.tracking.benchmark.conformal import choices_table, conformal_choices
from sport_ray.tracking.benchmark.folder import BenchFolder, read_folders
from sport_ray.tracking.benchmark.manifest import FILE as MANIFEST
from sport_ray.tracking.benchmark.manifest import Manifest, read_manifest
from sport_ray.tracking.benchmark.write import PAGE, SCORES, write_leaderboard
from sport_ray.tracking.report.publish import MARK, require_ours
from sport_ray.tracking.results.csv_text import csv_text, write_csv_if_any
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.mixtures import FILE as MIXTURES
from sport_ray.tracking.results.published import TABLES
from sport_ray.tracking.results.table import table_of
from sport_ray.versions import versions

MOST = 1_500_000
"""Bytes of the tables of a task that are kept as they are; more are packed."""
COPIED = ("certificate.json", "study.yaml", MIXTURES)


def publish(results: str | Path, out: str | Path) -> list[Path]:
    """Write the leaderboard anew and copy it, with every base's certificate, study and records.

    Tables of cells and scores are packed (``.gz``) where a task's, or all scores, come to more than
    `MOST`. Returns what was written.

    Raises:
        UserError: no results, or an ``out`` with other files than a benchmark's.
    """
    root, out = Path(results), Path(out)
    if out.resolve() == root.resolve():
        raise UserError(f"{out} is where the results are: give another folder")
    require_ours(out)
    older = read_manifest(out) if out.is_dir() and any(out.iterdir()) else None
    manifest = read_manifest(root)
    folders, _ = read_folders(root, manifest)
    if not folders:
        raise UserError(f"no base of {root} has results yet: run `sport-ray bench` first")
    write_leaderboard(root)
    with writing(out):
        _clear(out, older)
        out.mkdir(parents=True, exist_ok=True)
        written = [
            Path(shutil.copyfile(file, out / file.name))
            for file in (root / MANIFEST, *sorted(root.glob("leaderboard*")))
        ]
        scores = (root / SCORES).read_text(encoding="utf-8")
        written.append(_table(out / SCORES, scores, len(scores.encode()) > MOST))
        for task in manifest.tasks:
            written += _task(out, [one for one in folders if one.about.task == task.name])
        written.append(_readme(out, manifest))
    return written


def _task(out: Path, folders: Sequence[BenchFolder]) -> list[Path]:
    """The records of a task's bases."""
    tables = [csv_text(table_of(one.results)) for one in folders]
    packed = sum(len(table.encode()) for table in tables) > MOST
    written = []
    for folder, table in zip(folders, tables, strict=True):
        place = out / folder.about.folder
        place.mkdir(parents=True, exist_ok=True)
        files = [folder.results.path / name for name in COPIED]
        written += [
            Path(shutil.copyfile(file, place / file.name)) for file in files if file.is_file()
        ]
        if folder.missing:
            written.append(_plan(folder, place))
        written.append(_table(place / TABLES[0], table, packed))
        choices = conformal_choices(folder.results, folder.rows, folder.levels)
        kept = write_csv_if_any(choices_table(choices), place / CONFORMAL)
        written += [] if kept is None else [kept]
    return written


def _clear(out: Path, older: Manifest | None) -> None:
    """Remove what was published there before, and nothing else."""
    if older is None:
        return
    for one in older.folders:
        shutil.rmtree(out / one.folder, ignore_errors=True)
    for pattern in ("leaderboard*", f"{SCORES}*"):
        for file in out.glob(pattern):
            file.unlink()


def _plan(folder: BenchFolder, place: Path) -> Path:
    """The cells that were not run, as a plan of them alone."""
    plan = folder.results.files.read_plan()
    assert plan is not None
    here = {str(row["cell_id"]) for row in folder.results.records}
    absent = [cell for cell in plan.cells if cell not in here]
    jobs = [{"kind": plan.kinds.get(cell, ""), "cells": [cell]} for cell in absent]
    text = json.dumps({"cells": absent, "jobs": jobs})
    return write_atomically(place / folder.results.files.plan.name, text + "\n")


def _table(file: Path, text: str, packed: bool) -> Path:
    """Write a table, or the same packed, without the time of day."""
    if not packed:
        return write_atomically(file, text)
    data = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    return write_atomically(file.with_name(f"{file.name}.gz"), data)


def _readme(out: Path, manifest: Manifest) -> Path:
    lines = [
        "# Benchmark of certified risk",
        "",
        f"Made by `{manifest.command}`. {MARK}",
        "",
        f"- [leaderboard]({PAGE}), and each task's as a table",
        "- a folder for each base: certificate, study, and one row per cell in `cells.csv`, packed",
        "  where it is large; its columns are explained in docs/results-table.md",
        "- published with: " + ", ".join(f"{name} {number}" for name, number in versions().items()),
        "",
        "Everything else but the certificates is made from these rows:",
        "`python -c \"from sport_ray.tracking.benchmark import write_leaderboard as w; w('.')\"`",
        "",
    ]
    return write_atomically(out / "README.md", "\n".join(lines))
