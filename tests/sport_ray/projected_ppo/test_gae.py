"""Advantages on arrays: against the definition, episode by episode, and against RLlib's."""

from __future__ import annotations

import numpy as np
import pytest
from ray.rllib.utils.postprocessing.value_predictions import compute_value_targets

from sport_ray.projected_ppo.gae import generalised_advantages

GAMMA, LAMBDA = 0.93, 0.8


def sampled(seed: int, steps: int = 40, count: int = 6):
    """Random fragments as a NEXT_STEP environment gives them: after an end one dummy row."""
    rng = np.random.default_rng(seed)
    terminated, truncated, taken = np.zeros((3, steps, count), dtype=bool)
    for env in range(count):
        over = False
        for step in range(steps):
            taken[step, env] = not over
            end = not over and rng.random() < 0.2
            terminated[step, env] = end and rng.random() < 0.5
            truncated[step, env] = end and not terminated[step, env]
            over = end
    rewards = rng.normal(size=(steps, count)) * taken
    values = rng.normal(size=(steps + 1, count)).astype(np.float32)
    return rewards, values, terminated, truncated, taken


def stretches(terminated, truncated, taken):
    """(env, first step, one past the last step) of every episode's part in the fragment."""
    steps, count = taken.shape
    for env in range(count):
        first = None
        for step in range(steps):
            if taken[step, env] and first is None:
                first = step
            if first is not None and (terminated | truncated)[step, env]:
                yield env, first, step + 1
                first = None
        if first is not None:
            yield env, first, steps


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_sum_of_the_definition(seed):
    rewards, values, terminated, truncated, taken = sampled(seed)
    got = generalised_advantages(
        rewards, values, terminated, truncated, gamma=GAMMA, lambda_=LAMBDA
    )
    covered = np.zeros_like(taken)
    for env, first, stop in stretches(terminated, truncated, taken):
        after = values[first : stop + 1, env].astype(float)
        after[-1] *= not terminated[stop - 1, env]
        residual = rewards[first:stop, env] + GAMMA * after[1:] - after[:-1]
        for step in range(stop - first):
            weights = (GAMMA * LAMBDA) ** np.arange(stop - first - step)
            expected = float(weights @ residual[step:])
            assert got[first + step, env] == pytest.approx(expected, rel=1e-12, abs=1e-12)
        covered[first:stop, env] = True
    assert np.array_equal(covered, taken)


@pytest.mark.parametrize("seed", range(5))
def test_targets_are_rllibs_to_float32(seed):
    rewards, values, terminated, truncated, taken = sampled(seed)
    got = generalised_advantages(
        rewards, values, terminated, truncated, gamma=GAMMA, lambda_=LAMBDA
    )
    for env, first, stop in stretches(terminated, truncated, taken):
        phantom = np.append(rewards[first:stop, env], 0.0).astype(np.float32)
        cut = truncated[first:stop, env].copy()
        cut[-1] |= not terminated[stop - 1, env]
        targets = compute_value_targets(
            values=values[first : stop + 1, env],
            rewards=phantom,
            terminateds=np.append(terminated[first:stop, env], False),
            truncateds=np.append(cut, False),
            gamma=GAMMA,
            lambda_=LAMBDA,
        )
        ours = got[first:stop, env] + values[first:stop, env]
        np.testing.assert_allclose(ours, targets[:-1], rtol=1e-6, atol=2e-6)


def test_lambda_one_without_a_critic_is_the_discounted_return():
    rewards = np.array([[1.0], [2.0], [4.0], [8.0]])
    no = np.zeros((4, 1), dtype=bool)
    end = no.copy()
    end[1] = True
    got = generalised_advantages(rewards, np.zeros((5, 1)), end, no, gamma=0.5, lambda_=1.0)
    assert got[:, 0].tolist() == [2.0, 2.0, 8.0, 8.0]


def test_a_cut_bootstraps_and_a_termination_does_not():
    rewards, values = np.zeros((1, 3)), np.array([[0.0] * 3, [10.0] * 3])
    terminated, truncated = np.array([[True, False, False]]), np.array([[False, True, False]])
    got = generalised_advantages(rewards, values, terminated, truncated, gamma=0.9, lambda_=0.9)
    assert got.tolist() == [[0.0, 9.0, 9.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((3, 2))}, r"values has shape \(3, 2\), expected \(4, 2\)"),
        ({"terminated": np.zeros((4, 2), dtype=bool)}, "terminated has shape"),
        ({"truncated": np.zeros((3, 1), dtype=bool)}, "truncated has shape"),
        ({"rewards": np.array([[0.0, 0.0], [0.0, np.nan], [0.0, 0.0]])}, r"rewards\[1, 1\] is nan"),
        ({"values": np.full((4, 2), np.inf)}, r"values\[0, 0\] is inf"),
        ({"gamma": 1.5}, "gamma"),
        ({"lambda_": -0.1}, "lambda_"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    no = np.zeros((3, 2), dtype=bool)
    good = {
        "rewards": np.zeros((3, 2)),
        "values": np.zeros((4, 2)),
        "terminated": no,
        "truncated": no,
        "gamma": 0.9,
        "lambda_": 0.9,
    }
    assert not generalised_advantages(**good).any()
    with pytest.raises(ValueError, match=message):
        generalised_advantages(**good | change)
