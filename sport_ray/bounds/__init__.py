"""Bounds on the probability of violating a property: pure functions of a few numbers.

``scenario_bound`` turns counts of rollouts into a bound (statistics), ``anytime_bound`` one that
may be looked at after every rollout; ``ratio_bound`` carries a bound from the base policy to every
policy within a density ratio (no statistics, no rollouts), and to perturbed worlds by
``gaussian_max_ratio``; ``max_alpha`` inverts it.
"""

from sport_ray.bounds.anytime import anytime_bound, anytime_lower_bound
from sport_ray.bounds.perturbation import gaussian_max_ratio
from sport_ray.bounds.ratio import max_alpha, ratio_bound
from sport_ray.bounds.scenario import scenario_bound

__all__ = [
    "anytime_bound",
    "anytime_lower_bound",
    "gaussian_max_ratio",
    "max_alpha",
    "ratio_bound",
    "scenario_bound",
]
