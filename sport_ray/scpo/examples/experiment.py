"""An experiment: a problem, a safe start, and the same steps with and without SCPO."""

from __future__ import annotations

from dataclasses import dataclass

from sport_ray.scpo.optimise import ScpoSettings, descend, optimise
from sport_ray.scpo.problem import Array, Problem
from sport_ray.scpo.record import Run
from sport_ray.scpo.smoothness import Smoothness


@dataclass(frozen=True)
class Experiment:
    """What is run: ``title`` and ``objective`` (what its value means) are for figures."""

    title: str
    objective: str
    problem: Problem
    start: Array
    smoothness: Smoothness | None  # None: estimated at the iterates
    settings: ScpoSettings

    def constrained(self) -> Run:
        """SCPO."""
        return optimise(self.problem, self.start, self.smoothness, self.settings)

    def unconstrained(self) -> Run:
        """The raw gradient steps alone."""
        return descend(self.problem, self.start, self.settings)
