"""What values a property's signals took: flags in the form of numbers are found here.

At 0 a proposition holds (docs/studies.md). Who says 'does not hold' with a 0 would have every
verdict turned round, so a signal that may mean that is refused; only a whole set of scenarios can
tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.properties import parse_property

Kind = Literal["Boolean", "zero", "one", "minus one", "negative", "other", "begun"]
"""Of values; 'begun': the first of a trajectory is not 0."""


@dataclass
class SignalKinds:
    """The kinds of values of each of a property's signals, over any number of scenarios."""

    formula: str | None = None
    kinds: dict[str, set[Kind]] = field(default_factory=dict)

    def see(
        self,
        formula: str,
        signals: Mapping[str, NDArray[np.float64]],
        lengths: NDArray[np.int64],
        booleans: frozenset[str],
    ) -> None:
        """Take the values of n trajectories: (n, L) each, of which ``lengths`` (n,) count."""
        self.formula = formula
        for name, values in signals.items():
            inside = values[np.arange(values.shape[1]) < lengths[:, None]]
            found: set[Kind] = {"Boolean"} if name in booleans else _kinds(inside)
            if name not in booleans and (values[:, 0] != 0.0).any():
                found.add("begun")
            self.kinds.setdefault(name, set()).update(found)

    def add(self, other: SignalKinds) -> None:
        """Take what another part of the set saw."""
        self.formula = self.formula or other.formula
        for name, found in other.kinds.items():
            self.kinds.setdefault(name, set()).update(found)

    def require_told(self) -> None:
        """Refuse signals of which it is not told on which side of them 0 lies.

        A number that only ever was 0 or 1, or −1, 0 or 1 (lost, not yet, won); one that is at
        times exactly 0 and never on the side where the literal in the formula fails (a distance
        that is cut off at 0, a count); one that begins every scenario at 0 (not yet known); one
        that is a Boolean here and a number there.

        Raises:
            UserError: naming the signal and the remedy.
        """
        if self.formula is None:
            return
        literals = parse_property(self.formula).literals
        for name, found in self.kinds.items():
            about = f"signal {name!r} of {self.formula!r}"
            if "Boolean" in found and len(found) > 1:
                raise UserError(
                    f"{about} is a Boolean in some scenarios and a number in others: False does "
                    "not hold and 0 does; give the one or the other"
                )
            values = found - {"begun"}
            if values <= {"zero", "one"}:
                raise UserError(
                    f"{about} is a number that only ever was 0 or 1, as flags are, and at 0 a "
                    f"proposition holds: give a Boolean, or {name} - 0.5"
                )
            if "zero" in values and values <= {"zero", "one", "minus one"}:
                raise UserError(
                    f"{about} is a number that only ever was -1, 0 or 1, as flags with a third "
                    f"value are, and at 0 a proposition holds: give a Boolean, such as {name} == 1"
                )
            below = found & {"minus one", "negative"}
            if (name, True) in literals and "zero" in found and not below:
                raise UserError(
                    f"{about} was never below 0 and at times exactly 0, where {name} holds: give "
                    "a Boolean, or a number that is negative where it does not hold (where 0 is "
                    "meant to hold, add a small constant)"
                )
            if (name, True) in literals and "zero" in found and "begun" not in found:
                raise UserError(
                    f"{about} was exactly 0, where {name} holds, in the first state of every "
                    "scenario, as values are that are not known yet: give reset's info the values "
                    "of that state (where 0 is meant to hold, add a small constant)"
                )
            if (name, False) in literals and "zero" in found and not found & {"one", "other"}:
                raise UserError(
                    f"{about} was never above 0 and at times exactly 0, where !{name} holds: give "
                    f"a Boolean, or a number that is positive where {name} holds (where it is not "
                    "meant to hold at 0, subtract a small constant)"
                )


def where_of_each_kind(values: Any) -> dict[Kind, Any]:
    """Which of the values are of each kind, in their shape; an array or a tensor of numbers."""
    return {
        "zero": values == 0.0,
        "one": values == 1.0,
        "minus one": values == -1.0,
        "negative": (values < 0.0) & (values != -1.0),
        "other": (values > 0.0) & (values != 1.0),
    }


def _kinds(values: NDArray[np.float64]) -> set[Kind]:
    return {kind for kind, there in where_of_each_kind(values).items() if there.any()}
