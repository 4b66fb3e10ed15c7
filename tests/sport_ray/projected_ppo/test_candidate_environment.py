"""Candidates beside the observation: of the base, drawn before they are seen, played as drawn."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import VectorEnv
from scipy import stats

from sport_ray.policies import FrozenPolicy, PolicyFile, policy_digest
from sport_ray.projected_ppo.candidate_environment import CandidateVectorEnv
from sport_ray.projected_ppo.environment import TrainingEnvironment
from sport_ray.random_streams import stream
from sport_ray.samplers import PolicySampler

ENV = "sport_ray/PointReachAvoid-v0"
M, N = 5, 3


def context(base, **more):
    return {
        "env_id": ENV,
        "kwargs": {"horizon": 6, "layout": "random"},
        **base.spec.action_mapping.to_json(),
        "num_envs": N,
        **more,
    }


@pytest.fixture
def make(small_base):
    def made(**more) -> VectorEnv:
        choice = {"base": PolicyFile(small_base, policy_digest(small_base), {}), "count": M}
        return TrainingEnvironment(context(small_base, candidates=choice, **more))

    return made


def layer_of(env) -> CandidateVectorEnv:
    while not isinstance(env, CandidateVectorEnv):
        env = env.env
    return env


def test_what_is_played_is_the_candidate_that_was_chosen(make, small_base):
    """Beside an environment that is given those actions themselves, over ends and resets."""
    env, plain = make(), TrainingEnvironment(context(small_base))
    seen, expected = env.reset(seed=4)[0], plain.reset(seed=4)[0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert seen.shape == (N, 44 + M * 2)
        np.testing.assert_array_equal(seen[:, :44], expected)
        raw = layer_of(env)._candidates
        np.testing.assert_array_equal(seen[:, 44:].reshape(N, M, 2), np.tanh(raw))
        index = rng.integers(M, size=N)
        seen, *outcome, _ = env.step(index[:, None])
        expected, *other, _ = plain.step(raw[np.arange(N), index])
        for ours, theirs in zip(outcome, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_candidates_are_the_base_s_in_the_state_that_is_shown(make, small_base):
    """By the sampler's own function, from the stream of the seed and its use."""
    env, sampler = make(), PolicySampler(FrozenPolicy(small_base))
    seen, _ = env.reset(seed=11)
    generator = stream(11, "candidates")
    for _ in range(8):
        expected = sampler.sample_many(seen[:, :44], M, [generator] * N)
        np.testing.assert_array_equal(layer_of(env)._candidates, expected)
        seen = env.step(np.zeros((N, 1)))[0]


def test_any_fixed_index_plays_the_base_s_law(make, small_base):
    """The last candidate's share of the base's own distribution function is uniform."""
    env, base = make(), FrozenPolicy(small_base)
    seen, _ = env.reset(seed=1)
    shares = []
    for _ in range(300):
        mean, std = base.distribution(seen[:, :44]).arrays()
        shares.append(stats.norm.cdf((layer_of(env)._candidates[:, -1] - mean) / std))
        seen = env.step(np.full((N, 1), M - 1.0))[0]
    assert stats.kstest(np.ravel(shares), "uniform").pvalue > 1e-3


def test_the_seed_gives_the_candidates_and_a_reset_without_one_goes_on(make):
    first, second, third = (make() for _ in range(3))
    assert np.array_equal(first.reset(seed=3)[0], second.reset(seed=3)[0])
    assert not np.array_equal(third.reset(seed=4)[0], first.reset(seed=3)[0])
    once, again = first.reset()[0], first.reset()[0]
    assert not np.isin(once[:, 44:], again[:, 44:]).any()


@pytest.mark.parametrize("bad", [[[0.0]] * 2, [[M]] * N, [[-1]] * N, [[0.5]] * N, [[np.nan]] * N])
def test_what_is_no_index_is_refused(make, bad):
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions must be indices 0 … 4 of shape \(3, 1\)"):
        env.step(np.array(bad))


def test_a_budget_goes_around_it(make):
    record = {"name": "pathwise_all", "log_budget": 1.0}
    env = make(constraint=record)
    seen, _ = env.reset(seed=0)
    assert seen.shape == (N, 44 + M * 2 + 2)
    np.testing.assert_array_equal(seen[:, -1], 1.0)
    seen = env.step(np.array([[0.0, 0.0], [1.0, 0.25], [4.0, 0.5]]))[0]
    assert seen[0, -1] == 1.0
    np.testing.assert_allclose(seen[1:, -1], [0.75, 0.5], atol=1e-6)
    assert (seen[1:, -1] <= [0.75, 0.5]).all()
