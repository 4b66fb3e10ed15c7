"""A cell's record: its fields, each with type, unit and meaning, in this one place.

The sweep builds a `Record` and writes its JSON; readers check what lies on disk against the same
fields (`describe_problem`); the columns of the results table, their types and their documentation
are made from them (`COLUMNS`). A record may carry further fields, of its
source or its constraint: they follow the documented columns, in alphabetical order, unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, get_args, get_type_hints

STATUSES = ("finished", "failed")
LARGEST_INT = 2**63 - 1
"""What a column of whole numbers can hold."""
LARGEST_HORIZON = 10**9
ACCEPTED: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
COUNTED = ("steps", "scenarios", "episodes", "s", "share")
"""Units of numbers that are not negative."""


def column(meaning: str, unit: str = "", **limits: Any) -> Any:
    """A field of a record. limits: ``least``, ``most``, and ``finite`` of what defines a cell."""
    if unit in COUNTED:
        limits = {"least": 0, **limits}
    return field(metadata={"meaning": meaning, "unit": unit, "limits": limits})


def later(meaning: str, unit: str = "", **limits: Any) -> Any:
    """A field that records of earlier versions do not have, which are read all the same.

    None where nothing says otherwise.
    """
    if unit in COUNTED:
        limits = {"least": 0, **limits}
    about = {"meaning": meaning, "unit": unit, "limits": limits, "later": True}
    return field(default=None, metadata=about)


def probability(meaning: str) -> Any:
    """A field within [0, 1]; a bound that may say nothing, and be larger, is a `column`."""
    return column(meaning, "probability", least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a cell is: known before it is run, and in the record of a failed one too."""

    cell_id: str = column("content hash of what defines the cell, 16 hex digits")
    study: str = column("name of the study")
    source: str = column("what made the policy: projected_ppo (under its constraint), scpo …")
    projected: bool = column("whether it is projected onto its constraint; false: it acts as it is")
    constraint: str = column("kind of constraint: ratio (the paper's), pathwise …")
    alpha: float | None = column(
        "largest density ratio to the base; empty: a budget, or none", least=1, finite=True
    )
    log_alpha: float | None = column("natural logarithm of alpha", "nats", finite=True)
    log_budget: float | None = column(
        "budget of the realised log ratio of a whole path", "nats", finite=True
    )
    mu: float | None = column(
        "budget of mean shifts of a whole path, in the base's std", finite=True
    )
    horizon: int = column(
        "T: a scenario not at the goal by then is a violation",
        "steps",
        least=1,
        most=LARGEST_HORIZON,
    )
    seed: int = column("training seed")
    hyperparameters: str | None = column("training parameters that are an axis of the sweep")
    eps_max: float | None = probability(
        "risk that the constraint was derived from, or that is aimed at"
    )
    family: str | None = later("what its policy draws from; empty: a Gaussian, or a choice")
    engine: str | None = later("cohort, or single (a run of its own); empty: not one run of PPO")
    limit_list: str | None = later("list of limits that base scenarios choose from, its hash")
    limit_rank: int | None = later("place in that list, from 1 on", least=1)
    limit_size: int | None = later("members of that list", least=1)
    limit_levels: str | None = later("risks that limits of that list are chosen for")
    base_digest: str = column("sha256 of the base policy")
    certificate_digest: str = column("sha256 of the base certificate")
    finished_at: str = column("when the cell ended, ISO 8601")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Whether the cell finished."""

    status: str = column("finished or failed")
    reason: str | None = column("why a failed cell failed")


FINISHED = Outcome(status="finished", reason=None)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What fresh scenarios of the cell's policy gave, and what is promised of it."""

    eps_base: float = probability("upper bound of the base's risk at T")
    beta: float = probability("the certificate fails with at most this probability")
    alpha_mu: float = column(
        "ratio of initial laws, deployment over base; 1: the same", least=1, finite=True
    )
    alpha_p: float = column("ratio of transition laws, per step; 1: the same", least=1, finite=True)
    prior_bound: float | None = column("promised before any rollout; 1: nothing", "probability")
    off_policy_bound: float | None = column("from base scenarios, before acting", "probability")
    off_policy_sample_size: float | None = column("what those scenarios amount to", "scenarios")
    off_policy_refusal: str | None = column("why there is no off-policy bound")
    limit_bound: float | None = later(
        "what base scenarios say of it in its list's test", "probability", least=0, most=1
    )
    limit_beta: float | None = later(
        "a choice by that test, for one risk, errs with this", "probability", least=0, most=1
    )
    limit_scenarios: int | None = later("scenarios of that test", "scenarios", least=1)
    num_scenarios: int = column("fresh evaluation scenarios", "scenarios", least=1)
    num_violations: int = column("scenarios that violated the property", "scenarios")
    num_violations_1000: int | None = column("the same among the first 1,000", "scenarios")
    num_hazard: int = column("violations by entering the hazard", "scenarios")
    num_timeout: int = column("violations by not reaching the goal within T", "scenarios")
    empirical_violation_rate: float = probability("num_violations / num_scenarios")
    posterior_bound: float = probability("Clopper-Pearson bound of this one policy")
    posterior_beta: float = probability("the posterior bound fails with this much")
    mean_steps_to_goal: float | None = column("mean where the property was satisfied", "steps")
    std_steps_to_goal: float | None = column("standard deviation over the same scenarios", "steps")
    mean_task_steps: float | None = column("mean steps, hazard ignored, at most T", "steps")
    std_task_steps: float | None = column("its standard deviation over scenarios", "steps")
    mean_return: float | None = column("mean undiscounted return of the evaluation scenarios")
    std_return: float | None = column("standard deviation of the same over scenarios")
    max_log_ratio: float | None = column(
        "largest max_a log pi/pi_base over evaluated steps", "nats"
    )
    max_prefix_log_ratio: float | None = column("largest realised log ratio of any prefix", "nats")
    mean_log_ratio: float | None = column("mean over steps of max_a log pi/pi_base", "nats")
    mean_realised_log_ratio: float | None = column("mean log pi/pi_base of sampled actions", "nats")
    projected_share: float = column("steps at which projection changed the policy", "share")
    mean_kl_to_base: float | None = column("mean KL(policy || base) per step", "nats")
    mean_task_distance: float | None = column("mean KL(projected || task) per step", "nats")
    eval_seconds: float = column("wall time of evaluation", "s")


@dataclass(frozen=True, kw_only=True)
class Training:
    """The trained policy and what it took, as far as its source says."""

    policy_digest: str = column("sha256 of the evaluated policy")
    train_env_steps: int = column("environment steps of training", "steps")
    train_seconds: float = column("wall time of training; in a cohort its share of it", "s")
    clip_fraction: float | None = column("samples outside PPO's clip range at the end", "share")
    train_return: float | None = column("mean task return at the end of training")
    train_episodes: int | None = column(
        "episodes of training, data collection included", "episodes"
    )
    train_violations: int | None = column(
        "training episodes that violated the property within T, late ones included", "episodes"
    )
    train_risk: float | None = later(
        "each training episode violates, given the past, at most so", "probability", least=0, most=1
    )
    train_episodes_most: int | None = later("that training may begin", "episodes")
    train_episodes_begun: int | None = later("that training began at most", "episodes")
    train_violations_expected: float | None = later(
        "at most so many violations are expected in the episodes begun", "episodes"
    )
    train_violations_bound: int | None = later(
        "more violations only with probability train_violations_beta", "episodes"
    )
    train_violations_beta: float | None = later(
        "the bound fails with at most this", "probability", least=0, most=1
    )


@dataclass(frozen=True)
class Record:
    """What a sweep writes of a cell.

    more: what its source measured in training, and further parameters of its constraint.
    """

    header: Header
    outcome: Outcome
    training: Training | None = None
    evaluation: Evaluation | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = sorted(self.more.keys() & set(COLUMN_NAMES))
        if taken:  # what was measured is not a source's to say
            raise ValueError(
                f"the source {self.header.source!r} or the constraint {self.header.constraint!r} "
                f"has numbers named {', '.join(taken)}: rename them"
            )

    def to_json(self) -> dict[str, Any]:
        """One flat object; a failed cell has no training and no evaluation."""
        parts = (self.header, self.outcome, self.training, self.evaluation)
        stated = [asdict(part) for part in parts if part is not None]
        return {name: value for part in [*stated, self.more] for name, value in part.items()}


class Column(NamedTuple):
    """One column: its type, whether a finished cell may lack it, its unit and its meaning.

    given: by failed cells too. later: not by records of earlier versions.
    """

    name: str
    kind: str
    nullable: bool
    unit: str
    meaning: str
    limits: dict[str, Any]
    given: bool
    later: bool


def _columns(part: type) -> list[Column]:
    hints, found = get_type_hints(part), []
    for one in fields(part):
        types = get_args(hints[one.name]) or (hints[one.name],)
        about = one.metadata
        found.append(
            Column(
                one.name,
                types[0].__name__,
                type(None) in types,
                about["unit"],
                about["meaning"],
                about["limits"],
                given=part in (Header, Outcome),
                later=about.get("later", False),
            )
        )
    return found


COLUMNS = tuple(
    column for part in (Header, Outcome, Training, Evaluation) for column in _columns(part)
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)


def describe_problem(record: object) -> str | None:
    """What is wrong with a cell record as read from JSON, in a few words; None if nothing is.

    Checked: presence and type of every documented field, its limits, a known status, that what is
    projected has a constraint, and that no more scenarios violated than there were.
    """
    if not isinstance(record, dict):
        return "is not a JSON object"
    if "status" in record and record["status"] not in STATUSES:
        return f"has the unknown status {_repr(record['status'])}"
    finished = record.get("status") == "finished"
    for column in COLUMNS:
        if column.name not in record:
            if (finished or column.given) and not column.later:
                return f"has no field {column.name!r}"
            continue
        may_be_null = column.nullable or not (finished or column.given)
        problem = _describe_value(column, record[column.name], may_be_null)
        if problem:
            return problem
    if record["projected"] == (record["constraint"] == "unconstrained"):
        return f"has projected = {record['projected']} and constraint = {record['constraint']!r}"
    if finished and record["num_violations"] > record["num_scenarios"]:
        return (
            f"counts {record['num_violations']!r} violations in {record['num_scenarios']!r} "
            "scenarios"
        )
    return None


def _describe_value(column: Column, value: Any, may_be_null: bool) -> str | None:
    if value is None:
        return None if may_be_null else f"has null for {column.name!r}"
    if type(value) not in ACCEPTED[column.kind]:
        return f"has {column.name} = {_repr(value)}, expected {column.kind}"
    return None if isinstance(value, str | bool) else _describe_number(column, value, may_be_null)


def _describe_number(column: Column, value: float, may_be_null: bool) -> str | None:
    least, most = column.limits.get("least", -math.inf), column.limits.get("most", math.inf)
    if isinstance(value, float) and math.isnan(value):
        return None if may_be_null else f"has {column.name} = NaN"
    if isinstance(value, int) and abs(value) > LARGEST_INT:
        wrong = "more than 64 bits"
    elif math.isinf(value) and column.limits.get("finite"):
        wrong = "expected a finite number"
    elif not least <= value <= most:
        within = f"at least {least}" if math.isinf(most) else f"{least} to {most}"
        wrong = f"expected {'a probability' if column.unit == 'probability' else within}"
    else:
        return None
    return f"has {column.name} = {_repr(value)}, {wrong}"


def _repr(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() >= 100:
        digits = str(value) if value.bit_length() < 1_000 else f"{value:#x}"
        return f"{digits[:12]}… ({len(digits)} digits)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
