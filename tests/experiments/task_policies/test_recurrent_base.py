"""What can be made of a base that remembers: a task policy from elsewhere, and nothing else."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import require_choosable
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.policies import PolicyFile, PolicyNetwork, PolicySpec, policy_digest, save_policy
from sport_ray.policies.recurrence import Recurrence
from sport_ray.projected_ppo import ProjectedPPOConfig

SPEC = PolicySpec(observation_size=44, action_size=2, hidden=(4,), recurrence=Recurrence(size=3))


@pytest.fixture
def base() -> PolicyFile:
    """A recurrent policy of the point robot's sizes."""
    network = PolicyNetwork(SPEC)
    return PolicyFile(network, policy_digest(network), {})


@pytest.fixture
def study(small_study) -> Study:
    """Any."""
    return Study.model_validate(small_study)


@pytest.mark.parametrize("name", ["projected_ppo", "unconstrained", "scpo"])
def test_what_trains_around_it_is_refused_by_name(base, study, name):
    source = SOURCES[name]()
    with pytest.raises(UserError, match=f"{name} .*this base is recurrent.*imported"):
        source.require(study.task(3, 0), source.settings(), base)


def test_one_from_elsewhere_is_taken(base, study, tmp_path):
    plain = SPEC.model_copy(update={"recurrence": None})
    save_policy(tmp_path / "task", PolicyNetwork(plain), {})
    source = SOURCES["imported"]()
    settings = source.settle(source.settings(path="task"), tmp_path)
    source.require(study.task(3, 0), settings, base)


def test_a_choice_among_its_samples_is_refused(base, study):
    choosing = study.model_copy(update={"task_policies": {"critic": SOURCES["critic"].settings()}})
    with pytest.raises(UserError, match="recurrent, and a choice among its samples"):
        require_choosable(choosing, base)


def test_projected_ppo_refuses_it_before_it_begins(base):
    config = ProjectedPPOConfig().environment("sport_ray/PointReachAvoid-v0")
    config.training(base=base.network, alpha=1.5)
    with pytest.raises(UserError, match="trains no recurrent policy"):
        config.get_default_rl_module_spec()
