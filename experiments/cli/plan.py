"""The plan as a table: the best (T, α) for each acceptable risk."""

from __future__ import annotations

from rich.table import Table

from sport_ray.certificates import Certificate
from sport_ray.certificates.planning import Permitted, best
from sport_ray.tracking.results.labels import bound_text, confidence_text


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
        reached = row is not None and row.alpha is not None and row.log_alpha is not None
        if not reached:
            row = min(column, key=lambda one: one.prior_bound)
        table.add_row(
            f"{level:g}",
            str(row.horizon),
            str(row.num_violations),
            bound_text(row.eps_base),
            _down(row.alpha) if reached else "–",
            _down(row.log_alpha) if reached else "–",
            bound_text(row.prior_bound) if reached else "out of reach",
        )
    return table


def _down(value: float) -> str:
    """Four decimals, downwards: what is permitted may only be rounded down."""
    return f"{int(value * 1e4) / 1e4:.4f}"
