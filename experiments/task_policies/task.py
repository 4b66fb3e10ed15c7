"""What a task policy is made for."""

from __future__ import annotations

from dataclasses import dataclass

from sport_ray.constraints import Constraint
from sport_ray.experiments.config.sections import Environment, ResourcesSection


@dataclass(frozen=True)
class Task:
    """One environment and property, episodes of T steps, and a seed: all that training is told.

    horizon: T, steps; max_horizon: the certificate's T_max, steps. constraint: what the policy is
    trained under; of a source that knows of none, ``Unconstrained()``. resources: what a cell has.
    """

    environment: Environment
    property: str
    horizon: int
    max_horizon: int
    seed: int
    constraint: Constraint
    resources: ResourcesSection
