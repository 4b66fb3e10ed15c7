"""What a certificate promises of its base, as the cells use it."""

from __future__ import annotations

from typing import Any


def base_bounds(certificate: dict[str, Any]) -> dict[int, float]:
    """ε_base (probability) by T (steps).

    Valid for all T at once. Where T was chosen beforehand, on other scenarios, that T alone: it
    needs no correction for having looked at all of them.
    """
    table, choice = certificate["table"], certificate.get("choice")
    if not choice:
        return dict(zip(table["horizon"], table["eps_base_simultaneous"], strict=True))
    chosen: int = choice["horizon"]
    return {chosen: table["eps_base"][table["horizon"].index(chosen)]}
