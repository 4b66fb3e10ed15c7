"""The metrics that are logged per cell: what its record says was measured, and two made of it.

Bounds are among them: a prior bound follows from what was measured of the base.

``docs/results-table.md`` has them as a table (`sport_ray.tracking.reference` writes it).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sport_ray.tracking.mlflow.identity import CONSTANTS
from sport_ray.tracking.results.kinds import PAPER
from sport_ray.tracking.results.record import COLUMNS


class Metric(NamedTuple):
    """A metric of a finished cell: its unit, what it is, and when there is none of it."""

    unit: str
    meaning: str
    absent: str = ""


NOT_MEASURED = ("alpha", "log_alpha", "horizon", "seed", *CONSTANTS)
"""What a cell is, and what is known before it is run: its params."""
_FOR_COMPARISON = ("num_violations_1000",)
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
_INFINITE = "infinite, then flagged"
_NO_PRIOR = "unconstrained: nothing is promised"
_NO_LOGARITHM = f"{_NO_PRIOR}; infinite, under another constraint than the paper's"
_OFF_POLICY = "unconstrained; off unless `evaluation.off_policy` asks for it"
_NO_TASK = "not the point robot, or a property without a goal"
_NOT_TRAINED = "the policy was imported, or its source does not count them"
_ABSENT = {
    **dict.fromkeys(_NULL_IF_INFINITE, _INFINITE),
    "prior_bound": f"{_NO_PRIOR}; {_INFINITE}",
    "off_policy_bound": f"{_OFF_POLICY}; refused, with the reason in a tag",
    "off_policy_sample_size": _OFF_POLICY,
    "limit_bound": "not of a list of limits; refused",
    "mean_steps_to_goal": "no scenario succeeded",
    "std_steps_to_goal": "no scenario succeeded",
    "mean_task_steps": _NO_TASK,
    "std_task_steps": _NO_TASK,
    "clip_fraction": "the learner does not report it",
    "train_return": "no episode ended in training",
    "train_episodes": _NOT_TRAINED,
    "train_violations": f"the environment does not count them; {_NOT_TRAINED}",
}
METRICS: dict[str, Metric] = {
    column.name: Metric(column.unit, column.meaning, _ABSENT.get(column.name, ""))
    for column in COLUMNS
    if column.kind in ("int", "float") and column.name not in (*NOT_MEASURED, *_FOR_COMPARISON)
} | {
    "log10_prior_bound": Metric(
        "",
        "the prior bound's decimal logarithm; the paper's is finite where the bound overflows",
        _NO_LOGARITHM,
    ),
    "conservativeness_log10": Metric(
        "", "log10(prior bound / posterior bound): what the prior gives away", _NO_LOGARITHM
    ),
}
BOUNDS = ("prior_bound", "off_policy_bound", "limit_bound", "posterior_bound")
"""Upper bounds on a probability: one of 1 or more says nothing."""


def cell_metrics(record: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The metrics of a cell record that are finite numbers, and the names of those that are not.

    What does not apply is in neither. Infinite or NaN values are named, not returned: a store
    would keep 1.8e308, which no one can tell from a number.
    """
    values = _with_infinities(record)
    values = {
        name: value
        for name, value in (values | _derived(values)).items()
        if name in METRICS and value is not None
    }
    metrics = {name: float(value) for name, value in values.items() if math.isfinite(value)}
    return metrics, sorted(values.keys() - metrics.keys())


def vacuous_bounds(record: dict[str, Any]) -> list[str]:
    """The names of a cell's bounds that say nothing, being 1 or more (or infinite)."""
    values = _with_infinities(record)
    return [name for name in BOUNDS if (value := values.get(name)) is not None and not value < 1]


def _with_infinities(record: dict[str, Any]) -> dict[str, Any]:
    """The record with infinity where a finished cell has null for it."""
    if record.get("status") != "finished":
        return record
    names = (*_NULL_IF_INFINITE, *(["prior_bound"] if record["projected"] else []))
    return record | {name: math.inf for name in names if record.get(name, 0.0) is None}


def _derived(values: dict[str, Any]) -> dict[str, float]:
    prior, posterior = values.get("prior_bound"), values.get("posterior_bound")
    if prior is None:
        return {}
    log10_prior = _log10_prior(values, prior)
    if log10_prior is None:
        return {}
    derived = {"log10_prior_bound": log10_prior}
    if posterior:
        derived["conservativeness_log10"] = log10_prior - math.log10(posterior)
    return derived


def _log10_prior(record: dict[str, Any], prior: float) -> float | None:
    """From log alpha under the paper's constraint, where the bound itself may be infinite."""
    eps_base, log_alpha = record.get("eps_base"), record.get("log_alpha")
    if record.get("constraint") == PAPER and eps_base and log_alpha is not None:
        world = math.log(record.get("alpha_mu") or 1.0)
        step = log_alpha + math.log(record.get("alpha_p") or 1.0)
        return float(math.log10(eps_base) + (world + record["horizon"] * step) / math.log(10))
    return math.log10(prior) if 0 < prior < math.inf else None
