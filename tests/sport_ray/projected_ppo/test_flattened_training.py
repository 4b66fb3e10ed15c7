"""Training sees the vectors that scenarios see, whatever the environment's observation is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from sport_ray.envs.flatten import Flattening, flattening_of
from sport_ray.envs.making import make_environment
from sport_ray.envs.vector_stepping import training_seeds
from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.environment import TrainingEnvironment
from tests.sport_ray.envs.nested import NESTED, NESTED_NATIVE, NESTED_SIZE, NESTED_SPACE, register

register()
FLATTENING = Flattening.needed(NESTED, NESTED_SPACE)
SPEC = PolicySpec(observation_size=NESTED_SIZE, action_size=1, hidden=(8,), flattening=FLATTENING)


def context(env_id: str, **more: Any) -> dict[str, Any]:
    given = FLATTENING.model_dump(mode="json")
    return {"env_id": env_id, "kwargs": {}, "squash": "tanh", "flattening": given, **more}


@pytest.mark.parametrize("env_id", [NESTED, NESTED_NATIVE])
@pytest.mark.parametrize("constraint", [None, {"name": "pathwise_spread", "log_budget": 0.5}])
def test_copies_and_an_authors_vector_give_what_single_ones_give(env_id, constraint):
    more = {} if constraint is None else {"constraint": constraint}
    vector = TrainingEnvironment(context(env_id, num_envs=3, **more))
    seen, _ = vector.reset(seed=5)
    singles = [make_environment(NESTED, {}, 10) for _ in range(3)]
    pairs = zip(singles, training_seeds(5, 3), strict=True)
    want = np.stack([one.reset(seed=seed)[0] for one, seed in pairs])
    np.testing.assert_array_equal(seen[:, :NESTED_SIZE], want)
    assert seen.shape[1] == NESTED_SIZE + (0 if constraint is None else 2)
    drawn = np.array([[0.4], [-0.3], [0.1]], np.float32)
    given = drawn if constraint is None else np.concatenate([drawn, np.zeros((3, 1))], axis=1)
    seen, *_ = vector.step(given)
    actions = np.tanh(drawn.astype(np.float64))
    want = np.stack([one.step(a)[0] for one, a in zip(singles, actions, strict=True)])
    np.testing.assert_array_equal(seen[:, :NESTED_SIZE], want)


def test_a_policy_for_other_observations_is_refused():
    other = Flattening.needed("e", spaces.MultiBinary(NESTED_SIZE))
    for given in (None, other.model_dump(mode="json")):
        for more in ({}, {"num_envs": 2}):
            with pytest.raises(UserError, match="the policy was made for"):
                TrainingEnvironment({**context(NESTED, **more), "flattening": given})


def test_the_config_passes_the_policys_on():
    config = ProjectedPPOConfig().environment(NESTED)
    config.training(base=PolicyNetwork(SPEC), alpha=1.5).validate()
    assert Flattening.model_validate(config.env_config["flattening"]) == FLATTENING
    made = TrainingEnvironment({**config.env_config, "num_envs": 1})
    assert made.single_observation_space.shape == (NESTED_SIZE,)
    assert flattening_of(make_environment(NESTED, {}, 5).observation_space) == FLATTENING


@pytest.mark.slow
def test_a_few_iterations_train_and_keep_the_space(local_ray):
    config = ProjectedPPOConfig().environment(NESTED).debugging(seed=3)
    config.env_runners(num_envs_per_env_runner=4)
    config.training(
        base=PolicyNetwork(SPEC),
        alpha=1.5,
        train_batch_size_per_learner=64,
        minibatch_size=32,
        warmup_env_steps=0,
    )
    algorithm = config.build_algo()
    try:
        for _ in range(2):
            algorithm.train()
        policy = algorithm.task_policy()
    finally:
        algorithm.stop()
    assert policy.spec.flattening == FLATTENING
    assert not all(
        bool((one == two).all())
        for one, two in zip(policy.parameters(), PolicyNetwork(SPEC).parameters(), strict=True)
    )
