"""The plan as a table and a data frame: the best (T, α) for each acceptable risk."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
from rich.table import Table

from sport_ray.certificates import Certificate
from sport_ray.certificates.planning import LEVELS, Permitted, best, permitted
from sport_ray.errors import UserError
from sport_ray.experiments.config.limits import SMALLEST_LEVEL
from sport_ray.tracking.results.labels import bound_text, confidence_text


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


def plan_table(certificate: Certificate, rows: dict[float, list[Permitted]]) -> Table:
    """The best row of each level."""
    claim = f"confidence {confidence_text(certificate.beta)}"
    table = Table(
        title=f"Largest α with P(violation) ≤ ε_max, {claim}",
        title_justify="left",
        title_style="bold",
        caption=f"{certificate.num_scenarios} scenarios of the base; {certificate.property}",
    )
    for name in ("ε_max", "T", "violations", "ε_base(T)", "α", "log α", "prior bound"):
        table.add_column(name, justify="right", no_wrap=True)
    for level, column in rows.items():
        row = best(column)
        if row is None or row.alpha is None or row.log_alpha is None:
            least = min(column, key=lambda one: one.prior_bound)
            table.add_row(
                f"{level:g}",
                str(least.horizon),
                str(least.num_violations),
                bound_text(least.eps_base),
                "–",
                "–",
                "out of reach",
            )
            continue
        table.add_row(
            f"{level:g}",
            str(row.horizon),
            str(row.num_violations),
            bound_text(row.eps_base),
            _down(row.alpha),
            _down(row.log_alpha),
            bound_text(row.prior_bound),
        )
    return table


def _down(value: float) -> str:
    """Four decimals, downwards: what is permitted may only be rounded down."""
    return f"{int(value * 1e4) / 1e4:.4f}"


def plan_frame(rows: dict[float, list[Permitted]]) -> pd.DataFrame:
    """Every horizon and level, one row each."""
    return pd.DataFrame(
        [
            {
                "eps_max": row.eps_max,
                "horizon": row.horizon,
                "num_violations": row.num_violations,
                "eps_base": row.eps_base,
                "alpha": row.alpha,
                "log_alpha": row.log_alpha,
                "prior_bound": row.prior_bound,
            }
            for column in rows.values()
            for row in column
        ]
    )
