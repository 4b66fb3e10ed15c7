"""Noise: whose it is, what it does, and that without it nothing changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from sport_ray.bounds import anytime_lower_bound, ratio_bound, scenario_bound
from sport_ray.envs.disturbances import BLOCK
from sport_ray.envs.layouts import FIXED_LAYOUT, sample_layout
from sport_ray.envs.perturbation import perturbation_ratios
from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.policies import FrozenPolicy, load_policy

ROOT = Path(__file__).parents[3]
NOISE = {
    "actuation_noise": (0.02, 0.3),
    "actuation_bias": (0.01, -0.1),
    "start_noise": (0.05, 0.1, 0.2),
    "start_bias": (0.0, 0.02, -0.1),
}


def generators(count, first=0):
    return [np.random.default_rng(first + i) for i in range(count)]


@pytest.mark.parametrize(("layout", "drawn"), [("fixed", 0), ("random", 7)])
@pytest.mark.parametrize("bias", [{}, {"actuation_bias": 0.1, "start_bias": 0.1}])
def test_without_noise_nothing_more_is_drawn(layout, drawn, bias):
    zeros = {"actuation_noise": 0.0, "start_noise": [0.0, 0.0, 0.0]}
    simulator = PointReachAvoidSimulator(3, layout=layout, **zeros, **bias)
    rngs, expected = generators(3), generators(3)
    simulator.reset([0, 1, 2], rngs)
    for _ in range(BLOCK + 2):
        simulator.step([0, 1, 2], np.zeros((3, 2)))
    for rng, other in zip(rngs, expected, strict=True):
        other.random(drawn)
        assert rng.bit_generator.state == other.bit_generator.state


def test_without_noise_the_recordings_are_reproduced_to_the_bit(recorded, replay):
    """The robot that is not told of noise is the one of the recordings (``test_simulator``)."""
    slots = np.arange(24)
    zeros = dict.fromkeys(NOISE, 0.0)
    simulator = PointReachAvoidSimulator(24, end_on_violation=False, **zeros)
    for slot in slots:
        simulator.set_state(
            slot, recorded["init"][slot], recorded["goal"][slot], recorded["hazard"][slot]
        )
    for t in range(60):
        result = simulator.step(slots, recorded["actions"][:, t])
        np.testing.assert_array_equal(result.obs, replay.obs[:, t])


@pytest.mark.parametrize("layout", ["fixed", "random"])
def test_noise_is_added_to_the_start_and_to_actions_before_they_are_clipped(layout):
    """The same robot without noise, given the noise by hand from an equal generator."""
    noisy = PointReachAvoidSimulator(1, layout=layout, **NOISE)
    plain = PointReachAvoidSimulator(1, layout=layout)
    rng, actions = np.random.default_rng(3), np.random.default_rng(4).uniform(-1, 1, (70, 1, 2))
    noisy.reset([0], [np.random.default_rng(3)])
    start = sample_layout(rng) if layout == "random" else FIXED_LAYOUT
    shift = np.array(NOISE["start_bias"]) + np.array(NOISE["start_noise"]) * rng.standard_normal(3)
    plain.set_state(0, np.array(start.pose) + shift, start.goal, start.hazard)
    np.testing.assert_array_equal(noisy.poses([0]), plain.poses([0]))
    clipped = 0
    for block in range(3):
        for t, z in enumerate(rng.standard_normal((BLOCK, 2))):
            if block * BLOCK + t >= len(actions):
                break
            action = actions[block * BLOCK + t]
            given = action + np.array(NOISE["actuation_noise"]) * z + NOISE["actuation_bias"]
            clipped += (np.abs(given) > 1.0).any()
            got, want = noisy.step([0], action), plain.step([0], np.clip(given, -1.0, 1.0))
            np.testing.assert_array_equal(got.obs, want.obs)
    assert clipped > 0


def test_bias_alone_shifts():
    biased = PointReachAvoidSimulator(1, actuation_bias=(0.01, 0.5), start_bias=(0.1, 0.0, 0.2))
    plain = PointReachAvoidSimulator(1)
    biased.reset([0], generators(1))
    x, y, heading = FIXED_LAYOUT.pose
    plain.set_state(0, (x + 0.1, y, heading + 0.2), FIXED_LAYOUT.goal, FIXED_LAYOUT.hazard)
    action = np.array([[0.02, -0.3]])
    for _ in range(3):
        np.testing.assert_array_equal(
            biased.step([0], action).obs, plain.step([0], action + np.array([0.01, 0.5])).obs
        )


def test_noise_has_the_stated_law():
    """Mean and std of 4,000 starts, and of the pushes of 4,000 first steps."""
    count = 4_000
    simulator = PointReachAvoidSimulator(
        count, actuation_noise=(0.01, 0.0), start_noise=(0.1, 0.2, 0.05), start_bias=(0.3, 0, 0)
    )
    slots = np.arange(count)
    simulator.reset(slots, generators(count))
    shifts = simulator.poses(slots) - FIXED_LAYOUT.pose
    std = np.array([0.1, 0.2, 0.05])
    assert (np.abs(shifts.mean(axis=0) - [0.3, 0, 0]) < 4.5 * std / np.sqrt(count)).all()
    np.testing.assert_allclose(shifts.std(axis=0), std, rtol=0.05)
    simulator.set_state(0)  # stays where it is: only its own robot restarts
    speeds = simulator.step(slots, np.zeros((count, 2))).obs[:, 3]
    unit = PointReachAvoidSimulator(1)
    unit.reset([0], generators(1))
    speed = unit.step([0], [[0.01, 0.0]]).obs[0, 3]  # below the clipping at 0.05 it is linear
    assert abs(speeds.mean() / speed) < 4.5 / np.sqrt(count)
    assert speeds.std() / speed == pytest.approx(1.0, rel=0.05)


def test_outcomes_do_not_depend_on_the_other_slots():
    """Bit for bit: all at once, in another order among more slots, or alone with other pauses."""
    kwargs = {"layout": "random", "horizon": 20, **NOISE}
    actions = np.random.default_rng(5).uniform(-1.2, 1.2, (45, 16, 2))
    slots = np.arange(16)
    together, shuffled = (PointReachAvoidSimulator(n, **kwargs) for n in (16, 24))
    order = np.random.default_rng(6).permutation(16)
    first = together.reset(slots, generators(16))[0]
    again = shuffled.reset(order + 8, [generators(16)[i] for i in order])[0]
    np.testing.assert_array_equal(again, first[order])
    results = [together.step(slots, a) for a in actions]
    for a, expected in zip(actions, results, strict=True):
        for i in order:  # one call each, so that blocks of noise are drawn at other times
            got = shuffled.step([i + 8], a[[i]])
            np.testing.assert_array_equal(got.obs[0], expected.obs[i])
    alone = PointReachAvoidSimulator(1, **kwargs)
    for slot in (0, 9):
        alone.reset([0], generators(1, 99))
        alone.step([0], actions[0, :1])  # an unfinished episode leaves nothing behind
        alone.reset([0], [generators(16)[slot]])
        for a, expected in zip(actions, results, strict=True):
            np.testing.assert_array_equal(alone.step([0], a[[slot]]).obs[0], expected.obs[slot])


def test_the_vector_environment_equals_single_ones():
    kwargs = {"layout": "random", "horizon": 30, **NOISE}
    ours = PointReachAvoidVectorEnv(num_envs=6, **kwargs)
    theirs = SyncVectorEnv([lambda: PointReachAvoidEnv(**kwargs)] * 6)
    rng = np.random.default_rng(2)
    for seed in (11, None):
        np.testing.assert_array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
        ends = 0
        for _ in range(75):
            actions = rng.uniform([-0.02, -1.0], [0.1, 1.0], (6, 2))
            got, want = ours.step(actions), theirs.step(actions)
            for g, w in zip(got[:4], want[:4], strict=True):
                np.testing.assert_array_equal(g, w)
            np.testing.assert_array_equal(got[4]["pose"], want[4]["pose"])
            ends += (got[2] | got[3]).sum()
        assert ends >= 12


def test_a_seed_determines_the_noise_and_a_given_pose_gets_none():
    env = PointReachAvoidEnv(**NOISE)

    def episode(seed, **options):
        poses = [env.reset(seed=seed, options=options)[1]["pose"]]
        return np.array(poses + [env.step([0.0, 1.0])[4]["pose"] for _ in range(5)])

    np.testing.assert_array_equal(episode(1), episode(1))
    assert (episode(1) != episode(2)).all()
    given = episode(1, pose=(0.1, 0.2, 0.3))
    assert given[0].tolist() == [0.1, 0.2, 0.3]
    assert (given[1:] != episode(2, pose=(0.1, 0.2, 0.3))[1:]).all()


def test_a_slot_without_a_generator_is_refused_before_anything_moves():
    simulator = PointReachAvoidSimulator(2, actuation_noise=0.1)
    rng = np.random.default_rng(0)
    simulator.reset([0], [rng])
    before, state = simulator.poses([0, 1]), rng.bit_generator.state
    with pytest.raises(ValueError, match=r"^slots: 1 must be reset before"):
        simulator.step([0, 1], np.zeros((2, 2)))
    np.testing.assert_array_equal(simulator.poses([0, 1]), before)
    assert rng.bit_generator.state == state


def violations(kwargs: dict, count: int, horizon: int, seed: int) -> int:
    """How many of ``count`` episodes of the shipped base policy violate within ``horizon``."""
    base = FrozenPolicy(load_policy(ROOT / "experiments/bases/point_reach_avoid").network)
    slots = np.arange(count)
    simulator = PointReachAvoidSimulator(count, **kwargs)
    obs, _ = simulator.reset(slots, generators(count, seed))
    noise = np.random.default_rng(seed - 1)
    reached, entered = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for _ in range(horizon):
        mean, std = base.distribution(obs).arrays()
        result = simulator.step(slots, np.tanh(mean + std * noise.standard_normal(mean.shape)))
        obs, (hazard, goal) = result.obs, (result.signals >= 0.0).T
        entered |= hazard & ~reached
        reached |= goal & ~entered
    return int((~reached).sum())


@pytest.mark.slow
def test_the_robust_bound_holds_for_the_shipped_base_policy():
    """Certified with noise 0.2, deployed with less noise and a bias: ε_base α_μ α_p^T holds."""
    count, horizon = 2_000, 20
    base = {"actuation_noise": 0.2, "start_noise": 0.05}
    deployed = {
        "actuation_noise": 0.197,
        "actuation_bias": (-0.005, 0.005),
        "start_noise": 0.045,
        "start_bias": (0.005, 0.0, 0.01),
    }
    alpha_mu, alpha_p = perturbation_ratios(base, deployed)
    eps_base = scenario_bound(count, violations(base, count, horizon, 10_000), 1e-3)
    bound = ratio_bound(eps_base, 1.0, horizon, alpha_mu=alpha_mu, alpha_p=alpha_p)
    assert eps_base < bound < 0.25  # it says something
    found = violations(deployed, count, horizon, 90_000)
    assert scenario_bound(count, found, 1e-3) < bound
    # In a world further away the same number does not hold: the comparison could have failed.
    broken = violations({**base, "actuation_bias": (-0.6, 0.0)}, count, horizon, 90_000)
    assert anytime_lower_bound(count, broken, 1e-3) > bound
