"""Cells with objectives of their own: whom violations are told of, and what is learned from them.

In the tabular environment of ``tests/exact_discrete.py`` and on the point robot.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.comparators.focops import FirstOrder
from sport_ray.comparators.kl_ppo import KLPenalty
from sport_ray.comparators.ppo_lagrangian import Penalty
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Gaussian
from sport_ray.policies import FrozenPolicy
from sport_ray.projected_ppo.acting import Actors
from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig, cohort_key, why_alone
from sport_ray.projected_ppo.cohort.environment import cohort_environment
from sport_ray.projected_ppo.cohort.networks import policy_of
from sport_ray.projected_ppo.cohort.rollout import Rollout
from sport_ray.projected_ppo.cohort.update import Learning, Schedule
from sport_ray.projected_ppo.pursued import Pursued
from tests.exact_discrete import INDEXED, random_table, register_indexed, table_policy
from tests.sport_ray.projected_ppo.cohort.test_same_as_single import far, weights

STATES, SIZES = 5, (3,)
JUDGED = ("(!hazard) U goal", 6)
PRICE = Penalty(target=0.1, rate=0.5, start=1.0, most=50.0)
FIRST_ORDER = FirstOrder(0.1, 0.5, 1.0, 50.0, temperature=1.5, kl_limit=0.02)


class Run:
    """A cohort's sampling and learning, without RLlib around them."""

    def __init__(self, configs, iterations) -> None:
        config = ProjectedPPOCohortConfig().cells(configs)
        cells, spec = config.cohort, config.cohort[0].start.spec
        schedule = Schedule(config.minibatch_size, config.num_epochs, True, False)
        self.cells, self.learning = cells, Learning(cells, spec, schedule, base=config.base)
        copies = config.num_envs_per_env_runner
        environment = cohort_environment(config.contexts(), copies)
        actors = Actors(spec, self.learning.actors)
        rollout = Rollout(cells, FrozenPolicy(config.base), actors, environment, copies, 0)
        self.samples, self.prices = [], []
        for _ in range(iterations):
            sample = rollout.sample(config.train_batch_size)
            found = [
                self.learning.update(cell, [fragment], 10**6)
                for cell, fragment in enumerate(sample.fragments)
            ]
            self.samples.append(sample)
            self.prices.append([one.get("violation_price") for one in found])

    def policy(self, cell):
        return policy_of(self.cells, self.learning.actors, cell)

    def bits(self, cell) -> bytes:
        return self.learning.actors.flat[cell].numpy().tobytes()


@pytest.fixture
def indexed(cell):
    """Unbounded cells in the tabular environment, of which nothing but the objective differs."""
    register_indexed()
    base = table_policy(random_table(1, STATES, SIZES), SIZES)
    kwargs = {"horizon": 6, "sizes": list(SIZES), "states": STATES}

    def make(objective, seed=1, **training):
        given = {"env": INDEXED, "kwargs": kwargs, "base": base, "lr": 0.02, **training}
        return cell(seed, "unconstrained", 4, objective=objective, judged=JUDGED, **given)

    make.base = base
    return make


@pytest.fixture
def robot(cell):
    def make(objective, seed=1, **training):
        return cell(seed, "unconstrained", 4, objective=objective, judged=JUDGED, **training)

    return make


@pytest.mark.parametrize("kind", ["indexed", "robot"])
def test_each_violating_episode_is_told_of_once(request, kind):
    """Those that were counted, late ones too, at the end at the latest."""
    make = request.getfixturevalue(kind)
    run = Run([make(PRICE, seed) for seed in (1, 2)], 3)
    for cell in (0, 1):
        fragments = [one.fragments[cell] for one in run.samples]
        told = np.concatenate([one.violated for one in fragments])
        over = np.concatenate([one.terminated | one.truncated for one in fragments])
        assert told.sum() == sum(one.violations[cell] for one in run.samples) > 0
        number = np.cumsum(over, axis=0) - over  # of the episode that each step is part of
        for copy in range(over.shape[1]):
            assert np.bincount(number[told[:, copy], copy]).max(initial=0) <= 1


@pytest.mark.parametrize(("kind", "family"), [("indexed", Categorical), ("robot", Gaussian)])
def test_log_ratios_are_those_of_the_laws(request, kind, family):
    config = request.getfixturevalue(kind)(KLPenalty(1.0))
    start = Run([config], 4).samples[-1].fragments[0]
    pursued = Pursued(config.objective, config.base)
    law = family.from_parameters(torch.from_numpy(start.action_dist_inputs[start.taken]))
    base = FrozenPolicy(config.base).distribution(start.observations[:-1][start.taken])
    expected = law.log_ratio(base, start.actions[start.taken].astype(np.float64))
    found = pursued._log_ratio(start)
    assert np.abs(expected).max() > 1e-3  # the policy has moved
    assert found[start.taken] == pytest.approx(expected, abs=1e-5)
    assert not found[~start.taken].any()
    (adjusted,) = pursued([start], learns=True)
    assert adjusted.rewards == pytest.approx(start.rewards - found)


def test_the_weight_of_the_ratio_leads_from_no_objective_to_the_base(indexed):
    """To the bit at 0; the closer to the base the larger, up to the noise of PPO's own steps."""
    configs = [indexed(None), *(indexed(KLPenalty(weight)) for weight in (0.0, 0.1, 1.0, 100.0))]
    run = Run(configs, 30)
    assert run.bits(0) == run.bits(1)
    states = np.eye(STATES)
    base = FrozenPolicy(indexed.base).distribution(states)
    kls = [
        FrozenPolicy(run.policy(cell)).distribution(states).kl(base).mean().item()
        for cell in range(1, 5)
    ]
    assert kls[0] > 2 * kls[1] > 20 * max(kls[2:])


def test_the_price_rises_while_more_violate_than_the_target(indexed):
    run = Run([indexed(PRICE)], 40)
    prices = [PRICE.start, *(one[0] for one in run.prices)]
    for before, after, sample in zip(prices, prices[1:], run.samples, strict=False):
        fragment = sample.fragments[0]
        ended = int((fragment.terminated | fragment.truncated).sum())
        share = sample.violations[0] / ended
        assert (after > before) == (share > PRICE.target) or after == PRICE.most
    assert max(prices) > 5.0


def test_companions_do_not_matter(robot):
    """Neither their objectives nor that they have one: prices and ratios are a cell's own."""
    own = robot(PRICE, 7)
    others = [robot(None, 3), robot(KLPenalty(0.3), 4), robot(FIRST_ORDER, 5)]
    assert len({cohort_key(one) for one in [own, *others]}) == 1
    assert why_alone(own) is None
    alone, beside = Run([own], 3), Run([others[0], others[1], own, others[2]], 3)
    assert alone.bits(0) == beside.bits(2)
    assert [one[0] for one in alone.prices] == [one[2] for one in beside.prices]


def test_an_objective_that_would_be_ignored_is_refused(robot):
    with pytest.raises(UserError, match="sampling='arrays'"):
        robot(PRICE, sampling="episodes").validate()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("kind", ["indexed", "robot"])
@pytest.mark.parametrize(
    "objective", [PRICE, KLPenalty(0.5), FIRST_ORDER], ids=["price", "ratio", "first-order"]
)
def test_a_single_run_agrees(request, build, kind, objective):
    config = request.getfixturevalue(kind)(objective)
    single, cohort = build(config), build([config])
    start = weights(single.task_policy())
    result, cell = single.train(), cohort.train()["cells"][0]
    assert far(weights(cohort.policy(0)), weights(single.task_policy()), start) < 1e-3
    told = result["learners"]["default_policy"]
    assert told.get("violation_price") == cell.get("violation_price")
