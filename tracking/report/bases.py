"""The page of a study over several bases: what they have in common, and the way to each report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sport_ray.tracking.analysis.bases import Bases, read_bases
from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.analysis.steps_saved import ALL, COLUMNS
from sport_ray.tracking.analysis.steps_saved_table import VERDICTS, name_of
from sport_ray.tracking.figures.bases import draw_bases
from sport_ray.tracking.figures.style import Drawn
from sport_ray.tracking.report.svg import inline_svg
from sport_ray.tracking.report.templating import asset, page_environment
from sport_ray.tracking.results import labels as wording
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.completeness import completeness_of
from sport_ray.tracking.results.csv_text import csv_text, write_csv, write_csv_if_any
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_text

JOINT_TABLES = ("steps_saved.csv", "side_by_side.csv")


def write_bases_report(
    root: str | Path, out: str | Path | None = None
) -> tuple[Path, pd.DataFrame]:
    """Write ``report.html``, ``steps_saved.csv``, ``side_by_side.csv`` and figures; page and table.

    root: the folder of a study over several bases. out: where to, by default into that folder; the
    page leads to each base's own report in a sub-folder beside it. Made anew from each base's
    records: the same files give the same bytes.

    Raises:
        UserError: no base has results, or one cannot be read; an `out` that cannot be written to.
    """
    bases = read_bases(root)
    target = Path(root) if out is None else Path(out)
    with writing(target):
        figures = draw_bases(bases, target / "figures")
        write_csv(bases.saved, target / JOINT_TABLES[0])
        write_csv_if_any(bases.beside, target / JOINT_TABLES[1])
        text = _page(bases, figures, ResultFolder(Path(root)).study_file)
        return write_atomically(target / "report.html", text), bases.saved


def _page(bases: Bases, figures: dict[str, Drawn], study_file: Path) -> str:
    environment = page_environment(
        alpha=wording.alpha_text,
        bound=wording.bound_text,
        rate=wording.rate_text,
        interval=interval_text,
        line=name_of,
        method=series_text,
        verdict=lambda value: VERDICTS[value],
        inline=lambda drawn: inline_svg(drawn.svg, drawn.name, f"{drawn.title}. {drawn.caption}"),
    )
    saved = plain_rows(bases.saved)
    return environment.get_template("bases.html.j2").render(
        study=bases.name,
        refuted=bases.refuted,
        bases=[_base(base, folder, bases) for base, folder in bases.folders.items()],
        incomplete=[
            f"Base {base}: {text}"
            for base, folder in bases.folders.items()
            if (text := completeness_of(folder).sentence)
        ],
        many=len(bases.folders),
        saved=[row for row in saved if row["base"] == ALL],
        by_base=[row for row in saved if row["base"] != ALL],
        compared=bases.published is not None,
        published=plain_rows(bases.beside),
        figures=figures,
        columns=COLUMNS,
        study_yaml=study_file.read_text("utf-8", "replace") if study_file.exists() else None,
        downloads={
            "steps_saved": csv_text(bases.saved).encode(),
            "side_by_side": csv_text(bases.beside).encode(),
        },
        css=asset("report.css"),
    )


def _base(base: str, folder: Results, bases: Bases) -> dict[str, object]:
    """What the page says of one base: its certificate at the study's T, and its cells."""
    frame, certificate = bases.frames[base], folder.certificate or {}
    bounds = base_bounds(certificate) if certificate else {}
    levels = []
    for horizon in sorted({int(one) for one in frame["horizon"].dropna()}):
        at, bound = folder.base_at(horizon), bounds.get(horizon)
        levels.append(
            {"horizon": horizon, "bound": bound, "steps": None if at is None else at.mean}
        )
    return {
        "name": base,
        "page": f"{folder.path.name}/report.html",
        "levels": levels,
        "cells": len(frame),
        "failed": int((frame["status"] == "failed").sum()),
        "digest": certificate.get("base_digest"),
    }
