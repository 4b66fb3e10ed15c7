"""The report of a study: one HTML page that opens offline, made from the result folder alone."""

from __future__ import annotations

from pathlib import Path

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.figures import animate, draw_figures
from sport_ray.tracking.report.page import render_page
from sport_ray.tracking.results.csv_text import write_csv, write_csv_if_any
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.table import write_cells_parquet


def write_report(results_dir: str | Path, out: str | Path | None = None) -> Path:
    """Write ``report.html``, ``figures/`` and the tables: cells, fronts, hypervolumes, speed-up.

    The tables: ``cells.csv`` and ``cells.parquet``, ``pareto.csv``, ``hypervolume.csv``,
    ``speedup.csv``, ``task_policies.csv``, ``side_by_side.csv``, ``trends.csv``,
    ``conservativeness.csv``, ``limits.csv`` and ``training.csv`` (not where nothing can be
    compared). Returns the page. Everything is made anew from the records, the certificate and the
    samples; the same files give the same bytes. `out`: where to, by default into the result folder.
    A record that cannot be read is named on the page and left out.

    Raises:
        UserError: no results, a damaged certificate or plan, or an `out` that cannot be written to.
    """
    folder = read_results(results_dir)
    target = folder.path if out is None else Path(out)
    with writing(target):
        return _write(folder, target)


def _write(folder: Results, target: Path) -> Path:
    tables = tables_of(folder)
    frame, settings = tables.frame, tables.settings
    figures, skipped = draw_figures(folder, tables, target)
    answer = answer_study(settings, folder.certificate, folder.base_at)
    animation = animate(folder, frame, settings, answer, target)
    write_csv(frame, target / "cells.csv")
    write_cells_parquet(frame, target / "cells.parquet")
    write_csv(tables.front, target / "pareto.csv")
    write_csv(tables.hypervolume, target / "hypervolume.csv")
    write_csv_if_any(tables.speedup, target / "speedup.csv")
    write_csv_if_any(tables.sources, target / "task_policies.csv")
    write_csv_if_any(tables.published, target / "side_by_side.csv")
    write_csv_if_any(tables.trends, target / "trends.csv")
    write_csv_if_any(tables.ladder, target / "conservativeness.csv")
    write_csv_if_any(tables.limits, target / "limits.csv")
    write_csv_if_any(tables.training, target / "training.csv")
    page = render_page(folder, tables, answer, figures, skipped, animation)
    return write_atomically(target / "report.html", page)
