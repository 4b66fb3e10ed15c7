"""Constant ratio, bounded by *when* the base violates: Σ_t α^t q_t instead of α^T Σ_t q_t."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar, Self

from sport_ray.bounds.violation_time import violation_time_bound_from_counts
from sport_ray.constraints.constraint import MustBeGivenError
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.ratio import RatioConstraint
from sport_ray.errors import UserError


@dataclass(frozen=True)
class ViolationTimeConstraint(RatioConstraint):
    """Density ratio at most alpha, with a bound that pays only for steps before a violation.

    It wins where violations happen early (entering the hazard), nothing where they are timeouts.
    α must be given: chosen from the same scenarios, the bound would not hold.

    Proof: docs/bounds.md, 'Violation time'.
    """

    name: ClassVar[str] = "violation_time"
    title: ClassVar[str] = "violation time"
    formula: ClassVar[str] = "Σ_t α^t q_t"
    order: ClassVar[int] = 2

    def prior_bound(self, evidence: Evidence) -> float:
        """An upper bound on Σ_t α^t q_t, from when the N scenarios violated.

        Raises:
            UserError: N was found by a stopping rule, for which this bound does not hold.
        """
        if not evidence.fixed_number:
            raise UserError(
                "constraint 'violation_time' needs a certificate with a number of scenarios that "
                "was fixed beforehand: certify without certificate.stop"
            )
        settled = list(evidence.settled)
        settled[-1] = evidence.num_violations  # those that ran out of time violate at T
        by_step = [settled[0], *(b - a for a, b in itertools.pairwise(settled))]
        return violation_time_bound_from_counts(
            [0, *by_step], evidence.num_scenarios, evidence.horizon, self.alpha, evidence.beta
        )

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """Not possible: see the class.

        Raises:
            MustBeGivenError: always.
        """
        raise MustBeGivenError(
            "constraint 'violation_time' cannot be derived from a risk, because its bound holds "
            "only for an α that was fixed beforehand: give alphas"
        )
