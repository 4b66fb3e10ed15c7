"""Conformal Policy Control: a limit from the base's scenarios, for an *expected* risk.

Made anew from the paper (arXiv 2603.02196); ``rule`` has what is the paper's and what is ours.
"""

from sport_ray.comparators.conformal.rule import (
    OnScenarios,
    conformal_choice,
    controlled_choice,
    controlled_mean,
    weighted_risk,
)

__all__ = [
    "OnScenarios",
    "conformal_choice",
    "controlled_choice",
    "controlled_mean",
    "weighted_risk",
]
