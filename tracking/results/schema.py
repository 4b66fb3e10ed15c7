"""The columns of the results table: name, type, unit and meaning, one row per sweep cell.

``COLUMNS`` is the documented schema of ``load_results`` and of ``cells.csv``, and what a cell
record on disk is checked against. A record may carry further fields (other bounds, say): they
follow the documented columns, in alphabetical order, unchecked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["str", "int", "float"]

METHODS = {
    "projected_ppo": "Projected PPO",
    "projected_at_deployment": "Projected at deployment",
    "unconstrained": "Unconstrained",
    "unprojected": "As it is",
}
STATUSES = ("finished", "failed")


@dataclass(frozen=True)
class Column:
    """One column: its type, whether a finished cell may lack it, its unit and its meaning."""

    name: str
    kind: Kind
    nullable: bool
    unit: str
    meaning: str


def _c(name: str, kind: Kind, nullable: bool, unit: str, meaning: str) -> Column:
    return Column(name, kind, nullable, unit, meaning)


COLUMNS: tuple[Column, ...] = (
    _c("cell_id", "str", False, "", "content hash of what defines the cell, 16 hex digits"),
    _c("study", "str", False, "", "name of the study"),
    _c("method", "str", False, "", "how policy and constraint met: projected_ppo, unprojected …"),
    _c("task_policy", "str", True, "", "source of the task policy: projected_ppo, unconstrained …"),
    _c("constraint", "str", True, "", "kind of constraint: ratio (the paper's), pathwise …"),
    _c("alpha", "float", True, "", "largest density ratio to the base; empty: a budget, or none"),
    _c("log_alpha", "float", True, "nats", "natural logarithm of alpha"),
    _c("horizon", "int", False, "steps", "T: a scenario not at the goal by then is a violation"),
    _c("seed", "int", False, "", "training seed"),
    _c("hyperparameters", "str", True, "", "training parameters that are an axis of the sweep"),
    _c(
        "eps_max", "float", True, "probability", "risk that the constraint was derived from, if any"
    ),
    _c("status", "str", False, "", "finished or failed"),
    _c("reason", "str", True, "", "why a failed cell failed"),
    _c("base_digest", "str", True, "", "sha256 of the base policy"),
    _c("certificate_digest", "str", True, "", "sha256 of the base certificate"),
    _c("policy_digest", "str", True, "", "sha256 of the evaluated policy"),
    _c("eps_base", "float", True, "probability", "upper bound of the base's risk at T"),
    _c("beta", "float", True, "probability", "the certificate fails with at most this probability"),
    _c("log_budget", "float", True, "nats", "budget of the realised log ratio of a whole path"),
    _c("mu", "float", True, "", "budget of mean shifts of a whole path, in the base's std"),
    _c("alpha_mu", "float", True, "", "ratio of initial laws, deployment over base; 1: the same"),
    _c("alpha_p", "float", True, "", "ratio of transition laws, per step; 1: the same"),
    _c("prior_bound", "float", True, "probability", "promised before any rollout; 1: nothing"),
    _c("off_policy_bound", "float", True, "probability", "from base scenarios, before acting"),
    _c("off_policy_sample_size", "float", True, "scenarios", "what those scenarios amount to"),
    _c("off_policy_refusal", "str", True, "", "why there is no off-policy bound"),
    _c("num_scenarios", "int", True, "scenarios", "fresh evaluation scenarios"),
    _c("num_violations", "int", True, "scenarios", "scenarios that violated the property"),
    _c("num_hazard", "int", True, "scenarios", "violations by entering the hazard"),
    _c("num_timeout", "int", True, "scenarios", "violations by not reaching the goal within T"),
    _c("empirical_violation_rate", "float", True, "probability", "num_violations / num_scenarios"),
    _c("posterior_bound", "float", True, "probability", "Clopper-Pearson bound of this one policy"),
    _c("posterior_beta", "float", True, "probability", "the posterior bound fails with this much"),
    _c("mean_steps_to_goal", "float", True, "steps", "mean where the property was satisfied"),
    _c("std_steps_to_goal", "float", True, "steps", "standard deviation over the same scenarios"),
    _c("mean_task_steps", "float", True, "steps", "mean steps, hazard ignored, at most T"),
    _c("std_task_steps", "float", True, "steps", "its standard deviation over scenarios"),
    _c("mean_return", "float", True, "", "mean undiscounted return of the evaluation scenarios"),
    _c("std_return", "float", True, "", "standard deviation of the same over scenarios"),
    _c("max_log_ratio", "float", True, "nats", "largest max_a log pi/pi_base over evaluated steps"),
    _c("max_prefix_log_ratio", "float", True, "nats", "largest realised log ratio of any prefix"),
    _c("mean_log_ratio", "float", True, "nats", "mean over steps of max_a log pi/pi_base"),
    _c("mean_realised_log_ratio", "float", True, "nats", "mean log pi/pi_base of sampled actions"),
    _c("projected_share", "float", True, "share", "steps at which projection changed the policy"),
    _c("mean_kl_to_base", "float", True, "nats", "mean KL(policy || base) per step"),
    _c("mean_task_distance", "float", True, "nats", "mean KL(projected || task) per step"),
    _c("train_env_steps", "int", True, "steps", "environment steps of training"),
    _c("train_seconds", "float", True, "s", "wall time of training"),
    _c("eval_seconds", "float", True, "s", "wall time of evaluation"),
    _c("clip_fraction", "float", True, "share", "samples outside PPO's clip range at the end"),
    _c("train_return", "float", True, "", "mean task return at the end of training"),
    _c("train_episodes", "int", True, "episodes", "episodes of training, data collection included"),
    _c("train_violations", "int", True, "episodes", "training episodes that entered the hazard"),
    _c("finished_at", "str", True, "", "when the cell ended, ISO 8601"),
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)
LARGEST_INT = 2**63 - 1
"""What a column of whole numbers can hold."""
LARGEST_HORIZON = 10**9
FINITE = ("alpha", "log_alpha", "eps_max", "log_budget", "mu", "alpha_mu", "alpha_p")
"""What defines a cell; what was measured of it may be infinite."""
RATIOS = ("alpha", "alpha_mu", "alpha_p")
COUNTED = ("steps", "scenarios", "episodes", "s", "share")
"""Units of numbers that are not negative."""
PROBABILITIES = (
    "eps_base",
    "beta",
    "posterior_beta",
    "eps_max",
    "empirical_violation_rate",
    "posterior_bound",
)
# A finished cell without these would silently drop out of every figure.
REQUIRED_WHEN_FINISHED = (
    "num_scenarios",
    "num_violations",
    "empirical_violation_rate",
    "posterior_bound",
)


def describe_problem(record: object) -> str | None:
    """What is wrong with a cell record as read from JSON, in a few words; None if nothing is.

    Checked: presence and type of every documented field, probabilities within [0, 1], known
    method and status, alpha at least 1, and that a finished cell was evaluated.
    """
    if not isinstance(record, dict):
        return "is not a JSON object"
    for column in COLUMNS:
        if column.name not in record:
            if column.nullable:
                continue
            return f"has no field {column.name!r}"
        problem = _describe_value(column, record[column.name])
        if problem:
            return problem
    if record["method"] not in METHODS:
        return f"has the unknown method {_repr(record['method'])}"
    if record["status"] not in STATUSES:
        return f"has the unknown status {_repr(record['status'])}"
    if not 1 <= record["horizon"] <= LARGEST_HORIZON:
        return f"has horizon = {record['horizon']!r}, expected 1 to {LARGEST_HORIZON}"
    for name in RATIOS:
        value = record.get(name)
        if value is not None and not value >= 1:
            return f"has {name} = {value!r}, expected at least 1"
    for name in PROBABILITIES:
        value = record.get(name)
        if value is not None and not 0 <= value <= 1:
            return f"has {name} = {value!r}, expected a probability"
    if record["status"] == "finished":
        for name in REQUIRED_WHEN_FINISHED:
            if record.get(name) is None:
                return f"is finished but has no {name}"
        scenarios, violations = record["num_scenarios"], record["num_violations"]
        if scenarios < 1 or not 0 <= violations <= scenarios:
            return f"counts {violations!r} violations in {scenarios!r} scenarios"
    return None


def _describe_value(column: Column, value: Any) -> str | None:
    if value is None:
        return None if column.nullable else f"has null for {column.name!r}"
    # bool is an int in Python, and never what a record means.
    accepted: tuple[type, ...] = {"str": (str,), "int": (int,), "float": (int, float)}[column.kind]
    if isinstance(value, bool) or not isinstance(value, accepted):
        return f"has {column.name} = {_repr(value)}, expected {column.kind}"
    return _describe_number(column, value) if isinstance(value, (int, float)) else None


def _describe_number(column: Column, value: Any) -> str | None:
    if isinstance(value, float) and math.isnan(value):
        return None if column.nullable else f"has {column.name} = NaN"
    if isinstance(value, int) and abs(value) > LARGEST_INT:
        return f"has {column.name} = {_short(value)}, more than 64 bits"
    if math.isinf(value) and column.name in FINITE:
        return f"has {column.name} = {value!r}, expected a finite number"
    if value < 0 and column.unit in COUNTED:
        return f"has {column.name} = {value!r}, expected none below 0"
    return None


def _repr(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return _short(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _short(value: int) -> str:
    digits = str(value) if value.bit_length() < 1_000 else f"{value:#x}"
    return digits if len(digits) <= 30 else f"{digits[:12]}… ({len(digits)} digits)"
