"""Cohorts: many cells of Projected PPO that differ in their parameters, trained as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.projected_ppo.cohort.algorithm import ProjectedPPOCohort
    from sport_ray.projected_ppo.cohort.config import ProjectedPPOCohortConfig
    from sport_ray.projected_ppo.cohort.sharing import cohort_key, why_alone

__all__ = ["ProjectedPPOCohort", "ProjectedPPOCohortConfig", "cohort_key", "why_alone"]

__getattr__ = names_from(
    __name__,
    {
        "ProjectedPPOCohort": ".algorithm",
        "ProjectedPPOCohortConfig": ".config",
        "cohort_key": ".sharing",
        "why_alone": ".sharing",
    },
)
