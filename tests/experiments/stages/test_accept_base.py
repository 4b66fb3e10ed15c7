"""The rule that picks a base: the first checkpoint that it accepts, on scenarios of its own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sport_ray.bounds.scenario import scenario_bound
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.config.training import AcceptSection
from sport_ray.experiments.stages import accept_base
from sport_ray.experiments.stages.accept_base import examined, train_until_accepted
from sport_ray.experiments.stages.base import BUNDLED, save_base, train_base
from sport_ray.policies import PolicyNetwork, load_policy, policy_digest
from sport_ray.rollouts import ScenarioPlan, base_behaviour, run_scenarios
from sport_ray.samplers import read_base

RULE = AcceptSection(
    horizon=30, epsilon=0.05, steps=(13.0, 16.0), num_scenarios=1_200, every=100, beta=1e-3
)


@pytest.fixture(scope="module")
def shipped() -> PolicyNetwork:
    return read_base(BUNDLED / "point_reach_avoid").network


@pytest.fixture(scope="module")
def random(shipped) -> PolicyNetwork:
    torch.manual_seed(0)
    return PolicyNetwork(shipped.spec)


class Through:
    """A training run that passes through given policies, the next one after every portion."""

    def __init__(self, *policies: PolicyNetwork) -> None:
        self.policies, self.env_steps, self.result = policies, 0, {}

    def advance(self, env_steps, progress=None) -> None:
        """To the next."""
        self.env_steps = env_steps

    def policy(self) -> PolicyNetwork:
        """That of so many steps."""
        return self.policies[self.env_steps // 100 - 1]

    def stop(self) -> None:
        """Nothing to let go of."""


def plan_for(rule: AcceptSection = RULE, purpose: str = "base") -> ScenarioPlan:
    study = Study.model_validate({"name": "x", "sweep": {"alphas": [1.0], "horizons": [30]}})
    return study.task(rule.horizon, 0).plan(purpose, 0)


def with_(**changes) -> AcceptSection:
    return AcceptSection.model_validate({**RULE.model_dump(), **changes})


def test_the_first_that_is_good_enough_is_kept(random, shipped):
    told = []
    run = Through(random, shipped, shipped)
    found = train_until_accepted(run, RULE, plan_for(), 1_000, tell=told.append)
    assert run.env_steps == 200
    assert policy_digest(found.policy) == policy_digest(shipped)
    assert [one.accepted for one in found.checkpoints] == [False, True]
    assert told == found.checkpoints
    refused, accepted = told
    assert refused.num_scenarios == 500  # given up after a portion
    assert refused.rate > 0.5
    assert accepted.num_scenarios == RULE.num_scenarios
    assert accepted.bound <= RULE.epsilon
    assert 13.0 <= accepted.mean_steps <= 16.0


def test_a_checkpoint_is_what_its_own_scenarios_say(shipped):
    """The third checkpoint has scenarios 2·N … 3·N − 1, and no others, and all of them."""
    found = examined(shipped, RULE, plan_for(), 2, 300)
    behaviour = base_behaviour(read_base(BUNDLED / "point_reach_avoid"))
    outcomes = run_scenarios(plan_for(), behaviour, 2 * 1_200, 1_200)
    assert found.num_violations == outcomes.num_violations(30)
    assert found.bound == scenario_bound(1_200, found.num_violations, 1e-3)
    satisfied = outcomes.satisfied_at[outcomes.satisfied_by(30)]
    assert found.mean_steps == pytest.approx(satisfied.mean())
    assert found != dataclasses.replace(examined(shipped, RULE, plan_for(), 1, 300))


@pytest.mark.parametrize(
    "changes", [{"steps": (20.0, 30.0)}, {"steps": (2.0, 9.0)}, {"epsilon": 0.006}]
)
def test_giving_up_early_changes_no_verdict(shipped, monkeypatch, changes):
    rule = with_(**changes)
    early = examined(shipped, rule, plan_for(rule), 0, 100)
    monkeypatch.setattr(accept_base, "FAR", np.inf)
    monkeypatch.setattr(accept_base, "PORTION", rule.num_scenarios)
    late = examined(shipped, rule, plan_for(rule), 0, 100)
    assert not early.accepted
    assert not late.accepted
    assert early.num_scenarios <= late.num_scenarios == rule.num_scenarios


def test_none_is_one_line_with_the_closest(random, shipped):
    rule = with_(steps=(10.0, 11.0))
    with pytest.raises(UserError) as caught:
        train_until_accepted(Through(random, shipped, random), rule, plan_for(), 300)
    told = str(caught.value)
    assert "none of 3 checkpoints in base_training.env_steps = 300 has ε(30) ≤ 0.05" in told
    assert "the closest, step 200: " in told
    assert told.endswith("train longer or otherwise, or loosen base_training.accept")
    assert "\n" not in told


def test_the_closest_is_told_of_a_return_of_zero(random):
    """Which has no scale of its own."""
    rule = with_(steps=None, returns=(0.0, 0.0))
    with pytest.raises(UserError, match=r"a mean return in \[0, 0\]; the closest, step 100"):
        train_until_accepted(Through(random), rule, plan_for(), 100)


def test_no_other_scenarios_pick_a_base(shipped):
    for plan in (plan_for(purpose="certify"), plan_for(with_(horizon=29))):
        with pytest.raises(ValueError, match="picked on scenarios for 'base' at T = 30"):
            train_until_accepted(Through(shipped), RULE, plan, 100)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"steps": [16, 14]}, r"steps = \[16, 14\]: the first must not exceed the second"),
        ({"steps": [14, 16], "horizon": 12}, "steps = .14, 16. are more than horizon = 12"),
        ({"returns": [1, 2]}, "steps or returns, one of the two: both are given"),
        ({"steps": None}, "steps or returns, one of the two: neither is given"),
        ({"steps": None, "returns": [2, 1]}, r"returns = .2, 1.: the first must not exceed"),
        ({"num_scenarios": 100}, r"epsilon = 0.05 cannot be shown by num_scenarios = 100"),
    ],
)
def test_a_rule_that_nothing_meets_is_refused(changes, line):
    with pytest.raises(ValidationError, match=line):
        with_(**changes)


def test_a_rule_that_the_study_cannot_meet_is_refused(small_study):
    asked = {**RULE.model_dump(), "horizon": 31}
    small_study["base_training"] = {"accept": asked}
    with pytest.raises(UserError, match=r"accept.horizon = 31 is beyond certificate.max_horizon"):
        train_base(parse_study(small_study, "study"))
    small_study["property"] = "G !hazard"
    small_study["base_training"] = {"accept": {**asked, "horizon": 30}}
    with pytest.raises(UserError, match="has no goal to reach: give returns"):
        train_base(parse_study(small_study, "study"))
    small_study["property"] = "(!hazard) U goal"
    by_return = {**asked, "horizon": 30, "returns": [0, 1]}
    small_study["base_training"] = {"accept": {k: v for k, v in by_return.items() if k != "steps"}}
    with pytest.raises(UserError, match=r"asks for a return, .* give steps instead of returns"):
        train_base(parse_study(small_study, "study"))


def test_without_a_goal_the_mean_return_of_all_scenarios_counts(shipped):
    """Of those that violate, too."""
    study = Study.model_validate(
        {"name": "x", "property": "G !hazard", "sweep": {"alphas": [1.0], "horizons": [30]}}
    )
    plan = study.task(30, 0).plan("base", 0)
    base = base_behaviour(read_base(BUNDLED / "point_reach_avoid"))
    mean = run_scenarios(plan, base, 0, 600).total_reward.mean()
    by_return = {"steps": None, "num_scenarios": 600, "epsilon": 0.2}
    good, bad = (with_(**by_return, returns=(mean + x, mean + x + 0.1)) for x in (-0.05, 2.0))
    found = examined(shipped, good, plan, 0, 100)
    assert found.accepted
    assert found.mean_return == pytest.approx(mean)
    assert found.mean_steps is None
    assert f"return {mean:.4g}" in str(found)
    refused = examined(shipped, bad, plan, 0, 100)
    assert (refused.accepted, refused.num_scenarios) == (False, 500)
    with pytest.raises(UserError, match="and a mean return in"):
        train_until_accepted(Through(shipped), bad, plan, 100)


@pytest.mark.slow
def test_ppo_is_trained_until_it_is_accepted(small_study, tmp_path):
    small_study["certificate"]["max_horizon"] = 60
    small_study["environment"] = {
        "id": "sport_ray/PointReachAvoid-v0",
        "kwargs": {"layout": "fixed"},
    }
    accept = {
        "horizon": 60, "epsilon": 0.1, "steps": [10, 24], "num_scenarios": 600,
        "every": 40_000, "beta": 1e-3,
    }  # fmt: skip
    small_study["base_training"] = {
        "env_steps": 400_000, "entropy_coeff": 0.003, "hidden": [64, 64], "accept": accept,
    }  # fmt: skip
    study = parse_study(small_study, "study")
    made = train_base(study)
    assert made.checkpoints[-1].accepted
    assert len(made.checkpoints) > 1
    save_base(tmp_path / "base", study, made, "a test")
    kept = load_policy(tmp_path / "base").provenance
    assert [one["accepted"] for one in kept["checkpoints"]][-2:] == [False, True]
    assert kept["env_steps"] == kept["checkpoints"][-1]["env_steps"] < 400_000
    assert kept["statistics"]["num_violations"]["60"] < 0.1 * kept["statistics"]["num_scenarios"]
    assert kept["training"]["accept"]["steps"] == [10, 24]
