"""The page of the conservativeness study, its figures and tables, from a result folder alone."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from sport_ray.errors import UserError
from sport_ray.tracking.analysis.conservativeness.decomposition import PARTS, decompose
from sport_ray.tracking.analysis.conservativeness.growth import growth_table
from sport_ray.tracking.analysis.conservativeness.ladder import LADDER, ladder_table
from sport_ray.tracking.analysis.conservativeness.rungs import RUNGS
from sport_ray.tracking.analysis.conservativeness.settings import setting_table
from sport_ray.tracking.analysis.conservativeness.spending import SPENDING, spending_table
from sport_ray.tracking.analysis.conservativeness.summary import number_text, summarise
from sport_ray.tracking.figures.conservativeness import (
    draw_growth,
    draw_ladder,
    draw_parts,
    draw_spending,
)
from sport_ray.tracking.figures.style import look
from sport_ray.tracking.report.svg import inline_svg
from sport_ray.tracking.report.templating import page_environment
from sport_ray.tracking.results import labels as wording
from sport_ray.tracking.results.completeness import completeness_of
from sport_ray.tracking.results.csv_text import csv_text
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import find_refutations, headline
from sport_ray.tracking.results.table import plain_rows, results_table
from sport_ray.tracking.results.task_policies import series_of_row

COMPARED = ("ratio", "gauss_renyi", "violation_time", "off_policy", "posterior")
"""Rungs with a column of their own by setting; a budget's only prior bound is what it promises."""


@dataclass(frozen=True)
class Tables:
    """What was found: by cell and rung, by cell (parts, spending), slopes, and by setting."""

    ladder: pd.DataFrame
    parts: pd.DataFrame
    spending: pd.DataFrame
    growth: pd.DataFrame
    settings: pd.DataFrame


class NothingToStudy(UserError):
    """No finished cell that is promised anything."""


def study_tables(folder: Results, frame: pd.DataFrame) -> Tables:
    """All tables of the study, from a result folder and its results table."""
    ladder = ladder_table(frame, folder.certificate)
    parts = decompose(frame, folder.certificate)
    spending = spending_table(frame)
    growth = growth_table(ladder)
    return Tables(ladder, parts, spending, growth, setting_table(ladder, parts, spending))


def write_conservativeness(results_dir: str | Path, out: str | Path | None = None) -> Path:
    """Write ``conservativeness.html``, ``conservativeness*.csv`` and figures; returns the page.

    The tables: ``conservativeness.csv`` (a row per cell and rung, `LADDER`),
    ``conservativeness_cells.csv`` (parts of the gap and what was spent, per cell),
    ``conservativeness_growth.csv`` (slopes) and ``conservativeness_settings.csv``. The same files
    give the same bytes. ``out``: where to, by default into the result folder.

    Raises:
        UserError: no results, or a damaged certificate or plan.
        NothingToStudy: no finished cell that is promised anything.
    """
    folder = read_results(results_dir)
    target = folder.path if out is None else Path(out)
    tables = study_tables(folder, results_table(folder.records, folder.planned))
    if tables.settings.empty:
        remedy = "finish the sweep with `sport-ray sweep STUDY.yaml`"
        raise NothingToStudy(
            f"no finished cell in {folder.path} has a prior bound, so there is no gap to study: "
            f"{completeness_of(folder).sentence or remedy}"
        )
    used = tables.spending.drop(
        columns=[c for c in tables.parts if c != "cell_id"], errors="ignore"
    )
    with writing(target):
        return _write(folder, tables, used, target)


def _write(folder: Results, tables: Tables, used: pd.DataFrame, target: Path) -> Path:
    for name, table in {
        "conservativeness": tables.ladder,
        "conservativeness_cells": tables.parts.merge(used, on="cell_id", how="left"),
        "conservativeness_growth": tables.growth,
        "conservativeness_settings": tables.settings,
    }.items():
        text = csv_text(table)
        write_atomically(target / f"{name}.csv", text)
    return write_atomically(target / "conservativeness.html", render(folder, tables, target))


def render(folder: Results, tables: Tables, target: Path) -> str:
    """The page as text, and its figures into ``figures/`` of ``target``."""
    out = target / "figures"
    with look():
        drawn = {
            "ladder": draw_ladder(tables.settings, tables.ladder, out),
            "parts": draw_parts(tables.settings, out),
            "spending": draw_spending(tables.settings, out),
            "growth": draw_growth(tables.ladder, tables.growth, out),
        }
    for name, figure in drawn.items():
        if figure is None:  # no picture outlives what it shows
            for suffix in ("png", "svg"):
                (out / f"conservativeness_{name}.{suffix}").unlink(missing_ok=True)
    environment = page_environment(
        bound=wording.bound_text,
        rate=wording.rate_text,
        setting=wording.setting_text,
        kind=wording.kind_text,
        method=wording.method_text,
        series=series_of_row,
    )
    environment.globals.update(ranged=_ranged)
    rungs = [name for name in RUNGS if name in set(tables.ladder["rung"])]
    return environment.get_template("conservativeness.html.j2").render(
        study=folder.name,
        refuted=headline(find_refutations(folder.records, folder.planned)),
        incomplete=completeness_of(folder).sentence,
        summary=summarise(tables.settings, tables.growth),
        settings=plain_rows(tables.settings),
        growth=plain_rows(tables.growth),
        rungs=[RUNGS[name] for name in rungs],
        compared=[name for name in rungs if name in COMPARED],
        confidences=_confidences(tables.ladder),
        parts=PARTS,
        columns=LADDER | SPENDING,
        num_cells=int(tables.ladder["cell_id"].nunique()),
        num_scenarios=_scenarios(folder),
        figures={
            name: {
                "title": one.title,
                "caption": one.caption,
                "svg": inline_svg(one.svg, one.name, f"{one.title}. {one.caption}"),
            }
            for name, one in drawn.items()
            if one is not None
        },
        css=Markup(
            resources.files("sport_ray.tracking.report")
            .joinpath("templates", "report.css")
            .read_text("utf-8")
        ),
    )


def _ranged(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    if value is None:
        return "–"
    nan = float("nan")
    return number_text(nan if low is None else low, value, nan if high is None else high, digits)


def _confidences(ladder: pd.DataFrame) -> dict[str, str]:
    return {
        str(name): "; ".join(dict.fromkeys(rows["confidence"]))
        for name, rows in ladder.groupby("rung", sort=False)
    }


def _scenarios(folder: Results) -> str:
    counts = sorted({r["num_scenarios"] for r in folder.records if r.get("num_scenarios")})
    return " or ".join(f"{count:,}" for count in counts)
