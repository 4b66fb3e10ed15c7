"""The choice among candidates: the base's law where nothing is allowed, and the bound elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.bounds import off_policy_bound
from sport_ray.constraints import RatioConstraint, Unconstrained, constraint_from_json
from sport_ray.errors import UserError
from sport_ray.families import Categorical
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, run_scenarios
from sport_ray.rollouts.behaviour import SamplerBehaviour
from sport_ray.rollouts.shadow import watched_scenarios
from sport_ray.samplers import PolicySampler
from sport_ray.selection import SelectionBehaviour, Selector
from sport_ray.selection.scores.task_density import TaskDensity

M = 8
CONSTRAINTS = [
    RatioConstraint(1.15),
    constraint_from_json({"name": "pathwise_all", "log_budget": 1.0}),
    constraint_from_json({"name": "violation_time", "alpha": 1.1}),
]


def generators(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, row]) for row in range(count)]


@pytest.fixture
def behaviour(walk_base, forward):
    def made(constraint, slope=-3.0, options=M) -> SelectionBehaviour:
        return SelectionBehaviour(
            PolicySampler(walk_base), Selector(options, forward(slope)), constraint
        )

    return made


def test_a_step_is_within_its_limit_and_leans_on_the_score(behaviour):
    one = behaviour(RatioConstraint(2.0))
    seen = np.random.default_rng(0).normal(size=(50, 2))
    draws = one.draw(seen, generators(50))
    assert draws.candidates.shape == (50, M, 1)
    step = one.step(seen, one.start(50), draws, np.zeros(50, int))
    p = step.chosen.arrays()[0]
    assert (p.sum(axis=1) == 1.0).all()
    assert (M * p <= 2.0).all()
    # Half of the weight allowed in all: the M/α best candidates take most of it.
    order = np.argsort(draws.candidates[..., 0], axis=1)
    best = np.take_along_axis(p, order, axis=1)
    assert (np.diff(best, axis=1) <= 0).all()
    drawn = step.chosen.sample(draws.noise)
    played = step.played(drawn)
    index = drawn[:, 0].astype(int)
    np.testing.assert_array_equal(played, draws.candidates[np.arange(50), index])


def test_a_row_does_not_depend_on_its_companions(behaviour):
    one = behaviour(RatioConstraint(1.5))
    seen = np.random.default_rng(1).normal(size=(20, 2))
    together = one.step(seen, one.start(20), one.draw(seen, generators(20)), np.zeros(20, int))
    for row in range(20):
        draws = one.draw(seen[row : row + 1], [generators(20)[row]])
        alone = one.step(seen[row : row + 1], one.start(1), draws, np.zeros(1, int))
        np.testing.assert_array_equal(alone.candidates[0], together.candidates[row])
        np.testing.assert_array_equal(alone.chosen.arrays()[0][0], together.chosen.arrays()[0][row])


def test_with_alpha_1_every_candidate_is_as_likely_as_the_next(behaviour, walk_plan, walk_base):
    """Selection with α = 1 is the base: the same law of outcomes, by other draws."""
    count = 2_000
    chosen = run_scenarios(walk_plan, behaviour(RatioConstraint(1.0)), 0, count)
    alone = run_scenarios(walk_plan, BaseBehaviour(walk_base), count, count)
    assert (chosen.max_log_ratio == 0.0).all()
    assert (chosen.sum_realised_log_ratio == 0.0).all()
    table = [[o.num_violations(12), count - o.num_violations(12)] for o in (chosen, alone)]
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert stats.ks_2samp(chosen.length, alone.length).pvalue > 1e-3


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: c.name)
def test_weights_reproduce_the_choice_that_never_acted(behaviour, walk_plan, constraint):
    """E_P[L] = 1 and E_P[L 1{viol}] = Q(viol), with L = Π M·p_J of a uniform J."""
    plan = walk_plan.model_copy(update={"purpose": "off_policy"})
    count, watcher = 3_000, behaviour(constraint)
    outcomes, ratios, _ = watched_scenarios(plan, watcher, count)
    weights, violated = np.exp(ratios), ~outcomes.satisfied_by(12)
    assert stats.ttest_1samp(weights, 1.0).pvalue > 1e-3
    acted = run_scenarios(plan, watcher, count, count)
    rate = acted.num_violations(12) / count
    weighted = weights * violated
    error = np.hypot(weighted.std() / np.sqrt(count), np.sqrt(rate * (1 - rate) / count))
    assert abs(weighted.mean() - rate) < 4 * error
    base_rate = outcomes.num_violations(12) / count
    assert rate > base_rate + 4 * error  # the score leads into the hazard, so this can fail
    limit = constraint.path_log_ratio_limit(12)
    assert acted.max_prefix_log_ratio.max() <= limit
    found = off_policy_bound(ratios, violated, 1e-3, log_ratio_limit=limit)
    assert found.bound is not None
    assert rate < found.bound < 1


def test_an_impossible_choice_of_the_base_weighs_nothing(behaviour, walk_plan):
    """Where p_J = 0 the weight is 0 for good, whatever the budget would have said after it."""
    constraint = constraint_from_json({"name": "pathwise_all", "log_budget": 3.0})
    plan = walk_plan.model_copy(update={"purpose": "off_policy"})
    _, ratios, _ = watched_scenarios(plan, behaviour(constraint, slope=-500.0), 300)
    assert np.isneginf(ratios).any()
    assert not np.isnan(ratios).any()
    assert (ratios <= 3.0).all()


def test_without_a_limit_the_best_candidate_is_played(behaviour):
    one = behaviour(Unconstrained(), slope=900.0)
    seen = np.zeros((5, 2))
    draws = one.draw(seen, generators(5))
    step = one.step(seen, one.start(5), draws, np.zeros(5, int))
    played = step.played(step.chosen.sample(draws.noise))
    np.testing.assert_array_equal(played[:, 0], draws.candidates.max(axis=(1, 2)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_no_numbers_stop_the_step(behaviour, wrong):
    one = behaviour(RatioConstraint(1.5), slope=wrong)
    seen = np.ones((2, 2))
    with pytest.raises(ArithmeticError, match="score 'forward' gives the log weights"):
        one.step(seen, one.start(2), one.draw(seen, generators(2)), np.zeros(2, int))


class Forged:
    """What a score may do with what it is given, in place of the behaviour's own."""

    name = "forged"

    def __init__(self, weights) -> None:
        self.log_weights = weights


def writes_candidates(observation, candidates, limits, taken):
    candidates[:] = 1e3
    return np.zeros(candidates.shape[:2])


def writes_limits(observation, candidates, limits, taken):
    limits[:] = 5.0
    return 1e3 * candidates[..., 0]


def writes_steps(observation, candidates, limits, taken):
    taken[:] = -1
    return np.zeros(candidates.shape[:2])


@pytest.mark.parametrize("score", [writes_candidates, writes_limits, writes_steps])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_score_cannot_write_into_what_is_played_or_allowed(behaviour, constraint, score):
    one = behaviour(constraint)
    one._score = Forged(score)
    seen, taken = np.zeros((4, 2)), np.arange(4)
    draws, state = one.draw(seen, generators(4)), one.start(4)
    before = draws.candidates.copy()
    step = one.step(seen, state, draws, taken)
    np.testing.assert_array_equal(step.candidates, before)
    np.testing.assert_array_equal(step.limits, constraint.limits(state))
    assert (step.max_log_ratio <= constraint.limits(state)).all()
    np.testing.assert_array_equal(taken, np.arange(4))


def test_a_score_cannot_leave_candidates_out_by_their_values(behaviour):
    """Else the choice among the rest has ratio 1, and yet another law than the base's."""
    one = behaviour(RatioConstraint(1.0), options=2)

    def the_first_alone_if_better(observation, candidates, limits, taken):
        return np.zeros((1, 1 if candidates[0, 0, 0] > candidates[0, 1, 0] else 2))

    one._score = Forged(the_first_alone_if_better)
    seen, refused = np.zeros((1, 2)), 0
    for seed in range(20):
        draws = one.draw(seen, generators(1, seed))
        first, second = draws.candidates[0, :, 0]
        try:
            one.step(seen, one.start(1), draws, np.zeros(1, int))
        except ArithmeticError:
            refused += 1
            assert first > second
    assert refused > 0


@pytest.mark.parametrize(
    ("shape", "options"),
    [((1, 1), 2), ((1, 3), 2), ((2, 2), 2), ((2,), 2), ((1, 2, 1), 2)],
)
def test_weights_of_another_number_of_candidates_stop_the_step(behaviour, shape, options):
    one = behaviour(RatioConstraint(1.5), options=options)
    one._score = Forged(lambda *_: np.zeros(shape))
    seen = np.zeros((1, 2))
    with pytest.raises(ArithmeticError, match="gives log weights of shape"):
        one.step(seen, one.start(1), one.draw(seen, generators(1)), np.zeros(1, int))


def test_a_projection_that_leaves_its_limit_is_never_played(behaviour):
    class Leaky(RatioConstraint):
        """Projects onto twice its limit."""

        def project(self, base, task, limits=None):
            return task.projected(base, 2.0 * self.log_alpha)

    one = behaviour(Leaky(1.5))
    seen = np.zeros((3, 2))
    with pytest.raises(ArithmeticError, match="the projection left its limit"):
        one.step(seen, one.start(3), one.draw(seen, generators(3)), np.zeros(3, int))


@pytest.mark.parametrize("name", ["gauss_renyi", "mean_shift"])
def test_theorems_about_gaussians_are_refused(behaviour, name):
    made = constraint_from_json(
        {"name": name, **({"mu": 0.5} if name == "mean_shift" else {"alpha": 1.1})}
    )
    with pytest.raises(UserError, match="categorical"):
        behaviour(made)


def test_the_task_density_chooses_as_the_task_policy_would(walk_base):
    """With many candidates and no limit the chosen action has the task policy's law."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        spec = PolicySpec.model_validate({**walk_base.spec.model_dump(), "hidden": (5,)})
        task = PolicyNetwork(spec)
    one = SelectionBehaviour(
        PolicySampler(walk_base), Selector(2_000, TaskDensity(task)), RatioConstraint(1e6)
    )
    count = 1_500
    seen = np.tile([[0.3, 0.2]], (count, 1))
    drawn = []
    for part in range(0, count, 100):
        rows = seen[part : part + 100]
        draws = one.draw(rows, generators(100, part))
        step = one.step(rows, one.start(100), draws, np.zeros(100, int))
        drawn.append(step.played(step.chosen.sample(draws.noise))[:, 0])
    with torch.no_grad():
        law = task(torch.tensor([[0.3, 0.2]]))
    mean, std = float(law.mean), float(law.std)
    base = walk_base.distribution(seen[:1])
    assert abs(mean - float(base.mean)) > 0.2 * std  # else the base would pass, too
    assert stats.kstest((np.concatenate(drawn) - mean) / std, "norm").pvalue > 1e-3


def test_a_sampler_alone_is_the_base_to_the_bit(walk_plan, walk_base):
    """A Gaussian base read as a black box draws what the policy itself would."""
    alone = run_scenarios(walk_plan, BaseBehaviour(walk_base), 0, 60)
    sampled = run_scenarios(walk_plan, SamplerBehaviour(PolicySampler(walk_base)), 0, 60)
    np.testing.assert_array_equal(alone.length, sampled.length)
    np.testing.assert_array_equal(alone.robustness, sampled.robustness)
    assert isinstance(
        SamplerBehaviour(PolicySampler(walk_base))
        .step(
            np.zeros((1, 2)),
            np.zeros((1, 0)),
            SamplerBehaviour(PolicySampler(walk_base)).draw(np.zeros((1, 2)), generators(1)),
        )
        .chosen,
        Categorical,
    )
