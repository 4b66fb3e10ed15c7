"""The projection against exact arithmetic and against an independent reference."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_categorical import fuzz
from sport_ray.families import Categorical
from sport_ray.families.categorical.kernels import _ERR

UNITS = 2**52
LIMITS = [0.0, 1e-12, 1e-3, 0.08, 0.7, 5.0, 50.0, 800.0, math.inf]


def integers(member: Categorical) -> list[list[int]]:
    """The units of every row; an error where one is no integer."""
    found = [[Fraction(float(p)) * UNITS for p in row] for row in member.arrays()[0]]
    assert all(k.denominator == 1 for row in found for k in row)
    return [[int(k) for k in row] for row in found]


def exp_below(c: float) -> Fraction:
    """A number below e^c by less than 1e-40 of it."""
    with mpmath.workdps(60):
        value = mpmath.exp(mpmath.mpf(c)) * (1 - mpmath.mpf(10) ** -45)
        return Fraction(int(mpmath.floor(value * 2**200)), 2**200)


def check_bounds(found: Categorical, base: Categorical, limit: float, floor: float = 0.0) -> None:
    """Σ = 1 and κ q ≤ p ≤ e^c q: exactly, and as float64 computes them."""
    most = None if math.isinf(limit) else max(exp_below(limit), Fraction(1))
    for k, m in zip(integers(found), integers(base), strict=True):
        assert sum(k) == UNITS
        assert min(k) >= 0
        if most is not None:
            assert all(a <= most * b for a, b in zip(k, m, strict=True))
        assert all(a >= Fraction(floor) * b for a, b in zip(k, m, strict=True))
    assert found.valid().all()
    assert (found.max_log_ratio(base) <= limit).all()
    p, q = found.arrays()[0], base.arrays()[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(p == q, 0.0, np.log(p / q))
        assert (ratio <= limit).all()
        assert (np.where(p == q, 0.0, np.log(p) - np.log(q)) <= limit).all()
        if floor > 0.0:
            assert (ratio >= np.log(floor))[q > 0.0].all()
    for j in range(p.shape[1]):
        action = np.full((len(p), 1), float(j))
        above = found.log_ratio_above(base, action)
        assert (above[q[:, j] > 0.0] <= limit).all()


def reference(logw: np.ndarray, q: np.ndarray, limit: float, floor: float = 0.0) -> list[float]:
    """Bisection for K in 60 digits: p_j = clip(K w_j, κ q_j, e^c q_j); independent of kernels."""
    with mpmath.workdps(60):
        top = max(logw)
        w = [mpmath.exp(mpmath.mpf(float(x)) - mpmath.mpf(float(top))) for x in logw]
        low = [mpmath.mpf(floor) * mpmath.mpf(float(x)) for x in q]
        high = [
            mpmath.mpf(1) if math.isinf(limit) else mpmath.exp(mpmath.mpf(limit)) * float(x)
            for x in q
        ]

        def clipped(log_k: mpmath.mpf) -> list[mpmath.mpf]:
            k = mpmath.exp(log_k)
            return [min(max(k * a, b), c) for a, b, c in zip(w, low, high, strict=True)]

        spread = float(top) - min(float(x) for x in logw if np.isfinite(x))
        lo, hi = mpmath.mpf(-100), mpmath.mpf(spread + 200.0)
        for _ in range(220):
            middle = (lo + hi) / 2
            lo, hi = (lo, middle) if sum(clipped(middle)) >= 1 else (middle, hi)
        return [float(x) for x in clipped(hi)]


def members(draw_size: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    """Log weights of many kinds: ordinary, tied, greedy, one-hot."""
    kinds = st.sampled_from(["normal", "tied", "greedy", "near ties", "wide", "one hot"])

    def make(size: int, kind: str, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if kind == "normal":
            return rng.normal(size=size) * 3.0
        if kind == "tied":
            return rng.integers(0, 3, size).astype(float)
        if kind == "greedy":
            return -1e3 * rng.permutation(size).astype(float)
        if kind == "near ties":  # steps of 1000, some halved in between to within a nat
            return -1e3 * rng.integers(0, size, size) + rng.normal(size=size)
        if kind == "wide":
            return rng.uniform(-1e3, 1e3, size)
        weights = np.full(size, -np.inf)
        weights[rng.integers(size)] = 0.0
        return weights

    return st.builds(make, draw_size, kinds, st.integers(0, 2**32 - 1))


@st.composite
def problems(draw):
    logw = draw(members(st.sampled_from([1, 2, 3, 5, 16, 33])))
    size = len(logw)
    if draw(st.booleans()):
        base = Categorical.uniform(1, size)
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        logq = rng.normal(size=(1, size)) * draw(st.sampled_from([0.1, 2.0, 30.0]))
        if size > 2:
            logq[0, rng.integers(size)] = -np.inf
        base = Categorical.of_log_weights(logq)
    limit = draw(st.sampled_from(LIMITS) | st.floats(0.0, 10.0))
    return Categorical.of_log_weights(logw[None]), base, limit


@given(problems(), st.sampled_from([0.0, 1e-9, 0.3, 0.855, 1.0]))
@settings(max_examples=400, deadline=None)
def test_the_bounds_hold_exactly_and_as_computed(problem, floor):
    task, base, limit = problem
    found = task.projected(base, limit)
    if math.isfinite(limit):
        check_bounds(found, base, limit)
        check_bounds(task.projected_within(base, floor, limit), base, limit, floor)
    else:
        assert not found.differs(task).any()
    once_more = found.projected(base, limit)
    assert not once_more.differs(found).any()


@given(problems(), st.sampled_from([0.0, 0.3, 0.855]))
@settings(max_examples=120, deadline=None)
def test_it_is_the_closest_of_all(problem, floor):
    task, base, limit = problem
    logw, q = np.asarray(task.log_weights)[0], base.arrays()[0][0]
    if floor == 0.0 and math.isinf(limit):
        return
    held = q[np.isfinite(logw)].sum() * math.exp(min(limit, 700.0))
    if held + floor * q[~np.isfinite(logw)].sum() < 1.0 + 1e-9 or (q == 0.0).any():
        return  # the closed form needs w > 0 where mass must go: tested below
    found = task.projected_within(base, floor, limit).arrays()[0][0]
    wanted = np.array(reference(logw, q, limit, floor))
    # Caps and floors lie inwards by this share of them (kernels.py); the free ones get the rest.
    inwards = _ERR * (2.0 + min(limit, 700.0) + (1.0 - math.log(floor) if floor > 0.0 else 0.0))
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=inwards + len(q) * 2.0**-51)


@pytest.mark.parametrize("kind", ["normal", "near ties", "greedy"])
def test_it_is_what_sorting_gives(kind):
    """Many rows against capping one outcome after another in order, in long double."""
    rng = np.random.default_rng(5)
    size, limit = 16, 0.08
    logw = rng.normal(size=(20_000, size))
    if kind == "near ties":
        logw -= 1e3 * rng.integers(0, 8, logw.shape)
    elif kind == "greedy":
        logw *= 1e3
    base = Categorical.uniform(len(logw), size)
    found = Categorical.of_log_weights(logw).projected(base, limit).arrays()[0]
    order = np.argsort(-logw, axis=1)
    w = np.take_along_axis(logw, order, 1).astype(np.longdouble)
    cap = np.exp(np.longdouble(limit)) / size
    wanted = np.empty_like(w)
    for row, out in zip(w, wanted, strict=True):
        for capped in range(size):
            rest = np.exp(row[capped:] - row[capped])
            out[capped:] = (1 - capped * cap) * rest / rest.sum()
            if out[capped] <= cap:
                break
            out[capped] = cap
    np.testing.assert_allclose(np.take_along_axis(found, order, 1), wanted, rtol=1e-9, atol=1e-14)


def test_greedy_weights_fill_the_best_in_order():
    rank = np.random.default_rng(0).permutation(100_000).astype(np.float64)
    task = Categorical.of_log_weights(-1e3 * rank[None])
    base = Categorical.uniform(1, len(rank))
    found = task.projected(base, math.log(1.0846))
    check_sum = sum(integers(found)[0])
    assert check_sum == UNITS
    p = found.arrays()[0][0][np.argsort(rank)]
    full = int(len(rank) / 1.0846)
    np.testing.assert_allclose(p[:full], 1.0846 / len(rank), rtol=1e-10)
    assert 0.0 < p[full] < 1.0846 / len(rank)
    assert (p[full + 1 :] == 0.0).all()
    assert found.max_log_ratio(base) <= math.log(1.0846)


def test_mass_that_the_weights_cannot_hold_goes_where_the_base_would_put_it():
    base = Categorical(np.array([[0.125, 0.25, 0.375, 0.25, 0.0]]))
    task = Categorical.of_log_weights(np.array([[0.0, 3.0, -np.inf, -np.inf, -np.inf]]))
    found = task.projected(base, math.log(1.5)).arrays()[0][0]
    rest = 1.0 - 1.5 * 0.375
    wanted = [0.1875, 0.375, rest * 0.6, rest * 0.4, 0.0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    one_hot = Categorical(np.array([[0.0, 0.0, 1.0, 0.0, 0.0]]))  # of probabilities alone
    found = one_hot.projected(base, 0.5)
    check_bounds(found, base, 0.5)
    np.testing.assert_allclose(found.arrays()[0][0, [0, 1, 3]] / 0.125, np.array([1, 2, 2]) * (
        (1.0 - math.exp(0.5) * 0.375) / 0.625), rtol=1e-12)  # fmt: skip
    with_floor = one_hot.projected_within(base, 0.9, 0.5)
    check_bounds(with_floor, base, 0.5, 0.9)


@pytest.mark.parametrize("size", [1, 2, 3, 16, 1000])
@pytest.mark.parametrize("floor", [0.0, 0.9, 1.0])
def test_the_ends_are_bit_for_bit(size, floor):
    rng = np.random.default_rng(size)
    base = Categorical.of_log_weights(rng.normal(size=(50, size)))
    task = Categorical.of_log_weights(base.log_weights + 5.0 * rng.normal(size=(50, size)))
    for limit in (0.0, 1e-17):
        assert not task.projected_within(base, floor, limit).differs(base).any()
    assert not task.projected(base, math.inf).differs(task).any()
    assert not task.projected_within(base, 1.0, 5.0).differs(base).any()
    near = Categorical.of_log_weights(base.log_weights + rng.uniform(-0.1, 0.1, (50, size)))
    assert not near.projected_within(base, 0.7, 0.3).differs(near).any()
    assert not base.projected_within(base, floor, 0.0).differs(base).any()


def test_a_row_does_not_depend_on_the_others():
    rng = np.random.default_rng(7)
    task = Categorical.of_log_weights(
        rng.normal(size=(40, 30)) * 10.0 ** rng.integers(0, 4, (40, 1))
    )
    base = Categorical.uniform(40, 30)
    limits = torch.from_numpy(rng.uniform(0.0, 1.0, 40))
    together = task.projected(base, limits)
    for i in range(40):
        alone = task[i : i + 1].projected(base[:1], float(limits[i]))
        assert not alone.differs(together[i : i + 1]).any()


def test_many_leading_dimensions_and_one_base():
    rng = np.random.default_rng(8)
    task = Categorical.of_log_weights(rng.normal(size=(2, 3, 4)))
    base = Categorical.of_log_weights(rng.normal(size=4))
    limits = torch.tensor([[0.1], [0.5]], dtype=torch.float64)
    found = task.projected(base, limits)
    assert found.arrays()[0].shape == (2, 3, 4)
    assert (found.max_log_ratio(base) <= limits).all()
    one = task[1, 2].projected(base, 0.5)
    assert not one.differs(found[1, 2]).any()


@pytest.mark.parametrize(
    ("floor", "limit", "message"),
    [
        (0.0, -1e-9, "limit must be >= 0, got -1e-09 at row 0"),
        (0.0, math.nan, "limit must be >= 0, got nan"),
        (1.5, 0.1, r"floor must lie in \[0, 1\], got 1.5"),
        (math.nan, 0.1, r"floor must lie in \[0, 1\], got nan"),
    ],
)
def test_a_limit_outside_its_range_is_refused(floor, limit, message):
    base = Categorical.uniform(2, 3)
    with pytest.raises(ValueError, match=message):
        base.projected_within(base, floor, limit)


def test_the_fuzz_finds_nothing_and_can_find():
    assert not fuzz(20_000, seed=1).any()
    assert (fuzz(20_000, seed=1, broken=True) > 0).sum() >= 8
