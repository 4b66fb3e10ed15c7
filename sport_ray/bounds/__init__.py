"""Bounds on the probability of violating a property: pure functions of a few numbers.

``scenario_bound`` turns counts of rollouts into a bound (statistics); ``ratio_bound`` carries a
bound from the base policy to every policy within a density ratio (no statistics, no rollouts);
``max_alpha`` inverts it.
"""

from sport_ray.bounds.ratio import max_alpha, ratio_bound
from sport_ray.bounds.scenario import scenario_bound

__all__ = ["max_alpha", "ratio_bound", "scenario_bound"]
