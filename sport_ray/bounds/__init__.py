"""Bounds on the probability of violating a property: pure functions of a few numbers.

From counts of rollouts (statistics): ``scenario_bound``, ``anytime_bound`` for looking after every
rollout, ``scenario_lower_bound``, which refutes promises, and ``alarm_at``, which does so at any
time. From the base policy to a task
policy, before any rollout of it: ``ratio_bound`` for every policy within a density ratio,
``gauss_renyi_bound`` for Gaussian ones, ``pathwise_bound`` and ``gaussian_tradeoff_bound`` for
budgets over the whole path, ``two_point_bound`` for ratios with a floor as well,
``violation_time_bound`` by when the base violates, ``mixture_bound`` for a policy that is drawn
for each episode; ``gaussian_max_ratio`` for perturbed worlds.
From the base's own rollouts: ``off_policy_bound`` for one task policy, ``limit_choice`` for
the largest limit of a list, ``beta_for_counts`` where the certificate's own rollouts serve.
``max_alpha``, ``gauss_renyi_max_alpha`` and ``two_point_max_alpha`` invert; ``best_floor`` finds
the floor that serves selection best, ``best_mixture`` what to mix for a risk.
Of training: ``expected_violations``, ``violations_bound`` and, at all numbers of episodes at once,
``anytime_violations_bound``; ``episodes_within`` and ``risk_within`` invert. Proofs:
docs/bounds.md.
"""

from sport_ray.bounds.anytime import anytime_bound, anytime_lower_bound
from sport_ray.bounds.gauss_renyi import gauss_renyi_bound, gauss_renyi_max_alpha
from sport_ray.bounds.limit_choice import beta_for_counts, limit_choice
from sport_ray.bounds.mixture import best_mixture, mixture_bound
from sport_ray.bounds.off_policy import (
    effective_sample_size,
    off_policy_bound,
    off_policy_holds,
)
from sport_ray.bounds.pathwise import pathwise_bound, pathwise_log_budget
from sport_ray.bounds.perturbation import gaussian_max_ratio
from sport_ray.bounds.ratio import max_alpha, ratio_bound
from sport_ray.bounds.refutation import alarm_at
from sport_ray.bounds.scenario import excess_p_value, scenario_bound, scenario_lower_bound
from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu
from sport_ray.bounds.training import (
    anytime_violations_bound,
    episodes_within,
    expected_violations,
    risk_within,
    total_violations_bound,
    violations_bound,
)
from sport_ray.bounds.two_point import best_floor, two_point_bound, two_point_max_alpha
from sport_ray.bounds.violation_time import violation_time_bound

__all__ = [
    "alarm_at",
    "anytime_bound",
    "anytime_lower_bound",
    "anytime_violations_bound",
    "best_floor",
    "best_mixture",
    "beta_for_counts",
    "effective_sample_size",
    "episodes_within",
    "excess_p_value",
    "expected_violations",
    "gauss_renyi_bound",
    "gauss_renyi_max_alpha",
    "gaussian_max_ratio",
    "gaussian_tradeoff_bound",
    "limit_choice",
    "max_alpha",
    "max_mu",
    "mixture_bound",
    "off_policy_bound",
    "off_policy_holds",
    "pathwise_bound",
    "pathwise_log_budget",
    "ratio_bound",
    "risk_within",
    "scenario_bound",
    "scenario_lower_bound",
    "total_violations_bound",
    "two_point_bound",
    "two_point_max_alpha",
    "violation_time_bound",
    "violations_bound",
]
