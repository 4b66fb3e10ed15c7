"""The Lagrange multiplier of the safety constraint, learned by projected ascent."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Multiplier:
    """ν ≥ 0 of min over policies, max over ν ≥ 0 of L_pref + ν · (L_safe − target).

        ν ← min(max(ν + rate · (L_safe − target), 0), largest)

    It rises while the constraint L_safe ≤ target is violated and falls while there is room.
    ``largest`` keeps a target that cannot be reached from drowning the preferences for ever; a
    run that ends there has not met its constraint.

    >>> nu = Multiplier(value=1.0, rate=0.5, target=0.3, largest=10.0)
    >>> nu.update(0.5), nu.update(0.1), nu.update(-9.0)
    (1.1, 1.0, 0.0)
    """

    value: float
    rate: float
    target: float
    largest: float

    def update(self, loss: float) -> float:
        """One step of ascent for a measured L_safe; the new ν.

        Raises:
            ArithmeticError: a loss that is not finite.
        """
        if not math.isfinite(loss):
            raise ArithmeticError(f"the safety loss is {loss}: the multiplier cannot be updated")
        moved = self.value + self.rate * (loss - self.target)
        self.value = min(max(moved, 0.0), self.largest)
        return self.value
