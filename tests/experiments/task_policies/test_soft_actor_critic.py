"""Soft actor-critic as a source: from the base it takes the architecture alone."""

from __future__ import annotations

import pytest
import torch

from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.config.training import SACBaseTrainingSection
from sport_ray.experiments.stages.base import BUNDLED, train_base
from sport_ray.experiments.task_policies.soft_actor_critic import (
    SoftActorCriticSection,
    SoftActorCriticSource,
)
from sport_ray.policies import PolicyNetwork, PolicySpec, policy_digest

STUDY = Study(name="small", sweep={"alphas": [1.0], "horizons": [20]})
SHORT = {"env_steps": 400, "warmup_env_steps": 200, "batch_size": 16}
SPEC = PolicySpec(observation_size=44, action_size=2, hidden=(8,))


def base(seed: int) -> PolicyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PolicyNetwork(SPEC)


@pytest.mark.slow
def test_the_policy_depends_on_the_seed_and_on_no_base(local_ray):
    certificate = load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")
    settings = SoftActorCriticSection(**SHORT, horizon=30, kwargs={"layout": "random"})
    found = {}
    for seed, of in ((0, 1), (0, 2), (1, 1)):
        task = STUDY.task(20, seed)
        made = SoftActorCriticSource().train(task, settings, base(of), certificate)
        assert made.policy.spec == SPEC
        assert made.env_steps >= 400
        found[seed, of] = policy_digest(made.policy)
    assert found[0, 1] == found[0, 2] != found[1, 1]


@pytest.mark.slow
def test_a_base_by_soft_actor_critic(local_ray, small_study):
    asked = {**SHORT, "algorithm": "sac", "hidden": [8], "horizon": 30}
    study = parse_study({**small_study, "base_training": asked}, "study")
    assert isinstance(study.base_training, SACBaseTrainingSection)
    made, again = train_base(study), train_base(study)
    assert made.trained.env_steps >= 400
    assert policy_digest(made.trained.policy) == policy_digest(again.trained.policy)
    assert made.statistics.entropy is not None


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"algorithm": "dqn"}, r"base_training = .*: expected one of .* ppo, sac"),
        ({"algorithm": "sac", "clip": 0.1}, r"unknown key 'base_training.clip'"),
        ({"algorithm": "sac", "tau": 2}, r"base_training.tau = 2: input should be less than"),
        ({"lr": 0}, r"base_training.lr = 0: input should be greater than 0"),
    ],
)
def test_a_mistake_is_told_at_the_key_as_it_is_written(small_study, given, line):
    with pytest.raises(ValueError, match=line):
        parse_study({**small_study, "base_training": given}, "study")


def test_a_base_that_tanh_does_not_squash_is_refused_before_anything_runs():
    plain = PolicyNetwork(SPEC.model_copy(update={"squash": "none"}))
    task, settings = STUDY.task(20, 0), SoftActorCriticSection()
    with pytest.raises(UserError, match=r"squash = 'none': leave soft_actor_critic out"):
        SoftActorCriticSource().check(task, settings, plain)
    SoftActorCriticSource().check(task, settings, base(0))


def test_a_rule_for_checkpoints_is_refused_where_none_is_looked_at(small_study):
    rule = {"horizon": 20, "epsilon": 0.1, "steps": [10, 20]}
    small_study["task_policies"] = {"soft_actor_critic": {"accept": rule}}
    small_study["sweep"].pop("methods", None)
    with pytest.raises(UserError, match=r"soft_actor_critic.accept = .*no use here: remove it"):
        parse_study(small_study, "study")
    assert SoftActorCriticSection().model_dump(mode="json")["accept"] is None
