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
        row = best(column) or min(column, key=lambda one: one.prior_bound)
        base = f"{level:g}", str(row.horizon), str(row.num_violations), bound_text(row.eps_base)
        if row.alpha is None or row.log_alpha is None:
            table.add_row(*base, "–", "–", "out of reach")
        else:
            table.add_row(
                *base, _down(row.alpha), _down(row.log_alpha), bound_text(row.prior_bound)
            )
    return table


def _down(value: float) -> str:
    """Four decimals, downwards: what is permitted may only be rounded down."""
    return f"{int(value * 1e4) / 1e4:.4f}"
