"""What a certificate permits: the largest α for each acceptable risk and T."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sport_ray.certificates import Certificate
from sport_ray.certificates.planning import LEVELS, Permitted, permitted
from sport_ray.errors import UserError
from sport_ray.experiments.config.limits import SMALLEST_LEVEL

COLUMNS = (
    "eps_max", "horizon", "num_violations", "eps_base", "alpha", "log_alpha", "prior_bound",
)  # fmt: skip


def plan_rows(
    certificate: Certificate,
    levels: Iterable[float] | None = None,
    horizon: int | None = None,
    *,
    alpha_mu: float = 1.0,
    alpha_p: float = 1.0,
) -> dict[float, list[Permitted]]:
    """What is permitted at each level of risk (default: ``LEVELS``), at every T or at one.

    Raises:
        UserError: a level outside (0, 1]; a ratio that is not finite; a horizon that the
            certificate does not stand for.
    """
    asked = sorted(set(levels or LEVELS))
    for level in asked:
        if not SMALLEST_LEVEL <= level <= 1.0:
            raise UserError(f"--eps-max {level:g}: give a probability from {SMALLEST_LEVEL:g} to 1")
    for name, ratio in (("alpha-mu", alpha_mu), ("alpha-p", alpha_p)):
        if not 1.0 <= ratio < math.inf:
            raise UserError(f"--{name} {ratio:g}: give a finite number of at least 1")
    rows = {
        level: permitted(certificate, level, alpha_mu=alpha_mu, alpha_p=alpha_p) for level in asked
    }
    if horizon is None:
        return rows
    certificate.eps_base(horizon)  # says which horizons there are
    return {
        level: [row for row in column if row.horizon == horizon] for level, column in rows.items()
    }


def plan_frame(rows: dict[float, list[Permitted]]) -> pd.DataFrame:
    """Every horizon and level, one row each."""
    every = [row for column in rows.values() for row in column]
    return pd.DataFrame([{name: getattr(row, name) for name in COLUMNS} for row in every])


def write_plan(
    certificate: Certificate, rows: dict[float, list[Permitted]], folder: Path, **world: float
) -> tuple[Path, Path | None]:
    """Write plan.csv and the figure of the largest log α; both, the figure without its suffix.

    world: ``alpha_mu`` and ``alpha_p`` of the rows. No figure where no α is permitted.

    Raises:
        UserError: a folder that cannot be written to.
    """
    from sport_ray.tracking.figures.certificate import draw_max_log_alpha
    from sport_ray.tracking.figures.style import look
    from sport_ray.tracking.results.csv_text import write_csv
    from sport_ray.tracking.results.files import writing

    with writing(folder):
        table = write_csv(plan_frame(rows), folder / "plan.csv")
        with look():
            drawn = draw_max_log_alpha(
                certificate.body(), pd.DataFrame({"horizon": []}), folder, tuple(rows), **world
            )
    return table, None if drawn is None else folder / "max_log_alpha"
