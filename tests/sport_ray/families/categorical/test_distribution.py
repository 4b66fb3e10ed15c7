"""The categorical family: its law is exact, and it keeps to the interface of families."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from sport_ray.constraints import RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.errors import UserError
from sport_ray.families import FAMILIES, Categorical, TwoSided, family_named

UNITS = 2**52


def soft(count: int, size: int, scale: float = 1.0, seed: int = 3) -> Categorical:
    """Members of normal log weights."""
    rng = np.random.default_rng(seed)
    return Categorical.of_log_weights(scale * rng.normal(size=(count, size)))


def test_it_is_a_family_with_two_sides():
    assert FAMILIES["categorical"] is family_named("categorical") is Categorical
    assert issubclass(Categorical, TwoSided)
    assert Categorical.num_parameters(5) == 5
    assert Categorical.noise_size(5) == 1
    drawn = Categorical.draw_noise(np.random.default_rng(2), 4, 5)
    np.testing.assert_array_equal(drawn, np.random.default_rng(2).random((4, 1)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 128, 100_000])
def test_a_uniform_member_is_uniform_to_a_unit(size):
    member = Categorical.uniform(2, size)
    assert member.valid().all()
    units = member.arrays()[0] * UNITS
    assert set((units - UNITS // size).ravel().tolist()) <= {0.0, 1.0}
    with pytest.raises(ValueError, match="one outcome at least, got 0"):
        Categorical.uniform(2, 0)


@example(32, 30.0, 33)  # what rounding leaves over must not go to the smallest
@given(st.integers(1, 40), st.sampled_from([0.01, 1.0, 30.0, 1e3]), st.integers(0, 2**32 - 1))
def test_log_weights_become_the_softmax_to_a_unit(size, scale, seed):
    logw = scale * np.random.default_rng(seed).normal(size=(3, size))
    member = Categorical.of_log_weights(logw)
    assert member.valid().all()
    assert all(sum(map(Fraction, row)) == 1 for row in member.arrays()[0].tolist())
    wanted = torch.softmax(torch.from_numpy(logw), -1).numpy()
    np.testing.assert_allclose(member.arrays()[0], wanted, rtol=1e-14, atol=2.5 / UNITS)
    shifted = Categorical.of_log_weights(logw + 64.0 * scale)  # any normalisation
    np.testing.assert_allclose(shifted.arrays()[0], wanted, rtol=1e-10, atol=2.5 / UNITS)


@pytest.mark.parametrize("row", [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]])
def test_what_are_no_log_weights_is_refused(row):
    given_rows = np.array([[0.0, -math.inf], row])
    with pytest.raises(ValueError, match=r"log weights must be finite or -inf.* index \(1,\)"):
        Categorical.of_log_weights(given_rows)
    with pytest.raises(ValueError, match=r"one shape \(..., n\)"):
        Categorical.of_log_weights(np.zeros((2, 0)))


def test_every_index_has_exactly_its_probability():
    """All 2^53 uniforms are too many: each index is drawn between its two cumulative sums only."""
    member = soft(1, 9, 6.0)
    (p,) = member.arrays()
    edges = [sum(map(Fraction, p[0].tolist()[:j])) for j in range(10)]
    assert edges[-1] == 1
    for j in range(9):
        first, last = float(edges[j]), float(edges[j + 1] - Fraction(1, 2**53))
        assert Fraction(first) == edges[j]
        if p[0, j] > 0.0:
            assert member.sample(np.array([[first]])) == member.sample(np.array([[last]])) == j


def test_what_has_no_probability_is_never_drawn():
    member = Categorical(np.array([[0.0, 0.5, 0.0, 0.0, 0.5, 0.0]]).repeat(4, axis=0))
    ends = np.array([[0.0], [0.5 - 2.0**-53], [0.5], [1.0 - 2.0**-53]])
    assert member.sample(ends).ravel().tolist() == [1.0, 1.0, 4.0, 4.0]


def test_it_is_drawn_as_often_as_it_says():
    one = soft(1, 6)
    many = one[np.zeros(40_000, int)]
    noise = Categorical.draw_noise(np.random.default_rng(0), 40_000, 6)
    torch.manual_seed(0)
    by_torch = one.torch_distribution().sample((40_000,))
    assert by_torch.shape == (40_000, 1, 1)
    for drawn in (many.sample(noise), by_torch.numpy()):
        counts = np.bincount(drawn.astype(int).ravel(), minlength=6)
        assert stats.chisquare(counts, 40_000 * one.arrays()[0][0]).pvalue > 1e-3


def test_densities_and_divergences_are_those_of_scipy():
    member, other = soft(50, 7), soft(50, 7, seed=4)
    (p,), (q,) = member.arrays(), other.arrays()
    action = np.random.default_rng(1).integers(0, 7, (50, 1)).astype(np.float64)
    mine, its = (np.take_along_axis(x, action.astype(int), 1)[:, 0] for x in (p, q))
    np.testing.assert_allclose(member.log_ratio(other, action), np.log(mine / its), atol=1e-14)
    for law in (member, Categorical(p), member.torch_distribution()):
        found = law.log_prob(torch.from_numpy(action))
        np.testing.assert_allclose(found.numpy(), np.log(mine), rtol=1e-12)
    np.testing.assert_allclose(member.kl(other).numpy(), stats.entropy(p, q, axis=1), rtol=1e-12)
    entropy = member.torch_distribution().entropy().numpy()
    np.testing.assert_allclose(entropy, stats.entropy(p, axis=1), rtol=1e-12)
    np.testing.assert_allclose(member.max_log_ratio(other).numpy(), np.log((p / q).max(1)))
    np.testing.assert_allclose(member.min_log_ratio(other).numpy(), np.log((p / q).min(1)))
    one_base = Categorical(q[0])  # one row for all
    np.testing.assert_allclose(member.max_log_ratio(one_base).numpy(), np.log((p / q[0]).max(1)))


def test_the_upper_bound_is_one_in_exact_arithmetic_and_hardly_more():
    for scale in (1e-12, 1e-3, 1.0, 5.0):
        member, base = soft(100, 5, scale), soft(100, 5, scale, seed=4)
        action = np.full((100, 1), 2.0)
        above = member.log_ratio_above(base, action)
        pairs = zip(member.arrays()[0][:, 2], base.arrays()[0][:, 2], above, strict=True)
        with mpmath.workdps(40):
            for p, q, found in pairs:
                exact = mpmath.log(mpmath.mpf(float(p)) / mpmath.mpf(float(q)))
                assert exact <= found <= exact + 2e-15 * (1 + abs(exact))
                assert (found == 0.0) == (p == q)


def test_zeros_are_handled():
    one, other = (Categorical(np.array([x])) for x in ([0.5, 0.5, 0.0], [0.25, 0.0, 0.75]))
    index = [np.array([[float(j)]]) for j in range(3)]
    assert [one.log_ratio(other, j)[0] for j in index] == [math.log(2.0), math.inf, -math.inf]
    assert [one.log_ratio_above(other, j)[0] for j in index[1:]] == [math.inf, -math.inf]
    assert one.kl(other) == math.inf
    assert one.max_log_ratio(other) == math.inf
    assert one.min_log_ratio(other) == -math.inf
    assert one.kl(one) == one.max_log_ratio(one) == one.min_log_ratio(one) == 0.0
    assert (np.array([one.log_ratio_above(one, j)[0] for j in index]) == 0.0).all()


def test_a_divergence_to_weights_below_the_grid_is_finite():
    task = Categorical.of_log_weights(np.array([[0.0, -50.0, -1e3]]))
    assert task.arrays()[0].tolist() == [[1.0, 0.0, 0.0]]
    found = task.projected(Categorical.uniform(1, 3), math.log(1.5))
    np.testing.assert_allclose(found.arrays()[0], [[0.5, 0.5, 0.0]], atol=1e-12)
    np.testing.assert_allclose(found.kl(task).item(), 25.0 - math.log(2.0), rtol=1e-10)
    assert found.kl(Categorical(task.arrays()[0])) == math.inf


@pytest.mark.parametrize(
    "row",
    [
        [0.5, 0.5 - 2.0**-52],
        [0.7, 0.4],
        [-0.5, 1.5],
        [math.nan, 1.0],
        [2.0**-54, 1.0 - 2.0**-54],
        [2.0**-53, 1.0 - 2.0**-53],
    ],
)
def test_numbers_off_the_grid_are_no_member(row):
    wrong, right = Categorical(np.array([[0.5, 0.5], row])), Categorical.uniform(2, 2)
    assert wrong.valid().tolist() == [True, False]
    with pytest.raises(ValueError, match="no categorical has these numbers"):
        Categorical.from_fields({"probabilities": [row]})
    for act in (
        lambda: wrong.max_log_ratio(right),
        lambda: right.min_log_ratio(wrong),
        lambda: wrong.projected(right, 0.1),
        lambda: right.projected(wrong, 0.1),
    ):
        with pytest.raises(ValueError, match=r"multiples of 2\^-52 .* index \(1,\)"):
            act()


def test_a_file_holds_the_law_and_gives_it_back():
    member = soft(4, 5)
    fields = member.fields()
    assert list(fields) == ["probabilities"]
    again = Categorical.from_fields({name: x.tolist() for name, x in fields.items()})
    assert not again.differs(member).any()
    assert not Categorical.from_parameters(member.parameters).differs(member).any()


def test_rows_and_copies_keep_the_log_weights_and_the_grid():
    member = Categorical.of_log_weights(torch.tensor([[0.0, -1e3, -2e3], [-5.0, 0.0, -1e3]]))
    base = Categorical.uniform(1, 3)
    wanted = member.projected(base, 0.5)
    for same in (
        member.copy(),
        member.to(torch.float32),
        member.to(torch.zeros(1, dtype=torch.float32)),
        member.rounded(np.float32),
        member[torch.tensor([True, True])],
    ):
        assert not same.differs(member).any()
        assert same.valid().all()
        assert not same.projected(base, 0.5).differs(wanted).any()
    assert not member[1:].projected(base, 0.5).differs(wanted[1:]).any()
    assert len(member[:1]) == 1


def test_agreement_is_a_share_of_the_base():
    base = Categorical.uniform(1, 4)
    (p,) = base.arrays()
    near = Categorical(p + np.array([[1e-6, -1e-6, 0.0, 0.0]]).round(9))
    far = Categorical(p + np.array([[1e-5, -1e-5, 0.0, 0.0]]))
    assert base.agrees(near, base).all()
    assert not base.agrees(far, base).any()


def test_constraints_take_it_as_they_are():
    base, task = Categorical.uniform(3, 16), soft(3, 16, 1e3)
    ratio = RatioConstraint(1.0846)
    found = ratio.project(base, task)
    assert ratio.within(found, base, torch.full((3,), ratio.log_alpha, dtype=torch.float64)).all()
    budget = PathwiseBudget(0.9, "all")
    state = budget.start(3)
    rng = np.random.default_rng(0)
    spent = np.zeros(3)
    for _ in range(40):
        limits = torch.from_numpy(budget.limits(state))
        step = budget.project(base, task, limits)
        action = step.sample(rng.random((3, 1)))
        spent += step.log_ratio(base, action)
        state = budget.spend(state, budget.cost(step, base, action))
        assert (spent <= 0.9).all()
    assert spent.max() > 0.8
    with pytest.raises(UserError, match="'categorical'"):
        GaussRenyiConstraint(1.1).require_family(Categorical)
