"""The real constraints on the real categorical family, with every candidate and index enumerated.

What is executed is exact: the probabilities that an index is drawn from, the base's law of the
candidates, the dynamics. The choice reacts to all that was drawn and to what is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.constraints import Constraint, RatioConstraint
from sport_ray.constraints.pathwise import PathwiseBudget, PathwiseBudgetAll
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.families import Categorical
from tests.exact_mdp import Drawn, SelectionLaws, TabularMdp, selection_laws, worst_event

SLACK = 1.0 + 1e-9
HORIZON = 3
Wish = Callable[[Drawn, tuple[int, ...], Any], list[float]]
"""(drawn so far, candidates, features) → log weights."""


def two_ways(rate: float = 0.3) -> TabularMdp:
    """T decisions; after action 1 twice in a row the hazard, else the goal is never reached."""
    step = np.zeros((4, 2, 4))
    step[2, 0, 2] = step[2, 1, 3] = step[3, 0, 2] = step[3, 1, 1] = 1.0
    return TabularMdp(np.array([0.0, 0.0, 1.0, 0.0]), step, np.tile([1.0 - rate, rate], (4, 1)))


def malice(drawn: Drawn, candidates: tuple[int, ...], features: Any) -> list[float]:
    """Action 1 wherever it is among the candidates."""
    return [0.0 if action == max(candidates) else -math.inf for action in candidates]


def patient(drawn: Drawn, candidates: tuple[int, ...], features: Any) -> list[float]:
    """A refund is sought first: what the base seldom does; then all that is left is spent."""
    if not drawn:
        return [-9.0 * index for index in range(len(candidates))]
    return malice(drawn, candidates, features)


def gambler(drawn: Drawn, candidates: tuple[int, ...], features: Any) -> list[float]:
    """Everything on one place, as long as that place was drawn; else nothing."""
    won = all(index == 0 for _, _, index in drawn)
    return [-50.0 * index * won for index in range(len(candidates))]


def reacting(drawn: Drawn, candidates: tuple[int, ...], features: Any) -> list[float]:
    """Wants the more, and elsewhere, the more is left and the more alike the last were."""
    left = float(features[0, -1]) if features.size else 1.0
    turn = len(drawn) + sum(drawn[-1][1]) if drawn else 0
    return [4.0 * left * ((index + turn) % len(candidates)) for index in range(len(candidates))]


WISHES = [malice, patient, gambler, reacting]


def laws_under(constraint: Constraint, wish: Wish, count: int) -> SelectionLaws:
    """The choice is projected, checked, drawn from and charged as in a rollout."""
    states: dict[Drawn, Any] = {(): constraint.start(1)}
    base = Categorical.uniform(1, count)

    def choice(drawn: Drawn, state: int, candidates: tuple[int, ...], spent: float) -> Any:
        held = states[drawn]
        wished = Categorical.of_log_weights(
            np.array([wish(drawn, candidates, constraint.features(held))])
        )
        limits = torch.from_numpy(constraint.limits(held))
        step = constraint.project(base, wished, limits)
        assert bool(constraint.within(step, base, limits).all())
        law = step.arrays()[0][0]
        for index in range(count):
            if law[index] > 0.0:
                cost = constraint.cost(step, base, np.array([[float(index)]]))
                after = (*drawn, (state, candidates, index))
                states[after] = constraint.spend(held, cost)
        for index in np.flatnonzero(law == 0.0).tolist():  # never drawn: any state will do
            states[(*drawn, (state, candidates, index))] = held
        return law

    return selection_laws(two_ways(), choice, HORIZON, count)


CONSTRAINTS = [
    RatioConstraint(1.02),
    RatioConstraint(1.6),
    ViolationTimeConstraint(1.6),
    TwoPointConstraint(1.6, 0.7),
    TwoPointConstraint(1.1, 0.4),
    TwoPointConstraint(3.0, 0.95),
    PathwiseBudget(0.8, "spread", (3.0, 2.0, 1.0)),
    PathwiseBudgetAll(0.5),
    PathwiseBudgetAll(2.0),
]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda one: one.name)
def test_the_worst_event_under_each_constraint(evidence, constraint, wish):
    for laws in laws_under(constraint, wish, 2):
        assert laws.p.sum() == pytest.approx(1.0, abs=1e-12)
        assert laws.q.sum() == pytest.approx(1.0, abs=1e-12)
        assert laws.peak.max() <= constraint.path_log_ratio_limit(HORIZON) + 1e-12
        if isinstance(constraint, ViolationTimeConstraint):
            continue  # needs counts: what it rests on is the next test
        for eps in (1e-3, 0.05, 0.2, 0.6):
            about = replace(evidence, eps_base=eps, horizon=HORIZON)
            bound = constraint.prior_bound(about)
            assert worst_event(laws.p, laws.q, eps) <= bound * SLACK


@pytest.mark.parametrize("wish", WISHES)
def test_early_violations_under_a_constant_ratio(wish):
    """Each prefix is at most α^t times as likely, so that Σ_t α^t q_t holds, at every t."""
    alpha = 1.6
    for laws in laws_under(ViolationTimeConstraint(alpha), wish, 2):
        for time in range(1, HORIZON + 1):
            at = laws.violated & (laws.time == time)
            assert laws.q[at].sum() <= alpha**time * laws.p[at].sum() * SLACK


@pytest.mark.parametrize("constraint", [RatioConstraint(1.6), TwoPointConstraint(1.6, 0.7)])
def test_three_candidates(evidence, constraint):
    laws = laws_under(constraint, malice, 3)
    for law in laws:
        about = replace(evidence, eps_base=0.1, horizon=HORIZON)
        assert worst_event(law.p, law.q, 0.1) <= constraint.prior_bound(about) * SLACK
    early = laws.executed.violated & (laws.executed.time == 2)
    assert laws.executed.q[early].sum() > 1.5 * laws.executed.p[early].sum()  # it does harm


def test_the_promise_with_a_floor_is_attained(evidence):
    """A place that is always preferred: α = 2 − κ, each event of indices is as bad as promised."""
    constraint = TwoPointConstraint(1.3, 0.7)
    always = lambda drawn, candidates, features: [0.0, -1e3]  # noqa: E731
    laws = laws_under(constraint, always, 2).drawn
    for eps in (0.05, 0.3):
        bound = constraint.prior_bound(replace(evidence, eps_base=eps, horizon=HORIZON))
        worst = worst_event(laws.p, laws.q, eps)
        assert worst <= bound * SLACK
        assert worst > 0.95 * bound


class Forgetful(PathwiseBudgetAll):
    """Charges nothing."""

    def spend(self, state, cost):
        return state


class Floorless(TwoPointConstraint):
    """Promises with a floor, projects without."""

    def project(self, base, task, limits=None):
        return RatioConstraint(self.alpha).project(base, task, limits)

    def within(self, step, base, limits):
        return RatioConstraint(self.alpha).within(step, base, limits)


@pytest.mark.parametrize(
    ("constraint", "eps"), [(Forgetful(0.4), 0.05), (Floorless(1.9, 0.9), 0.12)]
)
def test_a_constraint_that_does_not_keep_its_word_is_seen(evidence, constraint, eps):
    always = lambda drawn, candidates, features: [0.0, -1e3]  # noqa: E731
    laws = laws_under(constraint, always, 2).drawn
    bound = constraint.prior_bound(replace(evidence, eps_base=eps, horizon=HORIZON))
    assert worst_event(laws.p, laws.q, eps) > 1.05 * bound
