"""How many violations a training run may cost, promised before it starts.

Each episode that a policy is trained in under a constraint violates, given the past, with
probability at most p, the constraint's prior bound: docs/bounds.md, section 13.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sport_ray.bounds import (
    anytime_violations_bound,
    episodes_within,
    expected_violations,
    risk_within,
    total_violations_bound,
    violations_bound,
)
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint
from sport_ray.digits import rounded_up
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import Point
from sport_ray.experiments.config.sections import TrainingPlanSection
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies.source import source_class

if TYPE_CHECKING:
    from sport_ray.experiments.sweep.cell import Cell


class TrainingPromise(NamedTuple):
    """What is promised of a training run.

    risk: p, of each of its episodes, given the past. episodes: M, that begin at most. fixed:
    whether M was set beforehand to keep to a number of violations; otherwise it is what the steps
    of training allow at most, and the bound is one for all numbers of episodes. expected: p·M.
    bound: exceeded with probability at most beta.
    """

    risk: float
    episodes: int
    fixed: bool
    expected: float
    bound: int
    beta: float

    @property
    def says_nothing(self) -> bool:
        """Whether every episode may violate, as far as is known.

        Where their number was set beforehand, that is a promise: no more than those.
        """
        return self.risk >= 1.0 and self.episodes > 0 and not self.fixed

    def after(self, begun: int) -> tuple[float, int]:
        """The expected number and the bound, now that so many episodes have begun."""
        if self.fixed:
            return expected_violations(self.risk, begun), self.bound
        bound = anytime_violations_bound(self.risk, begun, self.beta)
        return expected_violations(self.risk, begun), bound


def promise_of(
    study: Study,
    certificate: Certificate,
    source: str,
    constraint: Constraint,
    horizon: int,
    point: Point = (),
    most: int | None = None,
) -> TrainingPromise | None:
    """The promise of a training run of a source under a constraint; None where there is none.

    most: what the run is held to, where the study plans its violations.
    """
    kind, beta = source_class(source), confidence_of(study)
    if kind.in_training == "no episodes":
        return TrainingPromise(0.0, 0, True, 0.0, 0, beta)
    if kind.in_training == "nothing":
        return None
    known = _known(study, certificate, source, constraint, horizon, point)
    if known is None:
        return None
    (risk, possible), fixed = known, most is not None
    episodes = possible if most is None else min(most, possible)
    bound = violations_bound if fixed else anytime_violations_bound
    expected = expected_violations(risk, episodes)
    return TrainingPromise(risk, episodes, fixed, expected, bound(risk, episodes, beta), beta)


def promise_of_cell(study: Study, certificate: Certificate, cell: Cell) -> TrainingPromise | None:
    """The promise of the training run that a cell's policy comes from."""
    return promise_of(
        study,
        certificate,
        cell.source,
        cell.constraint,
        cell.horizon,
        cell.hyperparameters,
        cell.training_episodes,
    )


def confidence_of(study: Study) -> float:
    """β of what is said of training: the plan's, else the certificate's."""
    plan = study.certificate.plan
    return study.certificate.beta if plan is None or plan.beta is None else plan.beta


def planned_risk(study: Study) -> float | None:
    """The ε_max that keeps R violations in M episodes, where the study plans both.

    Raises:
        UserError: a risk that is too small for a number.
    """
    plan = study.certificate.plan
    if plan is None or plan.training_episodes is None:
        return None
    risk = risk_within(plan.training_violations, plan.training_episodes, plan.beta)
    if not risk > 0.0:
        raise UserError(f"{_told(plan)} needs a risk of 0: raise training_violations or beta")
    return min(risk, math.nextafter(1.0, 0.0))


def planned_episodes(
    study: Study,
    certificate: Certificate,
    source: str,
    constraint: Constraint,
    horizon: int,
    point: Point = (),
) -> int | None:
    """How many episodes a training run may begin, where the study plans its violations.

    None without a plan, and for a source that runs none.

    Raises:
        UserError: fewer than training begins at once, or nothing is promised.
    """
    plan, kind = study.certificate.plan, source_class(source)
    if plan is None or kind.in_training == "no episodes":
        return None
    known = _known(study, certificate, source, constraint, horizon, point)
    if known is None:
        raise UserError(
            f"certificate.plan is given, and nothing is promised while {source} trains under "
            f"{constraint.name}: remove one of them"
        )
    risk, possible = known
    most = episodes_within(plan.training_violations, risk, plan.beta)
    if plan.training_episodes is not None:
        most = min(most, plan.training_episodes)
    at_once = _at_once(study, source)
    if most < at_once:
        raise UserError(
            f"{_told(plan)} permits {most} episodes of training under {_of(constraint)} at T = "
            f"{horizon}, whose risk is at most {rounded_up(risk, 4)} each, and {at_once} begin at "
            "once: raise training_violations, lower alpha or eps_max, certify a smaller risk with "
            "more scenarios, or take fewer copies (training.num_envs)"
        )
    return min(most, possible)


def study_promise(promises: Iterable[TrainingPromise | None], beta: float) -> dict[str, Any]:
    """Of all training runs together: how many, those without a promise, what the others may cost.

    A run whose prior bound is 1 has no promise either, unless its episodes are planned.
    """
    every = list(promises)
    made = [one for one in every if one is not None and not one.says_nothing]
    runs = [(one.risk, one.episodes) for one in made]
    return {
        "runs": len(every),
        "without_promise": len(every) - len(made),
        "expected": math.fsum(one.expected for one in made),
        "bound": total_violations_bound(runs, beta),
        "beta": beta,
    }


def _known(
    study: Study,
    certificate: Certificate,
    source: str,
    constraint: Constraint,
    horizon: int,
    point: Point,
) -> tuple[float, int] | None:
    """(p, at most 1; episodes that training may begin at most); None without either."""
    kind = source_class(source)
    risk = constraint.prior_bound(certificate.evidence(horizon))
    possible = kind().most_episodes(kind().settings_in(study, point))
    return None if risk is None or possible is None else (min(risk, 1.0), possible)


def _at_once(study: Study, source: str) -> int:
    """Episodes that begin before any can be looked at."""
    return study.training.num_envs if source_class(source).needs_ray else 1


def _of(constraint: Constraint) -> str:
    alpha = getattr(constraint, "alpha", None)
    return constraint.name if alpha is None else f"{constraint.name}, alpha = {alpha:.6g}"


def _told(plan: TrainingPlanSection) -> str:
    return f"certificate.plan: training_violations = {plan.training_violations:g}"
