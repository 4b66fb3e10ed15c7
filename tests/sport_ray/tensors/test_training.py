"""Projected PPO in tensors takes the steps that it takes in the ordinary environment."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.tensors import PointRobot, register_tensor_environment

ROBOT = "sport_ray_tests/TrainedRobot-v0"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def trained(env_id: str, base, constraint: dict, sampling: str) -> tuple[np.ndarray, dict]:
    """Weights after three iterations, and the last result."""
    algorithm = (
        ProjectedPPOConfig()
        .environment(env_id, env_config={"horizon": 20, "end_on_violation": False})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
        .training(
            base=base,
            constraint=constraint,
            sampling=sampling,
            warmup_env_steps=0,
            lr=1e-2,
            train_batch_size=320,
            minibatch_size=80,
        )
        .debugging(seed=3, log_level="ERROR")
        .build_algo()
    )
    try:
        for _ in range(3):
            result = algorithm.train()
        network = algorithm.task_policy()
    finally:
        algorithm.stop()
    weights = [value.detach().numpy().ravel() for value in network.parameters()]
    return np.concatenate(weights), result


@pytest.mark.parametrize(
    ("constraint", "sampling"),
    [
        ({"name": "ratio", "alpha": 1.2}, "arrays"),
        ({"name": "ratio", "alpha": 1.2}, "episodes"),
        ({"name": "pathwise_all", "log_budget": 1.5}, "arrays"),
    ],
    ids=str,
)
def test_the_robot_learns_the_same_weights_in_tensors(small_base, constraint, sampling):
    """On the fixed layout nothing is drawn by the environment: all else must be the same."""
    register_tensor_environment(ROBOT, PointRobot)
    mine, result = trained(ROBOT, small_base, constraint, sampling)
    wanted, ordinary = trained("sport_ray/PointReachAvoid-v0", small_base, constraint, sampling)
    np.testing.assert_array_equal(mine, wanted)
    before = np.concatenate([p.detach().numpy().ravel() for p in small_base.parameters()])
    assert len(mine) != len(before) or not np.array_equal(mine, before)
    for name in ("num_episodes_lifetime", "num_violating_episodes_lifetime"):
        assert result["env_runners"][name] == ordinary["env_runners"][name]
        assert result["env_runners"][name] >= 0  # counted, not left out
