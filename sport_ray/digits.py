"""Numbers in few digits, as people read them."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal


def rounded_up(value: float, digits: int = 3) -> str:
    """An upper bound in so many significant digits, rounded up so that it still bounds.

    >>> rounded_up(0.028512), rounded_up(0.05), rounded_up(1.2341e-6)
    ('0.0286', '0.05', '1.24e-6')
    """
    # From the shortest decimal of this float: the float of 0.05 is a little more, and is no 0.0501.
    return _plain(Decimal(repr(float(value))), digits, ROUND_CEILING)


def rounded(value: float, digits: int = 3) -> str:
    """A measured number in so many significant digits, rounded to nearest.

    >>> rounded(0.028512), rounded(0.5)
    ('0.0285', '0.5')
    """
    return _plain(Decimal(float(value)), digits, ROUND_HALF_EVEN)


def _plain(value: Decimal, digits: int, rounding: str) -> str:
    found = Context(prec=digits, rounding=rounding).create_decimal(value)
    if found and found.adjusted() < -4:
        return f"{found:.{digits - 1}e}"
    text = f"{found:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
