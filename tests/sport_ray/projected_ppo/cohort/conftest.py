"""Cells, cohorts of them, and the same cells by themselves."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import pytest
import torch

from sport_ray.constraints import constraint_from_json
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig

ENV = "sport_ray/PointReachAvoid-v0"
CONSTRAINTS = {
    "ratio": {"name": "ratio", "alpha": 1.2},
    "gauss_renyi": {"name": "gauss_renyi", "alpha": 1.5},
    "violation_time": {"name": "violation_time", "alpha": 1.1},
    "mean_shift": {"name": "mean_shift", "mu": 0.7, "steps_left": [12.0, 9.0]},
    "pathwise": {"name": "pathwise", "log_budget": 1.5, "steps_left": [12.0, 9.0]},
    "pathwise_all": {"name": "pathwise_all", "log_budget": 0.8},
    "unconstrained": {"name": "unconstrained"},
}
"""One of each kind that a Gaussian can be held to."""


@pytest.fixture
def cell(small_base):
    """A cell's configuration: the base's seeds, a few steps, random layouts."""

    def make(seed=1, constraint="ratio", copies=2, runners=0, env=ENV, kwargs=None, **training):
        given = CONSTRAINTS[constraint] if isinstance(constraint, str) else constraint
        options = {
            "base": small_base,
            "constraint": constraint_from_json(given, run_module=True),
            "warmup_env_steps": 0,
            "train_batch_size": 64,
            "minibatch_size": 20,
            "num_epochs": 2,
            "lr": 1e-3,
            **training,
        }
        return (
            ProjectedPPOConfig()
            .environment(env, env_config=kwargs or {"horizon": 7, "layout": "random"})
            .env_runners(num_env_runners=runners, num_envs_per_env_runner=copies)
            .training(**options)
            .debugging(seed=seed, log_level="ERROR")
        )

    return make


@pytest.fixture
def elsewhere(small_base):
    """A task policy some way from the base: its projection binds in some states."""
    network = copy.deepcopy(small_base)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in network.parameters():
            value += 0.03 * torch.randn(value.shape, generator=generator)
    return network


@pytest.fixture
def build() -> Iterator:
    """Algorithms of configurations; a list of them is a cohort."""
    built = []

    def make(config):
        if isinstance(config, list):
            config = ProjectedPPOCohortConfig().cells(config)
        built.append(config.build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        with contextlib.suppress(Exception):  # a test may have stopped it
            algorithm.stop()


@pytest.fixture
def rollout(small_base):
    """A cohort's sampling by itself, without Ray."""
    from sport_ray.policies.frozen import FrozenPolicy
    from sport_ray.projected_ppo.acting import Actors
    from sport_ray.projected_ppo.cohort.environment import cohort_environment
    from sport_ray.projected_ppo.cohort.networks import actors_of
    from sport_ray.projected_ppo.cohort.rollout import Rollout

    def make(configs, make_environment=cohort_environment):
        config = ProjectedPPOCohortConfig().cells(configs)
        spec = config.cohort[0].start.spec
        copies = config.num_envs_per_env_runner
        environment = make_environment(config.contexts(), copies)
        base = FrozenPolicy(small_base)
        actors = Actors(spec, actors_of(config.cohort))
        return Rollout(config.cohort, base, actors, environment, copies, 0)

    return make
