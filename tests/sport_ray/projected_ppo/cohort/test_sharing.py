"""What goes into one cohort, and what keeps a training out of every one."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork
from sport_ray.projected_ppo import IndexPPOConfig
from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig, cohort_key, why_alone


@pytest.mark.parametrize(
    "option",
    [
        {"seed": 9},
        {"constraint": {"name": "ratio", "alpha": 3.0}},
        {"constraint": "unconstrained"},
        {"lr": 1.0},
        {"critic_lr": 1.0},
        {"gamma": 0.5},
        {"lambda_": 0.5},
        {"clip_param": 0.5},
        {"entropy_coeff": 0.5},
        {"grad_clip": None},
        {"vf_loss_coeff": 2.0},
        {"warmup_env_steps": 77},
    ],
    ids=str,
)
def test_cells_may_differ_in_what_acts_on_them_alone(cell, option):
    assert cohort_key(cell(**option)) == cohort_key(cell())


@pytest.mark.parametrize(
    "option",
    [
        {"constraint": "pathwise"},  # what is left of a budget is observed
        {"copies": 3},
        {"runners": 2},
        {"kwargs": {"horizon": 9}},
        {"train_batch_size": 96},
        {"minibatch_size": 10},
        {"minibatch_size": None},
        {"num_epochs": 3},
        {"gradient": "through_projection"},
        {"cut_after": 5},
        {"ends_when_violated": "G !hazard"},
    ],
    ids=str,
)
def test_cells_must_share_the_rest(cell, option):
    assert cohort_key(cell(**option)) != cohort_key(cell())
    with pytest.raises(UserError, match="cell 1 of the cohort"):
        ProjectedPPOCohortConfig().cells([cell(), cell(**option)])


def test_another_base_is_another_cohort(cell, small_base):
    other = PolicyNetwork(small_base.spec)
    assert cohort_key(cell(base=other, task=small_base)) != cohort_key(cell())
    assert cohort_key(cell(task=other)) == cohort_key(cell())


def test_validation_changes_no_key(cell):
    config = cell()
    before = cohort_key(config)
    config.validate()
    assert why_alone(config) is None
    assert cohort_key(config) == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.training(sampling="episodes"), "it sets sampling"),
        (lambda c: c.callbacks(on_train_result=print), "it sets callbacks_on_train_result"),
        (lambda c: c.env_runners(rollout_fragment_length=7), "rollout_fragment_length"),
        (lambda c: c.training(vf_clip_param=1.0), "it sets vf_clip_param"),
        (lambda c: c.training(lr=[[0, 1e-3], [10, 0.0]]), "its lr is a schedule"),
        (lambda c: c.learners(num_learners=2), "it sets num_learners"),
        (lambda c: c.evaluation(evaluation_interval=1), "it sets evaluation_interval"),
        (lambda c: c.environment(env=object), "not a gymnasium id"),
        (lambda c: c.environment(env_config={"horizon": {1}}), "are not JSON"),
    ],
)
def test_what_a_cohort_does_not_know_stays_alone(cell, change, reason):
    config = cell()
    assert why_alone(config) is None
    change(config)
    assert reason in why_alone(config)
    with pytest.raises(UserError, match="cannot be part of a cohort"):
        cohort_key(config)


def test_training_over_the_index_stays_alone():
    assert "index" in why_alone(IndexPPOConfig())


def test_a_cohort_needs_cells():
    with pytest.raises(UserError, match="at least one cell"):
        ProjectedPPOCohortConfig().cells([])
    with pytest.raises(UserError, match="needs its cells"):
        ProjectedPPOCohortConfig().validate()


def test_a_mistake_of_a_cell_is_told_as_by_the_single_algorithm(cell):
    config = cell()
    config.explore = False
    with pytest.raises(UserError):
        ProjectedPPOCohortConfig().cells([config])
