"""Numbers and names as people read them, the same in figures, report and terminal."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal

import pandas as pd

from tracking.schema import METHODS

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def bound_text(value: float | None) -> str:
    """An upper bound on a probability, three digits, rounded up so that it still bounds.

    '≥ 1' where it says nothing, '–' where there is none.
    """
    if value is None or pd.isna(value):
        return "–"
    if value >= 1:
        return "≥ 1"
    return _plain(Context(prec=3, rounding=ROUND_CEILING).create_decimal(Decimal(float(value))))


def rate_text(value: float | None) -> str:
    """A measured share, three digits, rounded to nearest."""
    if value is None or pd.isna(value):
        return "–"
    return _plain(Context(prec=3).create_decimal(Decimal(float(value))))


def _plain(value: Decimal) -> str:
    if value and value.adjusted() < -4:
        return f"{value:.2e}"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def steps_text(value: float | None) -> str:
    """Mean steps to the goal, one digit more than a control step; or a mean return."""
    return "–" if value is None or pd.isna(value) else f"{value:z.2f}"


def alpha_text(value: float | None) -> str:
    """The ratio bound; 'none' for an unconstrained policy."""
    return "none" if value is None or pd.isna(value) else f"{value:.6g}"


def method_text(method: str) -> str:
    """The method's name in words."""
    return METHODS.get(method, method)


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
