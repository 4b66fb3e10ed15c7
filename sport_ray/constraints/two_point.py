"""A floor below the ratio as well as a limit above it: over many steps α may be larger."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self, cast

from sport_ray.bounds.two_point import MOST_STEPS, best_floor, two_point_bound
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.ratio import RatioConstraint
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution, TwoSided


@dataclass(frozen=True)
class TwoPointConstraint(RatioConstraint):
    """Density ratio in [kappa, alpha] everywhere: alpha in [1, inf), kappa in [0, 1].

    For families that can keep a floor, such as the categorical one of selection; a Gaussian's
    ratio is near 0 somewhere. A study's alphas are taken without a floor, kappa = 0, which is the
    ratio constraint; derived from a risk, it is the pair that gains selection most.

    Proof: docs/bounds.md, 'Two-point'.

    >>> TwoPointConstraint(alpha=1.14, kappa=0.85).to_json()
    {'name': 'two_point', 'alpha': 1.14, 'kappa': 0.85}
    """

    kappa: float = 0.0
    name: ClassVar[str] = "two_point"
    title: ClassVar[str] = "ratio with a floor"
    formula: ClassVar[str] = "max of Q(E) over P(E) ≤ ε_base, T draws of a ratio in {κ, α}"
    order: ClassVar[int] = 3
    simultaneous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kappa", _require_kappa(self.kappa))

    @property
    def log_kappa(self) -> float:
        """Log kappa, the least log ratio of any step, nats; −inf without a floor."""
        return math.log(self.kappa) if self.kappa > 0.0 else -math.inf

    def require_family(self, family: type[Distribution]) -> None:
        """Refuse families that cannot keep a floor."""
        _require_two_sided(family)

    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The KL projection onto log ratios in [log κ, log α]."""
        within = self.log_alpha if limits is None else limits
        return _two_sided(task).projected_within(_two_sided(base), self.kappa, within)

    def within(self, step: Distribution, base: Distribution, limits: Tensor | float) -> Tensor:
        """Whether each member keeps to its limit and to the floor, in float64; bool (...)."""
        near, origin = _two_sided(step), _two_sided(base)
        return super().within(near, origin, limits) & (near.min_log_ratio(origin) >= self.log_kappa)

    def prior_bound(self, evidence: Evidence) -> float:
        """The two-point bound, at most 1; without a floor ε_base · α^T.

        Raises:
            UserError: a horizon that the bound is not computed for.
        """
        _require_steps(evidence.horizon)
        return two_point_bound(evidence.eps_base, self.alpha, self.kappa, evidence.horizon)

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """The κ and the largest α for it with which selection gains most (``best_floor``)."""
        _require_steps(evidence.horizon)
        kappa, alpha = best_floor(evidence.eps_base, eps_max, evidence.horizon)
        return cls(alpha=alpha, kappa=kappa)

    def widened(self, factor: float) -> Self:
        """α and κ to the power of the factor."""
        return replace(self, alpha=self.alpha**factor, kappa=self.kappa**factor)


def _require_kappa(given: float) -> float:
    """κ as a float in [0, 1], or a UserError."""
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not number or not 0.0 <= given <= 1.0:
        raise UserError(f"kappa must be a number from 0 (no floor) to 1 (the base), got {given!r}")
    return float(given)


def _require_steps(horizon: int) -> None:
    if horizon > MOST_STEPS:
        raise UserError(
            f"constraint 'two_point' has a bound for horizons up to {MOST_STEPS}, got {horizon}: "
            "choose the constraint 'ratio'"
        )


def _two_sided(given: Distribution) -> TwoSided:
    _require_two_sided(type(given))
    return cast("TwoSided", given)


@cache
def _require_two_sided(family: type[Distribution]) -> None:
    from sport_ray.families import TwoSided

    if not issubclass(family, TwoSided):
        raise UserError(
            "constraint 'two_point' keeps a floor under the density ratio, which the family "
            f"{family.name!r} cannot: choose the constraint 'ratio'"
        )
