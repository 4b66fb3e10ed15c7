"""What a certificate promises of its base, as the cells use it."""

from __future__ import annotations

from typing import Any


def base_bounds(certificate: dict[str, Any]) -> dict[int, float]:
    """ε_base (probability) by T (steps).

    Valid for all T at once, unless T was chosen beforehand on other scenarios, which needs no
    correction for having looked at all of them.
    """
    table = certificate["table"]
    column = "eps_base" if certificate.get("choice") else "eps_base_simultaneous"
    return dict(zip(table["horizon"], table[column], strict=True))
