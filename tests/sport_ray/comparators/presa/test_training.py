"""Training: the known answer of a small problem, the constraint's part in it, and repeatability."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sport_ray.comparators.presa import (
    AlignmentSettings,
    Segments,
    align,
    clone,
    make_segments,
    train_policy,
)
from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork
from sport_ray.policies.store import policy_digest
from tests.sport_ray.comparators.presa.conftest import UNSAFE_BEYOND, contextual_results

SETTINGS = AlignmentSettings(
    clone_steps=150,
    steps=400,
    lr=1e-2,
    temperature=1.0,
    bias=1.0,
    scale=2.0,
    safe_weight=0.0,
    safety_target=0.3,
    cloning_weight=0.02,
)
QUICK = replace(SETTINGS, clone_steps=20, steps=20)


@pytest.fixture(scope="module")
def reference(contextual_base: PolicyNetwork, contextual: Segments) -> PolicyNetwork:
    return clone(contextual_base, contextual, SETTINGS, seed=0)


@pytest.fixture(scope="module")
def aligned(reference: PolicyNetwork, contextual: Segments):
    return {
        name: align(reference, contextual, replace(SETTINGS, objective=name), seed=0)
        for name in ("presa", "preference_only", "behaviour_cloning")
    }


def test_a_clone_has_the_mean_of_the_data(reference):
    """a·s has mean ½ and std 1."""
    mean, _ = contextual_results(reference)
    assert mean == pytest.approx(0.5, abs=0.15)
    with torch.no_grad():
        std = reference(torch.tensor([[-1.0], [1.0]])).std
    assert std.numpy() == pytest.approx(1.0, abs=0.15)


def test_presa_goes_for_better_safe_actions_and_preferences_alone_the_unsafe_one(aligned):
    mean, unsafe = contextual_results(aligned["presa"].network)
    free_mean, free_unsafe = contextual_results(aligned["preference_only"].network)
    cloned_mean, cloned_unsafe = contextual_results(aligned["behaviour_cloning"].network)
    assert cloned_mean + 0.15 < mean < UNSAFE_BEYOND < free_mean
    assert unsafe < 0.6 * cloned_unsafe
    assert free_unsafe > 0.5


def test_the_constraint_is_met_and_only_where_it_is_asked_for(aligned):
    presa, free = aligned["presa"], aligned["preference_only"]
    assert presa.safety_loss <= SETTINGS.safety_target
    assert free.safety_loss > np.log(2.0)  # worse than the reference
    assert presa.multiplier is not None
    assert presa.multiplier < SETTINGS.multiplier_max
    assert free.multiplier is None
    assert np.isnan(free.history.multiplier).all()
    assert np.isnan(free.history.safety_loss).all()
    assert free.preference_accuracy > presa.preference_accuracy > 0.5


def test_the_multiplier_follows_the_constraint(aligned):
    """At every step: up iff the batch's safety loss is above the target, but for its bounds."""
    history = aligned["presa"].history
    nu = np.concatenate([[SETTINGS.multiplier_start], history.multiplier])
    moves, excess = np.diff(nu), history.safety_loss - SETTINGS.safety_target
    inside = (history.multiplier > 0.0) & (history.multiplier < SETTINGS.multiplier_max)
    np.testing.assert_allclose(
        moves[inside], SETTINGS.multiplier_rate * excess[inside], rtol=1e-6, atol=1e-12
    )
    assert (excess > 0).any()
    assert (excess < 0).any()


def test_the_clone_and_the_objective_behaviour_cloning_are_one(reference, aligned):
    assert policy_digest(aligned["behaviour_cloning"].network) == policy_digest(reference)
    assert aligned["behaviour_cloning"].history.multiplier.size == 0


def test_the_same_seed_is_the_same_policy(contextual_base, contextual):
    before = policy_digest(contextual_base)
    torch_state = torch.random.get_rng_state()
    runs = [train_policy(contextual_base, contextual, QUICK, seed) for seed in (4, 4, 5)]
    digests = [policy_digest(run.network) for run in runs]
    assert digests[0] == digests[1] != digests[2]
    np.testing.assert_array_equal(runs[0].history.safety_loss, runs[1].history.safety_loss)
    assert policy_digest(contextual_base) == before  # the base is left as it was
    assert torch.equal(torch.random.get_rng_state(), torch_state)


def test_what_diverges_is_an_error(contextual_base, contextual):
    with pytest.raises(ArithmeticError, match="diverged"):
        train_policy(contextual_base, contextual, replace(QUICK, lr=1e30), seed=0)


def test_one_label_only_is_refused_by_presa_alone(contextual_base, contextual):
    labels = np.zeros(contextual.num_segments)
    safe = make_segments(contextual.observations, contextual.actions, contextual.pairs, labels)
    with pytest.raises(UserError, match="labelled safe"):
        train_policy(contextual_base, safe, QUICK, seed=0)
    free = train_policy(contextual_base, safe, replace(QUICK, objective="preference_only"), seed=0)
    assert free.safety_loss is None


def test_data_of_another_size_are_refused(small_base, contextual):
    with pytest.raises(UserError, match="1 observations and 1 actions"):
        train_policy(small_base, contextual, QUICK, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"objective": "reward_model"},
        {"clone_steps": -1},
        {"steps": 1.5},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"gamma": 1.1},
        {"bias": 1.5},
        {"safety_target": 0.0},
        {"batch_segments": 1},
        {"multiplier_max": 0.5},
        {"multiplier_start": -1.0},
        {"cloning_weight": -0.1},
    ],
)
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SETTINGS, **change)
