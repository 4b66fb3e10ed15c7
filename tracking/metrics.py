"""The metrics that are logged per cell, and what each means; nothing else is logged."""

from __future__ import annotations

import math
from typing import Any

from tracking.kinds import RATIO

METRICS: dict[str, str] = {
    "empirical_violation_rate": "share of fresh evaluation scenarios that violate the property",
    "posterior_bound": "Clopper-Pearson upper bound of this policy's risk, confidence 1-beta",
    "prior_bound": "what the constraint promises of the risk beforehand; absent if infinite",
    "log10_prior_bound": "the prior bound's decimal logarithm, finite where the bound overflows",
    "prior_vacuous": "1 if the prior bound is 1 or more (it then says nothing), else 0",
    "conservativeness_log10": "log10(prior bound / posterior bound): what the prior gives away",
    "eps_base": "upper bound of the base's risk at T: for all T together, or the chosen T alone",
    "eps_max": "risk that the constraint was derived from, if it was",
    "log_alpha": "bound on the log density ratio to the base, nats per step",
    "log_budget": "budget of the realised log ratio of a whole path, nats",
    "off_policy_bound": "upper bound from the base's scenarios, before the policy acts",
    "off_policy_sample_size": "how many of those scenarios the weights amount to",
    "num_scenarios": "evaluation scenarios run to their end",
    "num_violations": "evaluation scenarios that violate the property",
    "num_hazard": "violations by entering the hazard",
    "num_timeout": "violations by not reaching the goal within T",
    "mean_steps_to_goal": "mean steps to the goal over successful scenarios",
    "std_steps_to_goal": "its standard deviation over successful scenarios, steps",
    "mean_task_steps": "mean steps of the task, violations ignored, at most T",
    "std_task_steps": "its standard deviation over scenarios, steps",
    "mean_return": "mean undiscounted return of the evaluation scenarios",
    "max_log_ratio": "largest max_a log pi/pi_base of any step, nats; <= log_alpha if given",
    "max_prefix_log_ratio": "largest log ratio realised by any prefix, nats; <= log_budget",
    "mean_log_ratio": "mean over steps of max_a log pi/pi_base, nats",
    "mean_realised_log_ratio": "mean log pi/pi_base of the sampled actions, nats per step",
    "projected_share": "share of steps at which the projection changed the task policy",
    "mean_kl_to_base": "mean KL divergence of the policy from the base, nats per step",
    "mean_task_distance": "mean KL divergence projected || task, nats per step",
    "clip_fraction": "share of samples outside PPO's clip range at the end of training",
    "train_return": "mean task return at the end of training",
    "train_violations": "training episodes that entered the hazard",
    "train_env_steps": "environment steps of training",
    "train_seconds": "wall time of training, seconds",
    "eval_seconds": "wall time of evaluation, seconds",
}


def cell_metrics(record: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The metrics of a cell record that are finite numbers, and the names of those that are not.

    null is left out (it does not apply) and is in neither. Infinite or NaN values are named, not
    returned: a store would keep 1.8e308, which no one can tell from a number.
    """
    metrics: dict[str, float] = {}
    not_finite: list[str] = []
    for name, value in (record | _derived(record)).items():
        if name not in METRICS or value is None:
            continue
        if math.isfinite(value):
            metrics[name] = float(value)
        else:
            not_finite.append(name)
    return metrics, sorted(not_finite)


def _derived(record: dict[str, Any]) -> dict[str, float | None]:
    prior, posterior = record.get("prior_bound"), record.get("posterior_bound")
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
    eps_base, log_alpha = record.get("eps_base"), record.get("log_alpha")
    paper = record.get("constraint") in (None, RATIO)
    if paper and eps_base and log_alpha is not None:
        world = math.log(record.get("alpha_mu") or 1.0)
        step = log_alpha + math.log(record.get("alpha_p") or 1.0)
        return math.log10(eps_base) + (world + record["horizon"] * step) / math.log(10)
    return math.log10(prior) if 0 < prior < math.inf else None
