"""SCPO as a source of a study: its settings, its default limit, and a policy that can be used."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.scpo import (
    ScpoSection,
    ScpoSource,
    max_violation,
)
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.policies.store import policy_digest
from sport_ray.rollouts import BaseBehaviour, run_scenarios

STUDY = Study(name="small", sweep={"alphas": [1.0], "horizons": [27]})


@pytest.fixture(scope="module")
def base():
    return load_policy(BUNDLED / "point_reach_avoid").network


@pytest.fixture(scope="module")
def certificate():
    return load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")


def test_it_is_found_by_its_name():
    assert SOURCES["scpo"] is ScpoSource


def test_the_limit(certificate):
    eps = certificate.eps_base(21)
    assert max_violation(ScpoSection(), certificate, 21) == 3 * eps
    assert max_violation(ScpoSection(), certificate, 100) == 0.03
    assert max_violation(ScpoSection(max_violation=0.3), certificate, 5) == 0.3
    with pytest.raises(UserError, match=r"no max_violation.*T = 5"):
        max_violation(ScpoSection(), certificate, 5)


def test_settings_are_checked():
    with pytest.raises(ValidationError, match="too small for max_violation"):
        ScpoSection(max_violation=0.01, num_scenarios=100)
    with pytest.raises(ValidationError):
        ScpoSection(iterations=0)
    with pytest.raises(ValidationError):
        ScpoSection(steps=3)


def test_scenarios_are_not_those_of_anyone_else():
    plan = STUDY.task(27, 5).plan_through_violations("scpo", 5)
    assert (plan.purpose, plan.root_seed, plan.horizon) == ("scpo", 5, 27)
    assert plan.env_kwargs == {"layout": "fixed", "end_on_violation": False}


@pytest.mark.slow
def test_it_trains_a_policy_of_the_bases_shape_that_keeps_its_promise(base, certificate):
    chosen = ScpoSection(iterations=3, num_scenarios=2000, probe_scenarios=200, dimension=6)
    trained = [ScpoSource().train(STUDY.task(27, 0), chosen, base, certificate) for _ in range(2)]
    first, again = trained
    assert policy_digest(first.policy) == policy_digest(again.policy)
    assert first.policy.spec == base.spec
    metrics = first.metrics
    assert metrics == again.metrics
    done = metrics["scpo_accepted"] + metrics["scpo_refused"]
    assert done + metrics["scpo_stood_still"] == 3
    limit = max_violation(chosen, certificate, 27)
    assert metrics["scpo_upper_bound"] <= metrics["scpo_max_violation"] == limit
    # Tests, probes (a centre and 6), and 6 backward probes in the first iteration for L.
    assert metrics["train_episodes"] == 2000 * (1 + done) + 200 * (7 * 3 + 6)
    assert 0 <= metrics["train_violations"] <= metrics["train_episodes"]
    assert first.env_steps <= 27 * metrics["train_episodes"]
    assert metrics["scpo_objective"] <= metrics["scpo_start_objective"]
    curves = first.curves
    assert curves is not None
    assert len(curves) == 1 + 3  # the start's test, and what is kept after each iteration
    assert curves["env_steps"][-1] == first.env_steps
    assert curves["violations"][-1] == metrics["train_violations"]
    assert curves["episodes_begun"][-1] == metrics["train_episodes"]
    assert curves["episodes_begun"][0] == 2000
    assert np.isclose(curves["mean_return"], metrics["train_return"], rtol=1e-12).any()
    plan = STUDY.task(27, 0).plan_through_violations("evaluate", 0)
    seen = run_scenarios(plan, BaseBehaviour(FrozenPolicy(first.policy)), 0, 2000)
    assert seen.num_violations(27) / 2000 <= limit + 3 * np.sqrt(limit / 2000)


@pytest.mark.slow
def test_an_unsafe_base_is_one_line(base, certificate):
    chosen = ScpoSection(max_violation=0.02, num_scenarios=2000)
    with pytest.raises(UserError, match="the start is not safe") as caught:
        ScpoSource().train(STUDY.task(15, 0), chosen, base, certificate)
    assert "\n" not in str(caught.value)
