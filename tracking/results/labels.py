"""Numbers and names as people read them, the same in figures, report and terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sport_ray.digits import rounded, rounded_up
from sport_ray.tracking.results.kinds import PAPER, UNCONSTRAINED, class_of
from sport_ray.tracking.results.task_policies import (
    is_selection,
    parts_of_series,
    series_of_row,
    series_text,
)

Row = Mapping[str, Any] | pd.Series
_SHORT_METHODS = {
    "projected_ppo": "PPO",
    "projected_at_deployment": "at deployment",
    "unconstrained": "unconstrained",
}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def bound_text(value: float | None) -> str:
    """An upper bound on a probability, three digits, rounded up so that it still bounds.

    '≥ 1' where it says nothing, '–' where there is none.
    """
    if value is None or pd.isna(value):
        return "–"
    if value >= 1:
        return "≥ 1"
    return rounded_up(value)


def rate_text(value: float | None) -> str:
    """A measured share, three digits, rounded to nearest."""
    if value is None or pd.isna(value):
        return "–"
    return rounded(value)


def p_value_text(value: float | None) -> str:
    """A p-value, two digits, never 0: '0.032', '4e-13', '< 1e-16'."""
    if value is None or pd.isna(value):
        return "–"
    return "< 1e-16" if value < 1e-16 else f"{value:.2g}"


def span_text(values: str) -> str:
    """A list of values in short: its ends and how many there are.

    >>> span_text("1, 1.5, 3, 10"), span_text("5")
    ('1 … 10 (4)', '5')
    """
    parts = values.split(", ")
    return values if len(parts) < 3 else f"{parts[0]} … {parts[-1]} ({len(parts)})"


def steps_text(value: float | None) -> str:
    """Mean steps to the goal, one digit more than a control step; or a mean return."""
    return "–" if value is None or pd.isna(value) else f"{value:z.2f}"


def alpha_text(value: float | None) -> str:
    """The ratio bound, or another limit, in readable digits; '–' where there is none.

    Rounded to four digits; near 1 to as many as say how far from 1 it is, so that no α that allows
    something looks like the base's. All digits are in the tables' files.

    >>> [alpha_text(value) for value in (1.08376, 1.00053, 1.0, 3.37904, 0.02)]
    ['1.084', '1.00053', '1', '3.379', '0.02']
    """
    if value is None or pd.isna(value):
        return "–"
    if not 1 < value < 10:
        return f"{value:.4g}"
    decimals = max(3, 1 - math.floor(math.log10(value - 1)))
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def alpha_text_down(value: float | None) -> str:
    """The same of a largest α, rounded down: a larger one is not covered.

    >>> alpha_text_down(1.29467), alpha_text_down(1.3)
    ('1.294', '1.3')
    """
    if value is None or pd.isna(value) or not 1 < value < 10:
        return alpha_text(value)
    unit = 10.0 ** -max(3, 1 - math.floor(math.log10(value - 1)))
    # A float just below a short decimal is that decimal: 1.3 is no 1.299.
    return alpha_text(max(1.0, math.floor(value / unit * (1 + 1e-12)) * unit))


def kind_text(kind: str) -> str:
    """A kind of constraint in words: the title of its class; of an unknown one its name."""
    known = class_of(kind)
    return kind if known is None else known.title


def constraint_text(row: Row) -> str:
    """A setting's constraint, from its row in a table or a record, whatever the method.

    >>> constraint_text({"constraint": "gauss_renyi", "alpha": 1.15})
    'α = 1.15 (Gauss–Rényi)'
    >>> constraint_text({"constraint": "pathwise", "alpha": None, "eps_max": 0.1})
    'pathwise budget, ε_max = 0.1'
    """
    kind, alpha, eps_max = row["constraint"], row.get("alpha"), row.get("eps_max")
    name = kind_text(kind)
    if not _missing(alpha):
        return f"α = {alpha_text(alpha)}" + ("" if kind == PAPER else f" ({name})")
    if not _missing(row.get("limit_rank")):
        return f"{name}, limit {int(row['limit_rank'])}"
    return name if _missing(eps_max) else f"{name}, ε_max = {eps_max:g}"


def setting_text(row: Row) -> str:
    """The short name of a setting without its T, the same wherever one is named.

    >>> ratio = {"constraint": "ratio", "projected": True}
    >>> free = {"constraint": "unconstrained", "projected": False}
    >>> setting_text({"source": "projected_ppo", "alpha": 1.15, **ratio})
    'PPO, α = 1.15'
    >>> setting_text({"source": "unconstrained", "hyperparameters": "lr=0.0001", **free})
    'unconstrained, lr=0.0001'
    >>> setting_text({"source": "scpo", "alpha": 1.1, **ratio})
    'SCPO, projected, α = 1.1'
    >>> setting_text({"source": "scpo", **free})
    'SCPO, as it is'
    >>> setting_text({"source": "ppo_lagrangian", "eps_max": 0.1, **free})
    'PPO-Lagrangian, as it is, ε_max = 0.1'
    >>> setting_text({"source": "critic", "alpha": 1.1, **ratio})
    'Selection, critic, α = 1.1'
    >>> setting_text({"source": "critic", **free})
    'Selection, critic, unlimited'
    """
    name = constraint_text(row)
    if row["constraint"] != UNCONSTRAINED:
        name = f"{method_text(row)}, {name}"
    elif parts_of_series(series_of_row(row))[1]:
        name = method_text(row)
    return name + _parameters(row)


def method_text(row: Row) -> str:
    """Who made the policy, in short; of one that is used as it is with the risk that it aims at.

    >>> method_text({"source": "projected_ppo", "projected": True})
    'PPO'
    >>> method_text({"source": "unconstrained", "projected": False})
    'unconstrained'
    """
    series = series_of_row(row)
    short = _SHORT_METHODS.get(series) or series_text(series)
    return short if row["projected"] else short + _aim(row)


def _aim(row: Row) -> str:
    """The risk that a policy aims at which is used as it is."""
    eps_max = row.get("eps_max")
    return "" if _missing(eps_max) else f", ε_max = {eps_max:g}"


def _parameters(row: Row) -> str:
    text = row.get("hyperparameters")
    return "" if _missing(text) else f", {text}"


def point_text(row: Row, horizon: bool) -> str:
    """The label of a point in a chart that shows the method by itself; with its T if wanted."""
    series = series_of_row(row)
    free = not row["projected"] and parts_of_series(series)[1]
    name = series_text(series) + _aim(row) if free else constraint_text(row)
    label = name.replace(" budget", "").replace(" = ", " ") + _parameters(row)
    return f"{label}, T {row['horizon']}" if horizon else label


def _missing(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def series_and_kind_text(series: str, kind: str) -> str:
    """The name of a line in a chart of several kinds of constraint.

    >>> series_and_kind_text("projected_ppo", "ratio")
    'constant ratio, Projected PPO'
    >>> series_and_kind_text("unconstrained", "unconstrained")
    'unconstrained'
    >>> series_and_kind_text("unprojected:scpo", "unconstrained")
    'SCPO, as it is'
    >>> series_and_kind_text("selection:critic", "pathwise")
    'Selection, critic, pathwise budget'
    """
    if kind == series:
        return kind_text(kind)
    if kind == UNCONSTRAINED:
        return series_text(series)
    parts = [kind_text(kind), series_text(series)]
    return ", ".join(reversed(parts) if is_selection(series) else parts)


def seeds_text(counts: pd.Series) -> str:
    """How many seeds are behind some settings, e.g. '2 seeds' or '1 to 2 seeds'."""
    low, high = int(counts.min()), int(counts.max())
    if low == high:
        return f"{low} seed{'s' if low != 1 else ''}"
    return f"{low} to {high} seeds"


def confidence_text(beta: float) -> str:
    """1 - beta in a form that does not round to 1: '1 − 10⁻⁷', or '95%'."""
    if math.isclose(beta * 100, round(beta * 100), abs_tol=1e-9) and beta >= 0.01:
        return f"{1 - beta:.0%}"
    digits, _, exponent = f"{beta:.2e}".partition("e")
    if digits == "1.00":
        return f"1 − 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    return f"1 − {beta:g}"


def left_out_text(settings: pd.DataFrame) -> str:
    """What a figure over α leaves out, as the end of its caption; empty if nothing."""
    others = dict.fromkeys(
        settings.loc[~settings["constraint"].isin([PAPER, UNCONSTRAINED]), "constraint"]
    )
    if not others:
        return ""
    names = ", ".join(kind_text(str(kind)) for kind in others)
    return f" Only the paper's constraint, a constant ratio α; not shown: {names}."
