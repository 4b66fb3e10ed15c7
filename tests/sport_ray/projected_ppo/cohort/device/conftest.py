"""Cohorts in lockstep on a CPU, made without Ray."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sport_ray.constraints import RatioConstraint
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.cohort import DeviceCohort
from sport_ray.projected_ppo.cohort.device.plan import Plan

ENV = "sport_ray/PointReachAvoid-v0"


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def one_cell(small_base):
    """A cell with the paper's settings and a large rate, learning from the first step on."""
    usual = Cell(
        seed=1,
        constraint=RatioConstraint(alpha=1.2),
        start=small_base,
        lr=1e-3,
        critic_lr=3e-4,
        gamma=0.99,
        lambda_=0.95,
        clip_param=0.2,
        entropy_coeff=0.01,
        grad_clip=0.5,
        vf_loss_coeff=0.5,
        warmup_env_steps=0,
    )
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def plan():
    """Two copies of the robot, short episodes, minibatches that go on across epochs."""
    return Plan(ENV, {"horizon": 7, "layout": "fixed"}, 2, 32, 20, 2)._replace


@pytest.fixture
def cohort(small_base):
    """A cohort of cells, on a CPU."""
    return lambda cells, plan: DeviceCohort(cells, plan, small_base, "cpu")
