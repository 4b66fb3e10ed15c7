"""ProjectedPPOCohort in lockstep: the same results, the same learning, and who may."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig
from sport_ray.projected_ppo.cohort.device.plan import Plan, why_not_on_device

FIXED = {"horizon": 12, "layout": "fixed"}


def lockstep(configs):
    config = ProjectedPPOCohortConfig().cells(configs)
    config.lockstep = True
    return config


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"constraint": "pathwise_all"}, "no form on a device"),
        ({"constraint": "mean_shift"}, "no form on a device"),
        ({"runners": 2}, "2 runners"),
        ({"env": "Pendulum-v1", "kwargs": {"max_episode_steps": 9}}, "no tensor form"),
        ({"sampling": "episodes"}, "sampling"),
    ],
)
def test_who_cannot_is_told_why(cell, changes, reason):
    assert reason in (why_not_on_device(cell(**changes)) or "")


def test_who_can(cell):
    for constraint in ("ratio", "gauss_renyi", "violation_time", "unconstrained"):
        told = why_not_on_device(cell(constraint=constraint))
        assert told is None or constraint == "gauss_renyi", told
    plan = Plan.of(cell(copies=4, train_batch_size=64))
    assert (plan.steps, plan.rows, plan.num_minibatches) == (16, 64, 7)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_cohort_in_lockstep_has_the_results_of_one_cell_by_cell(cell, build):
    configs = [cell(seed=1, kwargs=FIXED), cell(seed=2, kwargs=FIXED, constraint="unconstrained")]
    together, apart = build(lockstep(configs)), build(configs)
    assert together.base_fingerprint() == apart.base_fingerprint() != ""
    start = [together.policy(i).state_dict() for i in range(2)]
    for i in range(2):
        for name, value in apart.policy(i).state_dict().items():
            assert torch.equal(start[i][name], value)
    result, expected = together.train(), apart.train()
    result = together.train()
    assert len(result["cells"]) == 2
    for got, wanted in zip(result["cells"], expected["cells"], strict=True):
        assert set(got) == set(wanted)
        assert got["num_env_steps_sampled_lifetime"] == 128
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 256
    assert not torch.equal(
        together.policy(0).state_dict()["body.0.weight"], start[0]["body.0.weight"]
    )
    assert together.error(0) is None
    together._lockstep.actors.flat[0, 0] = torch.nan
    together.train()
    assert isinstance(together.error(0), ArithmeticError)
    assert together.error(1) is None


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_lockstep_of_cells_that_cannot_is_refused(cell, build):
    with pytest.raises(UserError, match="cannot go in lockstep: the constraint 'pathwise_all'"):
        build(lockstep([cell(constraint="pathwise_all")]))


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_both_ways_learn_alike(cell, build):
    """Over seeds, the returns of the last iterations differ by no more than chance explains.

    Two-sided z of 24 seeds a side below 4 (a false alarm in 16,000 runs), and both learn.
    """
    configs = [
        cell(
            seed=seed, copies=8, kwargs={"horizon": 12, "layout": "fixed", "reward": "guided"},
            constraint=RatioConstraint(alpha=5.0).to_json(),
            train_batch_size=192, minibatch_size=64, num_epochs=4, lr=1e-3, critic_lr=1e-3,
        )
        for seed in range(24)
    ]  # fmt: skip
    found = {}
    for name, algorithm in (("together", build(lockstep(configs))), ("apart", build(configs))):
        curve = np.array(
            [[one["episode_return_mean"] for one in algorithm.train()["cells"]] for _ in range(10)]
        )
        found[name] = curve[:2].mean(axis=0), curve[-3:].mean(axis=0)
    (first, last), (first_apart, last_apart) = found["together"], found["apart"]
    for one, other in ((first, first_apart), (last, last_apart)):
        spread = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one))
        assert abs(one.mean() - other.mean()) < 4.0 * spread
    assert last.mean() > first.mean() + 4.0 * first.std(ddof=1) / np.sqrt(len(first))
    assert last_apart.mean() > first_apart.mean()
