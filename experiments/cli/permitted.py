"""The plan as a table: the best (T, α) for each acceptable risk, or what each T costs."""

from __future__ import annotations

from rich.table import Table

from sport_ray.certificates import Certificate
from sport_ray.certificates.planning import Permitted, best, may_pick_from
from sport_ray.properties import parse_property
from sport_ray.tracking.console import narrow_table
from sport_ray.tracking.results.labels import bound_text, confidence_text

MOST = 12
"""Rows of the table over T; plan.csv has every T."""
NOTHING = "–"


def plan_table(certificate: Certificate, rows: dict[float, list[Permitted]]) -> Table:
    """A line for each level with its best T, or a line for each T where none is the best.

    The best: of the horizons from which on what is satisfied stays satisfied. A property without
    such a horizon has no best T: the shorter it is, the less it promises.
    """
    first = may_pick_from(certificate)
    horizons = [row.horizon for row in next(iter(rows.values()))]
    if len(horizons) == 1 or first is not None:
        least = horizons[0] if len(horizons) == 1 else first
        assert least is not None
        best_of = {
            level: [row for row in column if row.horizon >= least] for level, column in rows.items()
        }
        return _of_levels(certificate, best_of)
    return _of_horizons(certificate, rows)


def advice(certificate: Certificate) -> str | None:
    """Why no T is recommended, in one line; None where one is."""
    if may_pick_from(certificate) is not None:
        return None
    asked = parse_property(certificate.property)
    how = "grows" if asked.is_never_mended else "may rise and fall"
    return (
        f"No T is recommended: the risk of {certificate.property} {how} with T, and what satisfies "
        "it within T steps may violate it later, so a shorter T promises less. Take the T that "
        "your task needs, then the α of its line (--horizon T for another T)."
    )


def shown_horizons(horizons: list[int]) -> list[int]:
    """All of at most ``MOST`` horizons; of more 1, 2, 5, 10, 20, 50, … and the last.

    >>> shown_horizons(list(range(1, 61)))
    [1, 2, 5, 10, 20, 50, 60]
    """
    if len(horizons) <= MOST:
        return horizons
    largest = horizons[-1]
    ladder = {step * 10**power for power in range(len(str(largest))) for step in (1, 2, 5)}
    return [one for one in horizons if one in ladder or one == largest]


def _of_levels(certificate: Certificate, rows: dict[float, list[Permitted]]) -> Table:
    """The best row of each level."""
    table = _table(certificate)
    for name in ("ε_max", "T", "violations", "ε_base(T)", "α", "log α", "prior bound"):
        table.add_column(name, justify="right", no_wrap=True)
    for level, column in rows.items():
        row = best(column) or min(column, key=lambda one: one.prior_bound)
        base = f"{level:g}", str(row.horizon), str(row.num_violations), bound_text(row.eps_base)
        if row.alpha is None or row.log_alpha is None:
            table.add_row(*base, NOTHING, NOTHING, "out of reach")
        else:
            table.add_row(
                *base, _down(row.alpha), _down(row.log_alpha), bound_text(row.prior_bound)
            )
    return table


def _of_horizons(certificate: Certificate, rows: dict[float, list[Permitted]]) -> Table:
    """The largest α of each level at some of the horizons; a dash where it is out of reach."""
    table = _table(certificate)
    for name in ("T", "ε_base(T)", *(f"ε_max {level:g}" for level in rows)):
        table.add_column(name, justify="right")
    shown = set(shown_horizons([row.horizon for row in next(iter(rows.values()))]))
    for line in zip(*rows.values(), strict=True):
        if line[0].horizon in shown:
            alphas = (NOTHING if one.alpha is None else _down(one.alpha) for one in line)
            table.add_row(str(line[0].horizon), bound_text(line[0].eps_base), *alphas)
    return table


def _table(certificate: Certificate) -> Table:
    claim = f"confidence {confidence_text(certificate.beta)}"
    table = narrow_table(f"Largest α with P(violation) ≤ ε_max, {claim}")
    table.caption = f"{certificate.num_scenarios} scenarios of the base; {certificate.property}"
    return table


def _down(value: float) -> str:
    """Four decimals, downwards: what is permitted may only be rounded down."""
    return f"{int(value * 1e4) / 1e4:.4f}"
