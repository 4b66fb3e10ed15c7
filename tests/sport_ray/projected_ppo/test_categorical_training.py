"""Projected PPO of categorical policies through RLlib: bounds kept, something learned."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from ray.rllib.core.learner.training_data import TrainingData

from sport_ray.constraints import constraint_from_json
from sport_ray.errors import UserError
from sport_ray.families import categorical_over
from sport_ray.policies import FrozenPolicy
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.rollouts.behaviour import ProjectedBehaviour
from tests.exact_discrete import (
    INDEXED,
    as_mdp,
    exact_law,
    random_table,
    register_indexed,
    table_policy,
)
from tests.exact_mdp import random_mdp

MODULE = "default_policy"
STATES, HORIZON, ALPHA = 5, 8, 1.3
SIZES = [(4,), (3, 2)]
CONSTRAINTS = {
    "ratio": {"name": "ratio", "alpha": ALPHA},
    "budget": {"name": "pathwise_all", "log_budget": 1.0},
    "floor": {"name": "two_point", "alpha": ALPHA, "kappa": 0.7},
}
GRADIENTS = ["paper", "through_projection"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def base_of(sizes):
    return table_policy(random_table(1, STATES, sizes), sizes)


def config(sizes, *, constraint=CONSTRAINTS["ratio"], seed=3, runners=0, base=True, **training):
    register_indexed()
    start = base_of(sizes)
    found = ProjectedPPOConfig().environment(
        INDEXED, env_config={"horizon": HORIZON, "sizes": sizes, "states": STATES}
    )
    found.env_runners(num_env_runners=runners, num_envs_per_env_runner=8)
    found.training(base=start if base else None, task=start, constraint=constraint)
    found.training(warmup_env_steps=0, lr=3e-2, train_batch_size=320, minibatch_size=80)
    return found.training(**training).debugging(seed=seed, log_level="ERROR")


@pytest.fixture
def build():
    built = []

    def make(*args, **kwargs):
        built.append(config(*args, **kwargs).build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()


def weights(algorithm) -> np.ndarray:
    state = algorithm.task_policy().state_dict()
    return np.concatenate([state[name].numpy().ravel() for name in sorted(state)])


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("kind", CONSTRAINTS)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_every_step_of_training_is_within_its_constraint(build, sizes, kind, gradient):
    algorithm = build(sizes, constraint=CONSTRAINTS[kind], gradient=gradient)
    before = weights(algorithm)
    limit = constraint_from_json(CONSTRAINTS[kind]).log_ratio_limit
    for _ in range(4):
        learner = algorithm.train()["learners"][MODULE]
        assert learner["max_log_ratio"] <= limit
    assert learner["max_log_ratio"] > 0.0
    for name in ("clip_fraction", "mean_log_ratio", "kl_to_base", "task_distance", "entropy"):
        assert np.isfinite(learner[name]), name
    assert not np.array_equal(weights(algorithm), before)
    (sample,) = algorithm.env_runner.sample()
    family = categorical_over(sizes)
    assert sample.action_dist_inputs.dtype == sample.policy_inputs.dtype == np.float64
    step = family.from_parameters(torch.from_numpy(sample.action_dist_inputs))
    assert bool(step.valid().all())
    base, _ = np.split(sample.policy_inputs, 2, axis=-1)
    exact = FrozenPolicy(base_of(sizes)).distribution(
        sample.observations[:-1, :, :STATES].reshape(-1, STATES).astype(np.float64)
    )
    assert np.array_equal(base.reshape(-1, sum(sizes)), exact.numbers.numpy())


@pytest.mark.parametrize("sizes", SIZES)
def test_it_learns_the_task_and_the_projection_keeps_its_share(build, sizes):
    """Exactly: the goal within T is more likely, and no more than the ratio permits."""
    algorithm = build(sizes, gamma=0.9)
    for _ in range(25):
        algorithm.train()
    base, task = base_of(sizes), algorithm.task_policy()
    mdp = as_mdp(random_mdp(0, STATES, math.prod(sizes)), base)
    behaviour = ProjectedBehaviour(
        FrozenPolicy(base), FrozenPolicy(task), constraint_from_json(CONSTRAINTS["ratio"])
    )
    before = mdp.violation(mdp.base, HORIZON)
    after = exact_law(behaviour, mdp, HORIZON).violation
    assert after < before - 0.005
    assert 1.0 - after <= (1.0 - before) * ALPHA**HORIZON


def test_without_a_base_it_is_ppo(build):
    algorithm = build((4,), constraint={"name": "unconstrained"}, base=False, entropy_coeff=0.01)
    mdp = random_mdp(0, STATES, 4)
    before = as_mdp(mdp, base_of((4,))).violation(as_mdp(mdp, base_of((4,))).base, HORIZON)
    for _ in range(25):
        learner = algorithm.train()["learners"][MODULE]
    found = as_mdp(mdp, algorithm.task_policy())
    assert found.violation(found.base, HORIZON) < before - 0.02
    assert 0.0 <= learner["entropy"] <= math.log(4)


def test_the_learner_refuses_a_probability_above_the_limit(build):
    algorithm = build((4,))
    for _ in range(3):
        algorithm.train()
    learner = algorithm.learner_group._learner
    (good,) = algorithm.env_runner.sample()
    inputs = good.action_dist_inputs.copy()
    base = categorical_over((4,)).from_numbers(np.split(good.policy_inputs, 2, axis=-1)[0])
    ratio = inputs / base.arrays()[0]
    ratio[~good.taken] = 0.0
    place = np.unravel_index(np.argmax(ratio), ratio.shape)
    assert ratio[place] > 0.999 * ALPHA
    other = (*place[:2], int(np.argmax(np.where(np.arange(4) == place[2], 0.0, inputs[place[:2]]))))
    inputs[place] += 2.0**-30
    inputs[other] -= 2.0**-30
    bad = dataclasses.replace(good, action_dist_inputs=inputs)
    with pytest.raises(ArithmeticError, match="outside the limit of the constraint"):
        learner.update(training_data=TrainingData(episodes=[bad]), num_epochs=1)
    learner.update(training_data=TrainingData(episodes=[good]), num_epochs=1)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_the_same_seed_gives_the_same_weights(gradient):
    def trained(seed: int) -> np.ndarray:
        algorithm = config((3, 2), gradient=gradient, seed=seed).build_algo()
        try:
            for _ in range(2):
                algorithm.train()
            return weights(algorithm)
        finally:
            algorithm.stop()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first, again, other = trained(3), trained(3), trained(4)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rllib_s_own_sampling_is_refused():
    with pytest.raises(UserError, match="leave sampling='arrays'"):
        config((4,), sampling="episodes").validate()


def test_the_entropy_of_a_squashed_action_is_not_a_categorical_s():
    with pytest.raises(UserError, match="entropy_target is about Gaussian actions"):
        config((4,), entropy_target=0.5).validate()


@pytest.mark.parametrize("name", ["gauss_renyi", "mean_shift"])
def test_bounds_for_gaussians_are_refused(name):
    record = {"name": name, **({"alpha": 1.2} if name == "gauss_renyi" else {"mu": 0.5})}
    with pytest.raises(UserError, match="categorical"):
        config((4,), constraint=record).validate()
