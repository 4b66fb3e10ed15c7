"""What a finished study leaves to be read: the report, and its copy in MLflow."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.tracking.console import say


def write_pages(folder: Path, uri: str | None, console: Console) -> Path:
    """Write the report and send what is new to MLflow; its page.

    uri: where to; None for ``MLFLOW_TRACKING_URI``, else the store beside the results. A store
    that does not answer costs the copy and nothing else: one line says how to send it later.
    """
    from sport_ray.tracking import log_sweep, write_report
    from sport_ray.tracking.mlflow.client import report_command

    page = write_report(folder)
    try:
        log_sweep(folder, uri)
    except UserError as error:
        say(
            console,
            f"the report was not sent to MLflow ({error}); send it later with: "
            f"{report_command(folder)}",
        )
    return page
