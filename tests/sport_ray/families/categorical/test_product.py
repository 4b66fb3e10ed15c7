"""Independent categoricals: shares of one limit, and the joint law against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sport_ray.families import Categorical, categorical_over, family_named
from sport_ray.families.categorical.product import shares

SIZES = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)
SEED = st.integers(0, 2**32 - 1)
LIMIT = st.one_of(st.just(0.0), st.floats(1e-6, 20.0))


def members(sizes, seed, rows=3, scale=3.0):
    family, rng = categorical_over(sizes), np.random.default_rng(seed)
    task, base = rng.normal(0.0, scale, (2, rows, sum(sizes)))
    return family.of_log_weights(task), family.of_log_weights(base)


def joint_actions(sizes):
    return np.array(list(itertools.product(*map(range, sizes))), dtype=np.float64)


def joint(law, sizes):
    """Probabilities (rows, all actions)."""
    actions = torch.from_numpy(joint_actions(sizes))
    factors = [one.probabilities.numpy() for one in law.factors]
    return np.stack(
        [np.prod([p[:, int(j)] for p, j in zip(factors, a, strict=True)], 0) for a in actions], 1
    )


@settings(deadline=None)
@given(SIZES, SEED, LIMIT)
def test_no_joint_action_exceeds_the_limit(sizes, seed, limit):
    task, base = members(sizes, seed)
    found = task.projected(base, limit)
    assert found.valid().all()
    assert (found.max_log_ratio(base) <= limit).all()
    for action in joint_actions(sizes):
        rows = np.tile(action, (3, 1))
        assert (found.log_ratio_above(base, rows) <= limit).all()
    p, q = joint(found, sizes), joint(base, sizes)
    assert (p <= np.exp(limit) * q * (1.0 + 1e-13)).all()
    again = found.projected(base, limit)
    assert np.allclose(again.arrays()[0], found.arrays()[0], atol=1e-12 * (1.0 + limit), rtol=0.0)


@settings(deadline=None)
@given(SIZES, SEED, st.floats(0.0, 1.0), LIMIT)
def test_nor_does_one_fall_below_the_floor(sizes, seed, floor, limit):
    task, base = members(sizes, seed)
    found = task.projected_within(base, floor, limit)
    assert (found.max_log_ratio(base) <= limit).all()
    with np.errstate(divide="ignore"):
        assert (found.min_log_ratio(base).numpy() >= np.log(floor)).all()
    if floor == 1.0 or limit == 0.0:
        assert np.array_equal(found.arrays()[0], base.arrays()[0])


@settings(deadline=None)
@given(SIZES, SEED)
def test_a_member_within_is_returned_bit_for_bit(sizes, seed):
    task, base = members(sizes, seed)
    limit = float(task.max_log_ratio(base).max()) * 1.001 + 1e-9
    assert np.array_equal(task.projected(base, limit).arrays()[0], task.arrays()[0])


@settings(deadline=None)
@given(SIZES, SEED)
def test_the_law_is_that_of_independent_indices(sizes, seed):
    law, other = members(sizes, seed)
    p, q = joint(law, sizes), joint(other, sizes)
    assert np.allclose(p.sum(1), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(p > 0.0, p * np.log(p / q), 0.0).sum(1)
    assert np.allclose(law.kl(other).numpy(), logs, rtol=1e-9, atol=1e-9)
    for index, action in enumerate(joint_actions(sizes)):
        rows = np.tile(action, (3, 1))
        expected = np.log(p[:, index] / q[:, index])
        assert np.allclose(law.log_ratio(other, rows), expected, atol=1e-9)
        assert (law.log_ratio_above(other, rows) >= law.log_ratio(other, rows)).all()
        found = law.log_prob(torch.from_numpy(rows)).numpy()
        assert np.allclose(found, np.log(p[:, index]), atol=1e-9)
    entropy = -(p * np.log(p)).sum(1)
    assert np.allclose(law.torch_distribution().entropy().numpy(), entropy, atol=1e-9)


def test_samples_have_the_frequencies_of_the_law():
    law, _ = members((3, 2), 0, rows=1, scale=1.0)
    noise = type(law).draw_noise(np.random.default_rng(1), 40_000, 5)
    drawn = law.sample(noise)
    code = drawn[:, 0] * 2 + drawn[:, 1]
    counts = np.bincount(code.astype(int), minlength=6) / len(code)
    p = joint(law, (3, 2))[0]
    assert (np.abs(counts - p) <= 5.0 * np.sqrt(p * (1.0 - p) / len(code))).all()


def test_many_generators_draw_what_one_draws():
    family = categorical_over((3, 2, 4))
    each = family.draw_each([np.random.default_rng(s) for s in (5, 6)], 4, 9)
    assert np.array_equal(each[1], family.draw_noise(np.random.default_rng(6), 4, 9))


@example(total=0.015625, wanted=[1.0, 8.007491820303798e-11])
@example(total=2.2250738585e-313, wanted=[np.inf, np.inf, 1.0, np.inf, np.inf])
@example(total=5e-324, wanted=[0.0, np.inf])
@settings(max_examples=1000, deadline=None)
@given(
    st.floats(0.0, 50.0),
    st.lists(st.floats(0.0, 60.0) | st.just(np.inf), min_size=1, max_size=6),
)
def test_shares_spend_the_total_and_no_more(total, wanted):
    found = shares(np.array(total), np.array(wanted))
    assert found.min() >= 0.0
    assert found.sum() <= total
    if np.sum(wanted) > total:
        assert found.sum() >= total * (1.0 - 1e-12) - 1e-12
        level = found.max()
        assert np.allclose(found, np.minimum(wanted, level), atol=1e-9)


def test_gradients_of_the_projection_are_those_of_its_factors():
    sizes, rng = (3, 4), np.random.default_rng(0)
    family = categorical_over(sizes)
    weights = torch.tensor(rng.normal(size=(2, 7)), requires_grad=True)
    base = family.of_log_weights(torch.tensor(rng.normal(size=(2, 7))))
    found = family.of_log_weights(weights).projected(base, 0.4)
    found.probabilities[:, 0].sum().backward()
    assert weights.grad is not None
    assert torch.isfinite(weights.grad).all()
    assert (weights.grad[:, 3:] == 0.0).all()


def test_names_and_single_factors():
    assert categorical_over((4,)) is Categorical
    family = categorical_over((3, 2))
    assert family_named(family.name) is family
    assert family_named("categorical[7,1]").sizes == (7, 1)
    with pytest.raises(Exception, match="unknown family"):
        family_named("categorical[0,1]")
    law, _ = members((3, 2), 3)
    assert np.array_equal(family.from_fields(law.fields()).arrays()[0], law.arrays()[0])
