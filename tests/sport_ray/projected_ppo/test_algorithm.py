"""Projected PPO end to end on the point robot: bounds kept, base untouched, metrics logged."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios

ENV = "sport_ray/PointReachAvoid-v0"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


@pytest.fixture(params=["arrays", "episodes"])
def sampling(request) -> str:
    return request.param


def config(base, sampling, *, runners=0, alpha=1.2, warmup=0, seed=3) -> ProjectedPPOConfig:
    return (
        ProjectedPPOConfig()
        .environment(ENV, env_config={"horizon": 20, "end_on_violation": False})
        .env_runners(num_env_runners=runners, num_envs_per_env_runner=8)
        .training(
            base=base,
            sampling=sampling,
            warmup_env_steps=warmup,
            lr=1e-2,
            train_batch_size=320,
            minibatch_size=80,
            alpha=alpha,
        )
        .debugging(seed=seed, log_level="ERROR")
    )


def weights(network) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in network.parameters()])


@pytest.mark.parametrize("runners", [0, 2])
def test_every_stored_ratio_is_within_alpha(small_base, sampling, runners):
    algorithm = config(small_base, sampling, runners=runners).build_algo()
    try:
        before = algorithm.base_fingerprint()
        for _ in range(3):
            result = algorithm.train()
        learner = result["learners"]["default_policy"]
        assert 0.0 < learner["max_log_ratio"] <= math.log(1.2)
        assert 0.0 < learner["projected_share"] <= 1.0
        for name in ("clip_fraction", "mean_log_ratio", "kl_to_base", "task_distance"):
            assert np.isfinite(learner[name]), name
        assert algorithm.base_fingerprint() == before
        assert not np.array_equal(weights(algorithm.task_policy()), weights(small_base))
    finally:
        algorithm.stop()


def test_warm_up_leaves_the_policy_and_fits_the_critic(small_base, sampling):
    algorithm = config(small_base, sampling, warmup=10_000).build_algo()
    try:
        losses = [
            float(algorithm.train()["learners"]["default_policy"]["vf_loss"]) for _ in range(8)
        ]
        assert np.array_equal(weights(algorithm.task_policy()), weights(small_base))
        assert losses[-1] < losses[0]
    finally:
        algorithm.stop()


def test_alpha_one_samples_the_base_itself(small_base, sampling):
    algorithm = config(small_base, sampling, alpha=1.0).build_algo()
    try:
        result = [algorithm.train() for _ in range(2)][-1]
        learner = result["learners"]["default_policy"]
        assert learner["max_log_ratio"] == 0.0
        assert learner["kl_to_base"] == 0.0
    finally:
        algorithm.stop()


def test_the_same_seed_gives_the_same_weights(small_base, sampling):
    def train() -> np.ndarray:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        algorithm = config(small_base, sampling).build_algo()
        try:
            for _ in range(2):
                algorithm.train()
            return weights(algorithm.task_policy())
        finally:
            algorithm.stop()
            torch.set_num_threads(threads)

    assert np.array_equal(train(), train())


def test_inference_sampling_is_stochastic_and_projected(small_base, sampling):
    algorithm = config(small_base, sampling).build_algo()
    try:
        algorithm.train()
        samples = algorithm.env_runner.sample(num_timesteps=80, explore=False)
        if sampling == "arrays":
            actions, inputs = samples[0].actions, samples[0].action_dist_inputs
            policies = samples[0].policy_inputs
        else:
            actions = np.concatenate([e.get_actions() for e in samples])
            inputs, policies = (
                np.concatenate([e.get_extra_model_outputs(name) for e in samples])
                for name in ("action_dist_inputs", "policy_inputs")
            )
        assert not np.allclose(actions, inputs[..., :2])
        step = Gaussian.from_parameters(torch.from_numpy(inputs))
        base, _ = torch.from_numpy(policies).chunk(2, dim=-1)
        assert float(step.max_log_ratio(Gaussian.from_parameters(base)).max()) <= math.log(1.2)
    finally:
        algorithm.stop()


def test_training_violations_are_counted(small_base, sampling):
    """A robot that starts inside the hazard's reach violates in every episode or in none."""
    algorithm = config(small_base, sampling).build_algo()
    try:
        results = [algorithm.train()["env_runners"] for _ in range(3)]
        counts = [r["num_violating_episodes_lifetime"] for r in results]
        episodes = results[-1]["num_episodes_lifetime"] + 8  # 8 may still be under way
        assert counts == sorted(counts)
        plan = ScenarioPlan(
            env_id=ENV, property="(!hazard) U goal", horizon=20, root_seed=0, purpose="base"
        )
        table = run_scenarios(plan, BaseBehaviour(FrozenPolicy(small_base)), 0, 500)
        rate = float((table.violated_at >= 0).mean())
        spread = 5.0 * math.sqrt(rate * (1.0 - rate) / episodes) + 0.05
        assert abs(counts[-1] / episodes - rate) < 0.2 + spread
    finally:
        algorithm.stop()
