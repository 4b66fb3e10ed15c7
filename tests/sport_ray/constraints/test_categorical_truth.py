"""Every bound that holds for categorical policies, against what they do exactly.

The policies are the project's own: float32 logits, projected on the grid, budgets charged as in
rollouts. Half of them do their worst: they want whatever leads to a violation.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import anytime_bound, ratio_bound, scenario_bound
from sport_ray.bounds.off_policy import off_policy_bound
from sport_ray.bounds.violation_time import violation_time_bound
from sport_ray.constraints import Constraint, Evidence, constraint_from_json
from sport_ray.policies import FrozenPolicy
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.shadow import watched_scenarios
from tests.exact_discrete import (
    INDEXED,
    all_paths,
    as_mdp,
    exact_law,
    joint,
    laws_of,
    random_table,
    register_indexed,
    table_policy,
)
from tests.exact_mdp import GOAL, REACH_AVOID, TabularMdp, random_mdp, worst_event

STATES, SLACK = 5, 1.0 + 1e-9
SIZES = st.sampled_from([(2,), (3,), (2, 2)])
seeds = st.integers(0, 10**6)


def records(alpha: float, kappa: float, budget: float) -> dict[str, dict[str, Any]]:
    """Every kind with a theorem for categoricals."""
    return {
        "ratio": {"alpha": alpha},
        "two_point": {"alpha": alpha, "kappa": kappa},
        "pathwise_all": {"log_budget": budget},
        "pathwise_spread": {"log_budget": budget},
        "pathwise": {"log_budget": budget, "rule": "spread", "steps_left": [3.0, 2.0, 1.0]},
    }


class Case(NamedTuple):
    """A problem, the base's and the task's policies, and the base's own probability."""

    mdp: TabularMdp
    base: FrozenPolicy
    task: FrozenPolicy
    horizon: int
    eps_base: float

    @classmethod
    def of(cls, seed: int, sizes: tuple[int, ...], horizon: int, *, worst: bool) -> Case:
        """worst: the task wants what violates; otherwise it is a random one."""
        base = table_policy(random_table(seed, STATES, sizes), sizes)
        mdp = as_mdp(random_mdp(seed, STATES, math.prod(sizes)), base)
        weights = random_table(seed + 1, STATES, sizes, 3.0)
        if worst:
            weights = worst_weights(mdp, sizes, horizon)
        task = table_policy(weights, sizes)
        eps = mdp.violation(mdp.base, horizon)
        return cls(mdp, FrozenPolicy(base), FrozenPolicy(task), horizon, eps)

    def under(self, constraint: Constraint) -> ProjectedBehaviour:
        return ProjectedBehaviour(self.base, self.task, constraint)

    @property
    def evidence(self) -> Evidence:
        """As if ε_base were known exactly."""
        one = (0,) * self.horizon
        return Evidence(
            horizon=self.horizon, eps_base=self.eps_base, beta=1e-7, num_scenarios=1,
            num_violations=0, settled=one, fixed_number=True, steps_left=(1.0,) * self.horizon,
        )  # fmt: skip


def worst_weights(mdp: TabularMdp, sizes: tuple[int, ...], horizon: int) -> np.ndarray:
    """Log weights (S, Σ n) of how much more each index violates, the others as the base's."""
    value = (np.arange(STATES) != GOAL).astype(float)
    for _ in range(horizon // 2 + 1):
        outcome = mdp.step @ value
        value = np.einsum("sa,sa->s", mdp.base, outcome)
        value[:2] = 0.0, 1.0
    whole = outcome.reshape(STATES, *sizes)
    axes = range(1, len(sizes) + 1)
    return 300.0 * np.concatenate(
        [whole.mean(axis=tuple(a for a in axes if a != axis)) for axis in axes], axis=1
    )


@settings(max_examples=12)
@given(seed=seeds, sizes=SIZES, alpha=st.floats(1.0, 2.5), horizon=st.integers(1, 5))
def test_going_through_all_that_happens_is_dynamic_programming(seed, sizes, alpha, horizon):
    """Of policies without a budget, by other code."""
    case = Case.of(seed, sizes, horizon, worst=seed % 2 == 0)
    behaviour = case.under(constraint_from_json({"name": "ratio", "alpha": alpha}))
    policy = joint(behaviour.step(np.eye(STATES), np.zeros((STATES, 0))).chosen)
    found = exact_law(behaviour, case.mdp, horizon)
    assert found.violation == pytest.approx(case.mdp.violation(policy, horizon), rel=1e-12)
    base = exact_law(BaseBehaviour(case.base), case.mdp, horizon)
    assert base.violation == pytest.approx(case.eps_base, rel=1e-12)
    assert base.spent == 0.0


@settings(max_examples=10)
@given(seed=seeds, sizes=SIZES, budget=st.floats(0.0, 1.5), horizon=st.integers(1, 4))
def test_paths_one_by_one_give_the_same(seed, sizes, budget, horizon):
    case = Case.of(seed, sizes, horizon, worst=seed % 2 == 0)
    constraint = constraint_from_json({"name": "pathwise_all", "log_budget": budget})
    behaviour = case.under(constraint)
    laws, found = all_paths(behaviour, case.mdp, horizon), exact_law(behaviour, case.mdp, horizon)
    assert laws.p.sum() == pytest.approx(1.0)
    assert laws.q.sum() == pytest.approx(1.0)
    assert laws.q[laws.violated].sum() == pytest.approx(found.violation, rel=1e-10)
    assert laws.p[laws.violated].sum() == pytest.approx(case.eps_base, rel=1e-10)
    assert laws.peak.max() == pytest.approx(max(found.spent, 0.0), abs=1e-12)


@settings(max_examples=12)
@given(
    seed=seeds, sizes=SIZES, alpha=st.floats(1.0, 2.0), kappa=st.floats(0.0, 1.0),
    budget=st.floats(0.0, 1.5), horizon=st.integers(1, 5), worst=st.booleans(),
)  # fmt: skip
def test_no_bound_is_below_the_truth(seed, sizes, alpha, kappa, budget, horizon, worst):
    """With ε_base exact there is no confidence to account for: each bound holds, always."""
    case = Case.of(seed, sizes, horizon, worst=worst)
    for name, given_ in records(alpha, kappa, budget).items():
        constraint = constraint_from_json({"name": name, **given_})
        found = exact_law(case.under(constraint), case.mdp, horizon)
        bound = constraint.prior_bound(case.evidence)
        assert bound is not None
        assert found.violation <= bound * SLACK, name
        assert found.spent <= constraint.path_log_ratio_limit(horizon) + 1e-12, name
    truth = exact_law(
        case.under(constraint_from_json({"name": "ratio", "alpha": alpha})), case.mdp, horizon
    ).violation
    by_time = violation_time_bound(
        case.mdp.violation_times(case.mdp.base, horizon).tolist(), [alpha] * horizon
    )
    assert truth <= by_time * SLACK
    assert by_time <= ratio_bound(case.eps_base, alpha, horizon) * SLACK


@pytest.mark.parametrize("name", ["ratio", "two_point", "pathwise_all"])
def test_the_worst_policies_come_near_their_bounds(name):
    """So that the test above has something to catch: within a factor of 1.6 of 30 problems."""
    nearest = 0.0
    for seed in range(30):
        case = Case.of(seed, (3,), 2, worst=True)
        given_ = records(1.15, 0.9, 0.28)[name]
        constraint = constraint_from_json({"name": name, **given_})
        found = exact_law(case.under(constraint), case.mdp, case.horizon)
        bound = min(constraint.prior_bound(case.evidence), 1.0)
        nearest = max(nearest, (found.violation - case.eps_base) / (bound - case.eps_base))
    assert 0.4 < nearest <= SLACK


def test_a_ratio_beyond_the_limit_would_be_caught():
    case = Case.of(4, (3,), 3, worst=True)
    wide = constraint_from_json({"name": "ratio", "alpha": 5.0})
    narrow = constraint_from_json({"name": "ratio", "alpha": 1.01})
    found = exact_law(case.under(wide), case.mdp, 3)
    assert found.violation > narrow.prior_bound(case.evidence)


@settings(max_examples=10)
@given(seed=seeds, sizes=SIZES, budget=st.floats(0.01, 1.5), eps=st.floats(1e-3, 0.9))
def test_no_event_at_all_is_above_a_pathwise_bound(seed, sizes, budget, eps):
    case = Case.of(seed, sizes, 3, worst=seed % 2 == 0)
    constraint = constraint_from_json({"name": "pathwise_all", "log_budget": budget})
    laws = all_paths(case.under(constraint), case.mdp, 3)
    assert worst_event(laws.p, laws.q, eps) <= eps * math.exp(budget) * SLACK


# --- bounds from data, in repeated draws ---------------------------------------------------------


def require_rate(failures: int, draws: int, beta: float) -> None:
    """No more failures than β allows, to one in a thousand."""
    p_value = stats.binomtest(failures, draws, beta, alternative="greater").pvalue
    assert p_value > 1e-3, (failures, draws)


@pytest.mark.parametrize("name", ["ratio", "two_point", "pathwise_all"])
@pytest.mark.parametrize("sizes", [(3,), (2, 2)])
def test_off_policy_bounds_cover_in_repeated_draws(name, sizes):
    """300 data sets of 250 base trajectories each, β = 0.1."""
    horizon, beta, n, draws = 3, 0.1, 250, 300
    case = Case.of(5, sizes, horizon, worst=True)
    constraint = constraint_from_json({"name": name, **records(1.2, 0.85, 0.5)[name]})
    laws = all_paths(case.under(constraint), case.mdp, horizon)
    truth = laws.q[laws.violated].sum()
    assert truth == pytest.approx(
        exact_law(case.under(constraint), case.mdp, horizon).violation, rel=1e-10
    )
    limit = constraint.path_log_ratio_limit(horizon)
    ratio = np.minimum(laws.log_ratio, limit)
    rng, failures = np.random.default_rng(2), 0
    for _ in range(draws):
        drawn = rng.choice(len(laws.p), n, p=laws.p / laws.p.sum())
        found = off_policy_bound(ratio[drawn], laws.violated[drawn], beta, log_ratio_limit=limit)
        failures += found.bound is not None and found.bound < truth
    require_rate(failures, draws, beta)


def test_scenario_and_any_time_bounds_cover_in_repeated_draws():
    """Of policies that change every ten episodes: the any-time bound is of their mean so far."""
    beta, draws, n = 0.1, 400, 200
    case = Case.of(7, (3,), 4, worst=True)
    exact = [
        exact_law(case.under(constraint_from_json({"name": "ratio", "alpha": a})), case.mdp, 4)
        for a in (1.0, 1.2, 1.5, 2.0)
    ]
    chances = np.repeat([one.violation for one in exact], 10)
    chances = np.tile(chances, n // len(chances) + 1)[:n]
    mean = np.cumsum(chances) / np.arange(1, n + 1)
    table = np.array(
        [[anytime_bound(m, k, beta) if k <= m else 1.0 for k in range(n + 1)]
         for m in range(1, n + 1)]
    )  # fmt: skip
    rng, ever, fixed = np.random.default_rng(3), 0, 0
    for _ in range(draws):
        counts = np.cumsum(rng.random(n) < chances)
        ever += bool((table[np.arange(n), counts] < mean).any())
        k = int(rng.binomial(n, exact[1].violation))
        fixed += scenario_bound(n, k, beta) < exact[1].violation
    require_rate(ever, draws, beta)
    require_rate(fixed, draws, beta)


# --- rollouts are what was computed --------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3,), (2, 2)])
@pytest.mark.parametrize("name", [None, "ratio", "two_point", "pathwise_all", "pathwise"])
def test_rollouts_violate_as_often_as_was_computed(name, sizes):
    register_indexed()
    horizon, count = 5, 3_000
    case = Case.of(11, sizes, horizon, worst=True)
    kwargs = {"horizon": horizon, "seed": 11, "states": STATES, "sizes": list(sizes)}
    plan = ScenarioPlan(
        env_id=INDEXED, env_kwargs=kwargs, property=REACH_AVOID, horizon=horizon, root_seed=1,
        purpose="evaluate",
    )  # fmt: skip
    behaviour: Any = BaseBehaviour(case.base)
    if name is not None:
        record = {"name": name, **records(1.3, 0.8, 0.8)[name]}
        behaviour = case.under(constraint_from_json(record))
    truth = exact_law(behaviour, case.mdp, horizon)
    outcomes = run_scenarios(plan, behaviour, 0, count)
    found = stats.binomtest(outcomes.num_violations(horizon), count, truth.violation)
    assert found.pvalue > 1e-4, (found, truth)
    assert outcomes.max_prefix_log_ratio.max() <= truth.spent + 1e-12
    if name is not None:
        plan = plan.model_copy(update={"purpose": "off_policy"})
        base, ratios, _ = watched_scenarios(plan, behaviour, count)
        limit = behaviour.constraint.path_log_ratio_limit(horizon)
        bound = off_policy_bound(
            ratios, ~base.satisfied_by(horizon), 1e-4, log_ratio_limit=limit
        ).bound
        assert bound is None or bound >= truth.violation


def test_the_laws_in_the_test_bed_are_the_frozen_policies():
    """A table of log weights is what the network draws from, in float32 and on the grid."""
    weights = random_table(3, STATES, (3, 2), 2.0).astype(np.float32)
    law = laws_of(table_policy(weights, (3, 2)), STATES)
    exact = np.exp(weights[:, :3].astype(float))
    exact /= exact.sum(1, keepdims=True)
    np.testing.assert_allclose(law.factors[0].arrays()[0], exact, rtol=0, atol=2.0**-52)
    assert joint(law).sum(1) == pytest.approx(np.ones(STATES))
