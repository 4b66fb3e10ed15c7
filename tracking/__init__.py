"""What was found: results table, Pareto front, figures, report and MLflow logging.

- ``results``: reading result folders, the table of cells, statistics over seeds.
- ``analysis``: the answer, Pareto fronts, comparisons, conservativeness. ``figures``: pictures.
- ``report``: the page and what is published. ``mlflow``: runs that others can search.
- ``benchmark``: the leaderboard over many tasks, bases and methods.

Imported as ``sport_ray.tracking``. Reads result folders and nothing else; knows neither Ray nor how
the results were made. The entry points load their libraries on first use, so that a table is
quick to get:

- ``load_results(path)``: a tidy pandas table, one row per cell.
- ``load_curves(path)``: the learning curves, one row per cell and point.
- ``write_report(path)``: ``report.html``, figures, ``cells.csv`` and ``pareto.csv``.
- ``log_sweep(path, uri)``: everything to MLflow, never twice.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sport_ray.tracking.mlflow.log import log_sweep
    from sport_ray.tracking.report.write import write_report
    from sport_ray.tracking.results.curves_table import load_curves
    from sport_ray.tracking.results.table import load_results

__all__ = ["load_curves", "load_results", "log_sweep", "write_report"]

_HOMES = {
    "load_curves": "sport_ray.tracking.results.curves_table",
    "load_results": "sport_ray.tracking.results.table",
    "log_sweep": "sport_ray.tracking.mlflow.log",
    "write_report": "sport_ray.tracking.report.write",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
