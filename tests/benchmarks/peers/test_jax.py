"""The JAX program is an equivalent: the same robot, the same projection, and it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.peers.settings import ACTOR, ENV_KWARGS, SETTINGS
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.families.gaussian import Gaussian
from sport_ray.families.gaussian.projection import kl_divergence, max_log_ratio, project_kl
from sport_ray.policies import load_policy

jax = pytest.importorskip("jax", reason="the benchmark extra is not installed")

from benchmarks.peers import jax_ppo, jax_robot  # noqa: E402
from benchmarks.peers.jax_projection import project  # noqa: E402


def test_robot_moves_and_sees_as_the_simulator_where_turning_is_saturated():
    count = 64
    rng = np.random.default_rng(0)
    simulator = PointReachAvoidSimulator(count, **ENV_KWARGS)
    seen, _ = simulator.reset(np.arange(count), [rng] * count)
    state = jax.numpy.tile(jax_robot.start(), (count, 1))
    np.testing.assert_allclose(jax.vmap(jax_robot.observe)(state)[0], seen, atol=1e-5)
    advance, observe = (jax.jit(jax.vmap(f)) for f in (jax_robot.advance, jax_robot.observe))
    for _ in range(15):
        action = rng.uniform(-1.0, 1.0, (count, 2))
        action[:, 1] = np.where(action[:, 1] < 0.0, -1.0, 1.0)
        step = simulator.step(np.arange(count), action)
        state = advance(state, action.astype(np.float32))
        found, distance = observe(state)
        np.testing.assert_allclose(
            state[:, :2], simulator.poses(np.arange(count))[:, :2], atol=1e-4
        )
        np.testing.assert_allclose(distance, 0.3 - step.signals[:, 1], atol=1e-4)
        np.testing.assert_array_equal(jax_robot.reached(distance), step.signals[:, 1] >= 0.0)
        own = np.asarray(found)
        np.testing.assert_allclose(own[:, :12], step.obs[:, :12], atol=2e-3)
        # A bin's edge is a jump: what float32 puts into the neighbour is compared as a sum.
        for start in (12, 28):
            bins = slice(start, start + 16)
            np.testing.assert_allclose(own[:, bins].sum(1), step.obs[:, bins].sum(1), atol=1e-3)


def test_projection_is_the_projects_own_to_float32():
    rng = np.random.default_rng(0)
    rows, dims = 4_000, 2
    mean_base = rng.normal(size=(rows, dims))
    std_base = np.exp(rng.uniform(-2.0, 1.0, (rows, dims)))
    mean = mean_base + std_base * rng.normal(size=(rows, dims)) * rng.uniform(0.05, 2.0, (rows, 1))
    std = std_base * np.exp(rng.normal(size=(rows, dims)) * 0.5)
    given = [x.astype(np.float32) for x in (mean_base, std_base, mean, std)]
    limit = np.log(rng.choice([1.05, 1.2, 1.5, 3.0, 10.0, 100.0], rows))
    found = jax.jit(jax.vmap(project))(*given, limit.astype(np.float32))
    found = [torch.tensor(np.asarray(x)) for x in found]
    base, task = (tuple(map(torch.from_numpy, pair)) for pair in (given[:2], given[2:]))
    best = project_kl(*base, *task, torch.from_numpy(limit))
    excess = max_log_ratio(*found, *base).numpy() - limit
    assert np.quantile(excess, 0.99) < 1e-3  # float32 without the inward rounding
    own, least = kl_divergence(*found, *task), kl_divergence(*best, *task)
    assert float((own - least).abs().max()) < 1e-2
    untouched = (best[0] == task[0]).all(-1) & (best[1] == task[1]).all(-1)
    assert 0.0 < float(untouched.float().mean()) < 1.0
    assert torch.equal(found[0][untouched], task[0][untouched])


def test_policy_network_gives_the_bases_numbers():
    setting = SETTINGS["paper"]
    program = jax_ppo.Program(setting)
    rows = np.random.default_rng(0).normal(size=(32, ACTOR[0])).astype(np.float32)
    mean, std = program.head(jax_ppo.mlp(program.base, rows))
    with torch.no_grad():
        known: Gaussian = load_policy(setting.base_folder).network(torch.from_numpy(rows))
    np.testing.assert_allclose(mean, known.mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(std, known.std, rtol=1e-3)


@pytest.mark.slow
def test_a_wide_bound_lets_a_cell_learn_what_a_bound_of_one_does_not():
    engine = jax_ppo.JaxCohort(SETTINGS["quickstart"], 2)
    engine.runs = engine.runs._replace(log_alpha=jax.numpy.log(jax.numpy.array([1.0, 100.0])))
    rewards = []
    for _ in range(30):  # the quickstart's 60,000 steps
        engine.measure(0.0)
        rewards.append(np.asarray(engine.rewards).mean(axis=1))
    first, last = np.mean(rewards[:5], axis=0), np.mean(rewards[-5:], axis=0)
    assert last[1] > 1.1 * first[1]
    assert abs(last[0] - first[0]) < 0.05 * first[0]
