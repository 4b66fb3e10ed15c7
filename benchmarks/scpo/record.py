"""What an optimisation did, iteration by iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from benchmarks.scpo.problem import Array

Outcome = Literal["inside", "projected", "shrunk", "stood still", "went back", "free", "end"]


class Iteration(NamedTuple):
    """One iterate and what was done from there.

    objective, max_constraint: measured at the iterate; worst: the name of that constraint.
    outcome: inside, projected, shrunk (see ``Projection``), stood still, went back (to the last
        iterate: this one was above 0, so an assumption is false), free (no constraint asked),
        end. reason: in words, where there is one.
    raw_step, step: lengths. probes, unsafe_probes: perturbations evaluated from here, and how many
        of them measured above 0. contradicted: the iterate measured above the model's upper bound.
    """

    iteration: int
    objective: float
    max_constraint: float
    worst: str
    outcome: Outcome
    reason: str
    raw_step: float
    step: float
    probes: int
    unsafe_probes: int
    contradicted: bool


@dataclass(frozen=True)
class Run:
    """An optimisation: the last iterate, and every one on the way.

    smoothness: the constants at the end; estimated ones may have been raised.
    """

    theta: Array
    thetas: Array  # (iterations + 1, d)
    iterations: tuple[Iteration, ...]
    smoothness: Array

    @property
    def largest_constraint(self) -> float:
        """The largest constraint value that was measured at any iterate."""
        return max(one.max_constraint for one in self.iterations)

    @property
    def ever_unsafe(self) -> bool:
        """Whether any iterate measured above 0, or not a number."""
        return not all(one.max_constraint <= 0.0 for one in self.iterations)

    @property
    def evaluations(self) -> int:
        """Evaluations of the constraints: one per iterate and one per perturbation."""
        return len(self.iterations) + sum(one.probes for one in self.iterations)

    @property
    def unsafe_probes(self) -> int:
        """Perturbations that measured above 0: safety is promised for iterates, not for them."""
        return sum(one.unsafe_probes for one in self.iterations)

    def count(self, *outcomes: Outcome) -> int:
        """How many iterations had one of the outcomes."""
        return sum(one.outcome in outcomes for one in self.iterations)

    def rows(self) -> list[dict[str, Any]]:
        """The iterations as rows of a table."""
        return [one._asdict() for one in self.iterations]
