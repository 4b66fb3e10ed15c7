"""What a deployed policy is projected onto, behind one interface.

A constraint says how far the deployed action distribution may go from the base policy's, and what
that costs: ``log_ratio_limit`` bounds log(pi / pi_base) of every action, in nats per step, which is
all that a prior bound needs to know. Constraints are frozen and go to JSON by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from sport_ray.errors import UserError
from sport_ray.projection.gaussian import project_kl


class Constraint(ABC):
    """A set of action distributions around the base policy's, with a projection onto it."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def log_ratio_limit(self) -> float:
        """Largest log density ratio to the base after projection, in nats per step."""

    @abstractmethod
    def project(
        self, mean_base: Tensor, std_base: Tensor, mean_task: Tensor, std_task: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The member of the set closest to the task Gaussian: (mean, std), each (..., D)."""

    def to_json(self) -> dict[str, Any]:
        """``{"name": ..., parameters}``, the inverse of :func:`constraint_from_json`."""
        return {"name": self.name}


@dataclass(frozen=True)
class RatioConstraint(Constraint):
    """Density ratio at most alpha everywhere (arXiv 2504.06386): alpha in [1, inf).

    >>> RatioConstraint(alpha=1.25).to_json()
    {'name': 'ratio', 'alpha': 1.25}
    """

    alpha: float
    name: ClassVar[str] = "ratio"

    def __post_init__(self) -> None:
        given = self.alpha
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise UserError(f"alpha must be a number >= 1, got {given!r}")
        if not 1.0 <= given < math.inf:
            remedy = "; the constraint 'unconstrained' has no limit" if given == math.inf else ""
            raise UserError(f"alpha must be finite and >= 1, got {given!r}{remedy}")
        object.__setattr__(self, "alpha", float(given))

    @property
    def log_alpha(self) -> float:
        """log alpha, in nats per step."""
        return math.log(self.alpha)

    @property
    def log_ratio_limit(self) -> float:
        return self.log_alpha

    def project(
        self, mean_base: Tensor, std_base: Tensor, mean_task: Tensor, std_task: Tensor
    ) -> tuple[Tensor, Tensor]:
        return project_kl(mean_base, std_base, mean_task, std_task, self.log_alpha)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "alpha": self.alpha}


@dataclass(frozen=True)
class Unconstrained(Constraint):
    """The whole space: the task policy is deployed as it is, and no prior bound holds."""

    name: ClassVar[str] = "unconstrained"

    @property
    def log_ratio_limit(self) -> float:
        return math.inf

    def project(
        self, mean_base: Tensor, std_base: Tensor, mean_task: Tensor, std_task: Tensor
    ) -> tuple[Tensor, Tensor]:
        return mean_task, std_task


CONSTRAINTS: dict[str, type[Constraint]] = {x.name: x for x in (RatioConstraint, Unconstrained)}


def constraint_from_json(record: Mapping[str, Any]) -> Constraint:
    """The constraint that ``record`` (from :meth:`Constraint.to_json`) describes.

    Raises UserError on an unknown name and on parameters that the constraint does not take.
    """
    parameters = dict(record)
    name = parameters.pop("name", None)
    if name not in CONSTRAINTS:
        raise UserError(f"unknown constraint {name!r}; known: {', '.join(sorted(CONSTRAINTS))}")
    try:
        return CONSTRAINTS[name](**parameters)
    except TypeError as error:
        raise UserError(f"constraint {name!r} cannot take {parameters}: {error}") from None
