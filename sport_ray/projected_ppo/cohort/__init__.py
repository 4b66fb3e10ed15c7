"""Cohorts: many cells of Projected PPO that differ in their parameters, trained as one batch."""

from sport_ray.projected_ppo.cohort.algorithm import ProjectedPPOCohort
from sport_ray.projected_ppo.cohort.config import ProjectedPPOCohortConfig
from sport_ray.projected_ppo.cohort.sharing import cohort_key, why_alone

__all__ = ["ProjectedPPOCohort", "ProjectedPPOCohortConfig", "cohort_key", "why_alone"]
