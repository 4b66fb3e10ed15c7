"""What is minimised under what: functions of the weights that can be evaluated, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """The objective and the constraints at one θ.

    constraints: (m,) measured values of g; safe is g ≤ 0.
    errors: (m,) half widths, |measured − g| ≤ error; 0 where the evaluation is exact. What
        rounding adds belongs in here, where it matters.
    """

    objective: float
    constraints: Array
    errors: Array

    @property
    def upper(self) -> Array:
        """Upper bounds on g, (m,), rounded up."""
        return np.nextafter(self.constraints + self.errors, np.inf)

    def require_shape(self, num_constraints: int) -> Evaluation:
        """Itself.

        Raises:
            ValueError: another number of constraints, or an error that is negative or NaN.
        """
        shape = (num_constraints,)
        if self.constraints.shape != shape or self.errors.shape != shape:
            raise ValueError(
                f"an evaluation must hold {num_constraints} constraints and as many errors, got "
                f"{self.constraints.shape} and {self.errors.shape}"
            )
        if not (self.errors >= 0.0).all():
            raise ValueError(f"errors must be at least 0, got {self.errors!r}")
        return self


class Problem(ABC):
    """Minimise f(θ) subject to g_i(θ) ≤ 0, i = 1 … m, for weights θ of shape (d,)."""

    dimension: int
    constraint_names: tuple[str, ...]

    @abstractmethod
    def evaluate(self, theta: Array, beta: float) -> Evaluation:
        """Evaluate at θ, by rollouts.

        ``beta``: probability with which one of the errors that come with the m values may be too
        small, each; a deterministic problem ignores it.
        """

    def objective_gradient(self, theta: Array) -> Array | None:
        """∇f(θ), (d,); None where it is to be estimated from evaluations around θ."""
        return None

    @property
    def num_constraints(self) -> int:
        """M."""
        return len(self.constraint_names)
