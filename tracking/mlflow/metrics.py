"""The metrics that are logged per cell, and what each means; nothing else is logged.

``docs/metrics.md`` has the same table (`sport_ray.tracking.results.reference` writes it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sport_ray.tracking.results.kinds import RATIO


@dataclass(frozen=True)
class Metric:
    """A metric of a finished cell: its unit, what it is, and when there is none of it."""

    unit: str
    meaning: str
    absent: str = ""


_FREE = "unconstrained"
_NOT_TRAINED = "the policy was imported, or its source does not count them"
_INFINITE = "infinite, then flagged"
_NO_PRIOR = "unconstrained: nothing is promised"
_INFINITE_OTHER = "infinite, under another constraint than the paper's"
_OTHER_KIND = "under another kind of constraint"
_OFF_POLICY = f"{_FREE}; off unless `evaluation.off_policy` asks for it"
_NO_GOAL = "no scenario succeeded"
_NO_TASK = "not the point robot, or a property without a goal"
_UNREPORTED = "no episode ended in training"
_UNREPORTED_BY_LEARNER = "the learner does not report it"

METRICS: dict[str, Metric] = {
    "empirical_violation_rate": Metric(
        "probability", "share of fresh evaluation scenarios that violate the property"
    ),
    "posterior_bound": Metric(
        "probability", "Clopper-Pearson upper bound of this policy's risk, confidence 1-beta"
    ),
    "prior_bound": Metric(
        "probability",
        "what the constraint promises of the risk beforehand; 1 or more: nothing",
        f"{_NO_PRIOR}; {_INFINITE}",
    ),
    "log10_prior_bound": Metric(
        "",
        "the prior bound's decimal logarithm; the paper's is finite where the bound overflows",
        f"{_NO_PRIOR}; {_INFINITE_OTHER}",
    ),
    "prior_vacuous": Metric(
        "0 or 1", "1 if the prior bound is 1 or more (it then says nothing), else 0", _NO_PRIOR
    ),
    "conservativeness_log10": Metric(
        "",
        "log10(prior bound / posterior bound): what the prior gives away",
        f"{_NO_PRIOR}; {_INFINITE_OTHER}",
    ),
    "eps_base": Metric(
        "probability",
        "upper bound of the base's risk at T: for all T together, or the chosen T alone",
    ),
    "eps_max": Metric(
        "probability", "risk that the constraint was derived from", "it was not derived from one"
    ),
    "log_alpha": Metric(
        "nats/step", "bound on the log density ratio to the base", f"{_FREE}; a budget"
    ),
    "log_budget": Metric(
        "nats", "budget of the realised log ratio of a whole path", f"{_FREE}; {_OTHER_KIND}"
    ),
    "mu": Metric("base's std", "budget of mean shifts of a whole path", f"{_FREE}; {_OTHER_KIND}"),
    "alpha_mu": Metric("", "ratio of initial laws, deployment over base; 1: the same"),
    "alpha_p": Metric("per step", "ratio of transition laws, deployment over base; 1: the same"),
    "off_policy_bound": Metric(
        "probability",
        "upper bound from the base's scenarios, before the policy acts; 1: nothing",
        f"{_OFF_POLICY}; refused, with the reason in a tag",
    ),
    "off_policy_sample_size": Metric(
        "scenarios", "how many of those scenarios the weights amount to", _OFF_POLICY
    ),
    "num_scenarios": Metric("scenarios", "evaluation scenarios run to their end"),
    "num_violations": Metric("scenarios", "evaluation scenarios that violate the property"),
    "num_hazard": Metric("scenarios", "violations by entering the hazard"),
    "num_timeout": Metric("scenarios", "violations by not reaching the goal within T"),
    "mean_steps_to_goal": Metric("steps", "mean over successful scenarios", _NO_GOAL),
    "std_steps_to_goal": Metric("steps", "standard deviation of the same", _NO_GOAL),
    "mean_task_steps": Metric(
        "steps", "mean steps of the task, violations ignored, at most T", _NO_TASK
    ),
    "std_task_steps": Metric("steps", "standard deviation of the same over scenarios", _NO_TASK),
    "mean_return": Metric(
        "reward", "mean undiscounted return of the evaluation scenarios", _INFINITE
    ),
    "std_return": Metric("reward", "standard deviation of the same over scenarios", _INFINITE),
    "max_log_ratio": Metric(
        "nats", "largest max_a log pi/pi_base of any step; <= log_alpha if that is given", _INFINITE
    ),
    "max_prefix_log_ratio": Metric(
        "nats", "largest log ratio realised by any prefix; <= log_budget if given", _INFINITE
    ),
    "mean_log_ratio": Metric("nats/step", "mean over steps of max_a log pi/pi_base", _INFINITE),
    "mean_realised_log_ratio": Metric(
        "nats/step", "mean log pi/pi_base of the sampled actions", _INFINITE
    ),
    "projected_share": Metric("share", "steps at which the projection changed the task policy"),
    "mean_kl_to_base": Metric(
        "nats/step", "mean KL divergence of the policy from the base", _INFINITE
    ),
    "mean_task_distance": Metric(
        "nats/step", "mean KL divergence of the projected policy from the task policy", _INFINITE
    ),
    "clip_fraction": Metric(
        "share", "samples outside PPO's clip range at the end of training", _UNREPORTED_BY_LEARNER
    ),
    "train_return": Metric("reward", "mean task return at the end of training", _UNREPORTED),
    "train_episodes": Metric(
        "episodes", "episodes of training, data collection included", _NOT_TRAINED
    ),
    "train_violations": Metric(
        "episodes",
        "training episodes that entered the hazard",
        f"the environment does not count them; {_NOT_TRAINED}",
    ),
    "train_env_steps": Metric("steps", "environment steps of training"),
    "train_seconds": Metric("s", "wall time of training"),
    "eval_seconds": Metric("s", "wall time of evaluation"),
}
BOUNDS = ("prior_bound", "off_policy_bound", "posterior_bound")
"""Upper bounds on a probability: one of 1 or more says nothing."""
_NULL_IF_INFINITE = (
    "mean_return",
    "std_return",
    "max_log_ratio",
    "max_prefix_log_ratio",
    "mean_log_ratio",
    "mean_realised_log_ratio",
    "mean_kl_to_base",
    "mean_task_distance",
)
"""Every finished cell has these; JSON has no infinity, so a record has null for it."""


def cell_metrics(record: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The metrics of a cell record that are finite numbers, and the names of those that are not.

    What does not apply is in neither. Infinite or NaN values are named, not returned: a store
    would keep 1.8e308, which no one can tell from a number.
    """
    metrics: dict[str, float] = {}
    not_finite = set(_infinite_as_null(record))
    for name, value in (record | _derived(record)).items():
        if name not in METRICS or value is None:
            continue
        if math.isfinite(value):
            metrics[name] = float(value)
        else:
            not_finite.add(name)
    return metrics, sorted(not_finite)


def vacuous_bounds(record: dict[str, Any]) -> list[str]:
    """The names of a cell's bounds that say nothing, being 1 or more (or infinite)."""
    values = {name: record.get(name) for name in BOUNDS}
    infinite = _infinite_as_null(record)
    return [
        name
        for name, value in values.items()
        if name in infinite or (value is not None and not value < 1)
    ]


def _infinite_as_null(record: dict[str, Any]) -> list[str]:
    """What a finished cell has, and is null in its record because it is infinite (or NaN)."""
    if record.get("status") != "finished":
        return []
    names = [name for name in _NULL_IF_INFINITE if name in record and record[name] is None]
    if record["projected"] and record["prior_bound"] is None:
        names.append("prior_bound")
    return names


def _derived(record: dict[str, Any]) -> dict[str, float | None]:
    prior, posterior = record.get("prior_bound"), record.get("posterior_bound")
    if "prior_bound" in _infinite_as_null(record):
        prior = math.inf
    if prior is None:
        return {}
    derived: dict[str, float | None] = {"prior_vacuous": float(not prior < 1)}
    log10_prior = _log10_prior(record, prior)
    if log10_prior is not None:
        derived["log10_prior_bound"] = log10_prior
        if posterior:
            derived["conservativeness_log10"] = log10_prior - math.log10(posterior)
    return derived


def _log10_prior(record: dict[str, Any], prior: float) -> float | None:
    """From log alpha under the paper's constraint, where the bound itself may be infinite."""
    eps_base, log_alpha = record["eps_base"], record["log_alpha"]
    if record["constraint"] == RATIO and eps_base and log_alpha is not None:
        world = math.log(record["alpha_mu"])
        step = log_alpha + math.log(record["alpha_p"])
        return math.log10(eps_base) + (world + record["horizon"] * step) / math.log(10)
    return math.log10(prior) if 0 < prior < math.inf else None
