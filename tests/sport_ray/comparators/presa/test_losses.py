"""The losses against numbers worked out by hand, brute force, differences; the multiplier."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.comparators.presa.losses import (
    Multiplier,
    preference_loss,
    safety_loss,
    segment_log_ratio,
)
from sport_ray.policies import PolicyNetwork, PolicySpec


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_segments_score_is_discounted_from_its_first_step():
    log_ratio = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, -8.0]], dtype=torch.float64)
    assert segment_log_ratio(log_ratio, 0.5).tolist() == [3.0, -2.0]
    assert segment_log_ratio(log_ratio, 1.0).tolist() == [7.0, -8.0]


def test_preference_loss_by_hand():
    """S⁺ = ½·1, S⁻ = ½·(−1), bias ½: −log(e^0.5/(e^0.5 + e^−0.25)) = log(1 + e^−0.75)."""
    got = preference_loss(doubles(1.0), doubles(-1.0), temperature=0.5, bias=0.5)
    assert got.item() == pytest.approx(0.3868710, abs=1e-7)
    assert got.item() == pytest.approx(math.log1p(math.exp(-0.75)), rel=1e-14)
    # Nothing is known of a pair while the policy is the reference.
    zero = preference_loss(doubles(0.0), doubles(0.0), temperature=0.3, bias=0.5)
    assert zero.item() == pytest.approx(math.log(2.0), rel=1e-15)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 1.0), (0.3, 0.5), (2.0, 0.0)])
def test_preference_loss_is_its_definition(temperature, bias):
    rng = np.random.default_rng(1)
    preferred, other = rng.normal(scale=3.0, size=(2, 50))
    plus, minus = np.exp(temperature * preferred), np.exp(bias * temperature * other)
    wanted = -np.log(plus / (plus + minus)).mean()
    got = preference_loss(
        torch.from_numpy(preferred), torch.from_numpy(other), temperature=temperature, bias=bias
    )
    assert got.item() == pytest.approx(wanted, rel=1e-12)


def test_scores_far_beyond_exp_are_no_overflow():
    got = preference_loss(doubles(-5e4, 5e4), doubles(5e4, -5e4), temperature=1.0, bias=1.0)
    assert got.item() == pytest.approx(5e4)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_safety_loss_is_its_definition(margin):
    log_ratio = np.random.default_rng(2).normal(size=(9, 4))
    unsafe = np.array([True, False, False, True, False, False, False, False, False])

    def sigmoid(x: float) -> float:
        return 1.0 / (1.0 + math.exp(-x))

    z = log_ratio.mean(axis=1)
    safe = [-math.log(sigmoid(2.0 * (value - margin))) for value in z[~unsafe]]
    bad = [-math.log(sigmoid(-2.0 * (value + margin))) for value in z[unsafe]]
    options = {"scale": 2.0, "margin": margin, "safe_weight": 0.3}
    got = safety_loss(torch.from_numpy(log_ratio), torch.from_numpy(unsafe), **options)
    assert got.item() == pytest.approx(0.3 * np.mean(safe) + 0.7 * np.mean(bad), rel=1e-13)
    zero = torch.zeros(9, 4, dtype=torch.float64)
    reference = safety_loss(zero, torch.from_numpy(unsafe), **options)
    assert reference.item() == pytest.approx(math.log1p(math.exp(2.0 * margin)), rel=1e-13)


def test_safety_loss_falls_where_it_should():
    """Likelier safe segments and less likely unsafe ones, each alone, make it smaller."""
    unsafe = torch.tensor([False, True])

    def loss(safe: float, bad: float) -> float:
        log_ratio = torch.tensor([[safe] * 3, [bad] * 3], dtype=torch.float64)
        return safety_loss(log_ratio, unsafe, scale=1.0, margin=0.0, safe_weight=0.4).item()

    assert loss(1.0, 0.0) < loss(0.0, 0.0) < loss(-1.0, 0.0)
    assert loss(0.0, -1.0) < loss(0.0, 0.0) < loss(0.0, 1.0)


def test_gradients_with_respect_to_weights_are_finite_differences():
    """The whole objective through a network, in float64."""
    torch.manual_seed(5)
    spec = PolicySpec(observation_size=3, action_size=2, hidden=(5,), activation="tanh")
    network = PolicyNetwork(spec).double()
    observations = torch.randn(6, 4, 3, dtype=torch.float64)
    actions = torch.randn(6, 4, 2, dtype=torch.float64)
    reference = torch.randn(6, 4, dtype=torch.float64)
    unsafe = torch.tensor([True, False, True, False, False, True])

    def objective() -> torch.Tensor:
        density = network(observations).log_prob(actions)
        log_ratio = density - reference
        sums = segment_log_ratio(log_ratio, 0.9)
        pref = preference_loss(sums[:3], sums[3:], temperature=0.4, bias=0.5)
        safe = safety_loss(log_ratio, unsafe, scale=1.5, margin=0.2, safe_weight=0.4)
        return pref + 0.7 * safe - 0.1 * density.mean()

    objective().backward()
    checked = 0
    for parameter in network.parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for index in range(len(flat)):
            value = flat[index].item()
            step = 1e-6
            flat[index] = value + step
            above = objective().item()
            flat[index] = value - step
            below = objective().item()
            flat[index] = value
            numeric = (above - below) / (2.0 * step)
            assert gradient[index].item() == pytest.approx(numeric, rel=1e-5, abs=1e-8)
            checked += 1
    assert checked == 3 * 5 + 5 + 5 * 4 + 4


# The multiplier: up while the constraint is violated, down while there is room, never below 0


def multiplier(value: float = 1.0, rate: float = 0.5, largest: float = 3.0) -> Multiplier:
    return Multiplier(value, rate, target=0.4, largest=largest)


def test_it_rises_while_the_constraint_is_violated():
    nu = multiplier()
    values = [nu.update(0.6) for _ in range(5)]
    assert values == pytest.approx([1.1, 1.2, 1.3, 1.4, 1.5])


def test_it_falls_while_there_is_room_and_stops_at_zero():
    nu = multiplier()
    assert [nu.update(0.0) for _ in range(6)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0, 0.0])


def test_at_the_target_it_stays():
    assert multiplier().update(0.4) == 1.0


def test_it_stops_at_the_largest():
    nu = multiplier()
    assert [nu.update(9.0) for _ in range(2)] == [3.0, 3.0]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error(loss):
    nu = multiplier()
    with pytest.raises(ArithmeticError, match="multiplier"):
        nu.update(loss)
    assert nu.value == 1.0
