"""The end of a sweep's log in MLflow: what is behind is sent, and what is not taken is said."""

from __future__ import annotations

from sport_ray.experiments.stages.context import Context
from sport_ray.experiments.stages.progress import counting
from sport_ray.tracking.mlflow.client import report_command
from sport_ray.tracking.mlflow.live import WHOLE, SweepLogger

STOP_SECONDS = 4.0
"""After Ctrl-C: how long MLflow may take, so that the whole command ends within ten."""
FAILED_SECONDS = 60.0
"""The same after a mistake, which is told when that is over."""
FEW = 10
"""Cells that may be behind without a bar: it would be gone at once."""


def finish_log(
    context: Context, logger: SweepLogger | None, status: str, within: float | None = None
) -> None:
    """Send what is missing and end the parent run; Ctrl-C skips that."""
    if logger is None:
        return
    behind = logger.behind
    try:
        if within is not None or behind <= FEW:
            logger.finish(status, within)
            return
        with counting(context.console, "to MLflow", behind) as advance:
            logger.finish(status, tell=lambda left: advance.whole(behind - left, behind))
    except KeyboardInterrupt:
        logger.pending[WHOLE] = "skipped by Ctrl-C"


def say_lacking(context: Context, logger: SweepLogger) -> None:
    """Say what the store did not take, and how to send it later; nothing where it has all."""
    if left := dict(logger.pending):
        reason = left.pop(WHOLE, None) or next(iter(left.values()))
        lacks = f"took all but {len(left)} cells" if left else "has not all of it"
        again = report_command(context.folder.root)
        context.console.print(
            f"MLflow {lacks} ({reason}); send the rest later with: {again}", soft_wrap=True
        )
