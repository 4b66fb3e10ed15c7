"""The report of a study: one HTML page that opens offline, made from the result folder alone."""

from __future__ import annotations

import base64
import math
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracking import wording
from tracking.answer import answer_study
from tracking.chart import HEIGHT, LEFT, RIGHT, TOP, WIDTH, build_charts
from tracking.checks import run_checks
from tracking.figures import Drawn, draw_figures
from tracking.files import write_atomically
from tracking.inline_svg import inline_svg
from tracking.kinds import kind_of
from tracking.pareto import RISK_KINDS, pareto_table, write_pareto_csv
from tracking.performance import performance_of
from tracking.records import ResultFolder, read_results
from tracking.schema import COLUMNS
from tracking.speedup import speedup_table
from tracking.speedup_table import interval_text, levels_of, write_speedup_csv
from tracking.statistics import SETTING, aggregate
from tracking.table import cells_csv, plain_rows, results_table, write_cells_csv

PAPER = "https://arxiv.org/abs/2504.06386"


def write_report(results_dir: str | Path) -> Path:
    """Write ``report.html``, ``figures/``, ``cells.csv``, ``pareto.csv``, ``speedup.csv``.


    Returns the page. Everything is made anew from the records, the certificate and the samples;
    the same files give the same bytes. There is no ``speedup.csv`` where nothing can be compared.
    Raises UserError if the folder holds no results or a damaged file.
    """
    folder = read_results(results_dir)
    frame = results_table(folder.records)
    settings = aggregate(frame)
    front = pareto_table(settings)
    speedup = speedup_table(folder, frame)
    figures, skipped = draw_figures(folder, frame, settings, speedup)
    write_cells_csv(frame, folder.path / "cells.csv")
    write_pareto_csv(front, folder.path / "pareto.csv")
    write_speedup_csv(speedup, folder.path / "speedup.csv")
    page = render_report(folder, frame, settings, front, speedup, figures, skipped)
    return write_atomically(folder.path / "report.html", page)


def render_report(
    folder: ResultFolder,
    frame: pd.DataFrame,
    settings: pd.DataFrame,
    front: pd.DataFrame,
    speedup: pd.DataFrame,
    figures: dict[str, Drawn],
    skipped: dict[str, str],
) -> str:
    """The page as text. All that comes from the files is escaped by the template engine."""
    measure = performance_of(settings)
    environment = Environment(
        loader=PackageLoader("tracking", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        alpha=wording.alpha_text,
        kind=wording.kind_text,
        setting=wording.setting_text,
        interval=interval_text,
        bound=wording.bound_text,
        rate=wording.rate_text,
        value=measure.text,
        method=wording.method_text,
        confidence=wording.confidence_text,
    )
    certificate = folder.certificate
    return environment.get_template("report.html.j2").render(
        study=folder.name,
        paper=PAPER,
        measure=measure,
        answer=answer_study(settings, certificate),
        charts=build_charts(settings),
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP},
        fronts={kind: plain_rows(front[front["risk_kind"] == kind]) for kind in RISK_KINDS},
        speedup=levels_of(speedup),
        kinds=list(dict.fromkeys(kind_of(frame))),
        cells=_cells(frame, settings),
        num_failed=int((frame["status"] == "failed").sum()),
        num_settings=len(settings),
        figures={
            name: {
                "title": drawn.title,
                "caption": drawn.caption,
                "svg": inline_svg(drawn.svg, name, f"{drawn.title}. {drawn.caption}"),
            }
            for name, drawn in figures.items()
        },
        skipped=skipped,
        certificate=certificate,
        used_bounds=_used_bounds(frame, certificate),
        checks=run_checks(folder, frame),
        posterior_beta=_largest(frame["posterior_beta"]),
        num_posteriors=int(frame["posterior_bound"].notna().sum()),
        methods=list(dict.fromkeys(frame["method"])),
        finished_at=_last(frame["finished_at"]),
        study_yaml=_text(folder.path / "study.yaml"),
        schema=COLUMNS,
        cells_csv=base64.b64encode(cells_csv(frame).encode()).decode(),
        css=_asset("report.css"),
        script=_asset("report.js"),
    )


def _asset(name: str) -> Markup:
    # Part of this package, not of the results: trusted, and not HTML to be escaped.
    return Markup(resources.files("tracking").joinpath("templates", name).read_text("utf-8"))


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else None


def _cells(frame: pd.DataFrame, settings: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the results table, each with the number of its setting (for the filter)."""
    number = {_key(row): index for index, row in enumerate(plain_rows(settings))}
    return [{**row, "setting": number[_key(row)]} for row in plain_rows(frame)]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SETTING)


def _used_bounds(frame: pd.DataFrame, certificate: dict[str, Any] | None) -> list[dict[str, Any]]:
    """ε_base, violations and the largest useful α at each T of the study."""
    if certificate is None:
        return []
    table = certificate["table"]
    # As the cells use it: a T that was chosen on other scenarios needs no correction.
    column = "eps_base" if certificate.get("choice") else "eps_base_simultaneous"
    violations = table.get("num_violations", [None] * len(table["horizon"]))
    rows = zip(table["horizon"], violations, table[column], strict=True)
    used = set(frame["horizon"])
    return [
        {
            "horizon": horizon,
            "violations": count,
            "eps_base": eps_base,
            # Rounded down: a larger α is not covered.
            "largest_alpha": math.floor(eps_base ** (-1 / horizon) * 1e4) / 1e4,
        }
        for horizon, count, eps_base in rows
        if horizon in used
    ]


def _largest(values: pd.Series) -> float | None:
    return None if values.isna().all() else float(values.max())


def _last(values: pd.Series) -> str | None:
    known = values.dropna()
    return None if known.empty else str(max(known))
