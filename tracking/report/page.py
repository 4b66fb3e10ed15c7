"""The page of a report: what the template shows, and the template filled in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from sport_ray.constraints import CONSTRAINTS, Constraint, RatioConstraint
from sport_ray.tracking.analysis.answer import Answer
from sport_ray.tracking.analysis.checks import run_checks
from sport_ray.tracking.analysis.conservativeness import (
    COLUMNS,
    lead,
    other_kinds,
    setting_table,
)
from sport_ray.tracking.analysis.limits import COLUMNS as LIMIT_COLUMNS
from sport_ray.tracking.analysis.pareto import RISK_KINDS
from sport_ray.tracking.analysis.speedup_table import interval_text, levels_of, percent_text
from sport_ray.tracking.analysis.tables import Tables
from sport_ray.tracking.analysis.task_policies import count_text
from sport_ray.tracking.figures import Animation, Drawn
from sport_ray.tracking.report import chart_axes, parallel
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.details import details_of
from sport_ray.tracking.report.heat import heat_maps
from sport_ray.tracking.report.learning import learning_view
from sport_ray.tracking.report.overview import brief, overview_of
from sport_ray.tracking.report.parallel import parallel_of
from sport_ray.tracking.report.printed import printed_rows
from sport_ray.tracking.report.rows import (
    cell_rows,
    filter_choices,
    hypervolume_rows,
    ids_by_setting,
    is_of_source,
    kind_class,
    outline,
    used_bounds,
    without_repeats,
)
from sport_ray.tracking.report.svg import inline_svg
from sport_ray.tracking.report.templating import asset, page_environment
from sport_ray.tracking.report.terms import TERMS
from sport_ray.tracking.results import labels as wording
from sport_ray.tracking.results.completeness import completeness_of, fewer_seeds, why_none
from sport_ray.tracking.results.csv_text import csv_text
from sport_ray.tracking.results.intervals import MIN_SEEDS
from sport_ray.tracking.results.kinds import class_of, ranks
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.record import COLUMNS as CELL_COLUMNS
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import headline
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import (
    is_selection,
    series_of,
    series_of_row,
    series_text,
)

FRONTS = {
    "prior_bound": "Certified front",
    "posterior_bound": "Posterior front",
    "empirical_violation_rate": "Observed front",
}
PAPER = "https://arxiv.org/abs/2504.06386"


def render_page(
    folder: Results,
    tables: Tables,
    answer: Answer,
    figures: dict[str, Drawn],
    skipped: dict[str, str],
    animation: Animation | None,
) -> str:
    """The page as text. All that comes from the files is escaped by the template engine."""
    frame, settings, front = tables.frame, tables.settings, tables.front
    measure = performance_of(settings)
    cells = cell_rows(frame, settings)
    ids = ids_by_setting(cells)
    best = without_repeats(answer.best)
    completeness = completeness_of(folder)
    rungs = setting_table(tables.ladder)
    environment = page_environment(
        alpha=wording.alpha_text,
        alpha_down=wording.alpha_text_down,
        kind=wording.kind_text,
        setting=wording.setting_text,
        interval=interval_text,
        percent=percent_text,
        bound=wording.bound_text,
        rate=wording.rate_text,
        value=measure.text,
        method=series_text,
        p_value=wording.p_value_text,
        span=wording.span_text,
        count=count_text,
        inline=lambda drawn: inline_svg(drawn.svg, drawn.name, f"{drawn.title}. {drawn.caption}"),
        power=_power,
        nats=_nats,
        confidence=wording.confidence_text,
        kind_class=kind_class,
        series=series_of_row,
        outline=outline,
        is_of_source=is_of_source,
    )
    certificate = folder.certificate
    tried = settings.loc[settings["seeds"] > 0, "seeds"]
    betas = frame["posterior_beta"].dropna()
    return environment.get_template("report.html.j2").render(
        study=folder.name,
        refuted=headline(folder.refutations),
        paper=PAPER,
        measure=measure,
        completeness=completeness,
        overview=overview_of(folder, frame, settings, answer, completeness, ids),
        terms=TERMS,
        fewer_seeds=fewer_seeds(settings),
        why_none=partial(why_none, settings),
        answer=answer,
        best=best,
        brief=brief(best),
        charts=build_charts(settings, ids),
        box=chart_axes,
        seeds=wording.seeds_text(tried) if len(tried) else "no seed",
        few_seeds=bool((tried < MIN_SEEDS).any()),
        filters=filter_choices(frame, best),
        setting_rows=plain_rows(settings),
        printed=printed_rows(cells, settings),
        front_names=FRONTS,
        hypervolumes=hypervolume_rows(tables.hypervolume, measure),
        fronts={kind: plain_rows(front[front["risk_kind"] == kind]) for kind in RISK_KINDS},
        speedup=levels_of(tables.speedup),
        has_share=bool(tables.speedup["share"].notna().any()),
        published=plain_rows(tables.published),
        trends=plain_rows(tables.trends),
        sources=plain_rows(tables.sources),
        selects=any(is_selection(series) for series in series_of(frame)),
        training=plain_rows(tables.training),
        ladder=plain_rows(rungs),
        ladder_lead=lead(rungs) if len(rungs) else "",
        ladder_kinds=[CONSTRAINTS[name] for name in other_kinds(rungs)],
        ladder_columns=COLUMNS,
        limits=plain_rows(tables.limits),
        limit_columns=LIMIT_COLUMNS,
        others=_other_constraints(frame),
        learning=learning_view(folder, frame, settings, answer),
        cells=cells,
        num_settings=len(settings),
        figures=figures,
        skipped=skipped,
        animation=animation,
        certificate=certificate,
        used_bounds=used_bounds(frame, certificate),
        checks=run_checks(folder, frame),
        posterior_beta=None if betas.empty else float(betas.max()),
        num_posteriors=int(frame["posterior_bound"].notna().sum()),
        finished_at=max(frame["finished_at"], default=None),
        study_yaml=_text(folder.files.study_file),
        schema=CELL_COLUMNS,
        downloads={
            "cells": csv_text(frame).encode(),
            "pareto": csv_text(front).encode(),
            "hypervolume": csv_text(tables.hypervolume).encode(),
            "task_policies": csv_text(tables.sources).encode(),
            "training": csv_text(tables.training).encode(),
        },
        css=asset("report.css") + asset("curves.css"),
        heat_maps=heat_maps(settings, measure, certificate),
        parallel=parallel_of(settings, measure),
        parallel_box=parallel,
        details=details_of(folder, settings, rungs, cells, measure),
        script=asset("report.js") + asset("curves.js") + asset("drawer.js"),
    )


def _other_constraints(frame: pd.DataFrame) -> list[type[Constraint]]:
    """The classes of the study's constraints beside the paper's, in order."""
    found = [class_of(kind) for kind in ranks(frame["constraint"].dropna())]
    return [kind for kind in found if kind and kind.promises() and kind is not RatioConstraint]


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else None


def _power(value: float | None) -> str:
    """Powers of ten; '–' where unknown."""
    return "–" if value is None else f"{value:z.2f}"


def _nats(value: float | None) -> str:
    """A log ratio, five digits; '–' where unknown, '∞' where nothing limits it."""
    if value is None:
        return "–"
    return "∞" if value > 1e300 else f"{value:.5f}"
