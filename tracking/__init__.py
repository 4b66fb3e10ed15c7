"""What was found: results table, Pareto front, figures, report and MLflow logging.

Reads result folders and nothing else; knows neither Ray nor how the results were made. The three
entry points load their libraries on first use, so that a table is quick to get:

- ``load_results(path)``: a tidy pandas table, one row per cell.
- ``write_report(path)``: ``report.html``, figures, ``cells.csv`` and ``pareto.csv``.
- ``log_sweep(path, uri)``: everything to MLflow, never twice.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracking.mlflow_log import log_sweep
    from tracking.report import write_report
    from tracking.table import load_results

__all__ = ["load_results", "log_sweep", "write_report"]

_HOMES = {
    "load_results": "tracking.table",
    "log_sweep": "tracking.mlflow_log",
    "write_report": "tracking.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
