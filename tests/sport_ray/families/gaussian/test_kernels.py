"""The promise: in either dtype, whatever the input, the returned numbers are inside the bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays


def textbook_ratio(mean, std, m, s):
    with np.errstate(all="ignore"):
        bend = (mean - m) ** 2 / (2.0 * (s**2 - std**2))
        bend[(mean == m) & (std == s)] = 0.0
        return (np.log(s) - np.log(std) + bend).sum(-1)


def check(inputs, single, ratio_of=None):
    """Every promise about one batch of arrays; exact ratios too if ``ratio_of`` is given."""
    if single:
        inputs = [x.astype(np.float32).astype(np.float64) for x in inputs[:4]] + [inputs[4]]
    m, s, mt, sd, c = inputs
    mean, std, ratio = project_kl_arrays(m, s, mt, sd, c, out_float32=single)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std > 0).all()
    assert (std <= s).all()
    assert np.array_equal(ratio, max_log_ratio_arrays(mean, std, m, s))
    assert (ratio <= c).all()
    task = (mean == mt).all(-1) & (std == sd).all(-1)
    assert (textbook_ratio(mean, std, m, s) <= c)[~task].all()
    if single:
        assert np.array_equal(mean.astype(np.float32).astype(np.float64), mean)
        assert np.array_equal(std.astype(np.float32).astype(np.float64), std)
    if ratio_of is not None:
        for k in np.flatnonzero(~task):
            assert ratio_of(mean[k], std[k], m[k], s[k]) <= c[k]
    return ratio


@pytest.mark.parametrize("single", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", ["ordinary", "hostile", "far base", "close"])
@pytest.mark.parametrize("dims", [1, 2, 7, 64])
def test_random_problems_stay_inside(kind, dims, single, problems, ratio_of):
    rng = np.random.default_rng([dims, len(kind)])
    check(list(problems(kind, 20_000 // dims, dims, rng)), single)
    check(list(problems(kind, 100 // dims + 1, dims, rng)), single, ratio_of)


@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_the_bound_is_used_up(kind, problems):
    """Being inside is not bought with distance: float64 answers reach log_alpha."""
    m, s, mt, sd, c = problems(kind, 5000, 2, np.random.default_rng(0))
    ratio = check([m, s, mt, sd, c], single=False)
    binding = max_log_ratio_arrays(mt, sd, m, s) > c
    assert np.median((1.0 - ratio / c)[binding]) < 1e-8


number = st.floats(allow_nan=False, allow_infinity=False, width=32)
positive = st.floats(
    min_value=2.0**-149, allow_nan=False, allow_infinity=False, width=32, exclude_min=False
)
limit = st.one_of(st.floats(0.0, 50.0), st.floats(0.0, 1e-6))


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.tuples(number, positive, number, positive), min_size=1, max_size=4),
    limit,
    st.booleans(),
)
def test_any_floats_stay_inside(rows, c, single):
    m, s, mt, sd = (np.array(x, dtype=float) for x in zip(*rows, strict=True))
    mean, std, ratio = project_kl_arrays(m, s, mt, sd, c, out_float32=single)
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    assert (std <= s).all()
    assert ratio <= c
    assert ratio == max_log_ratio_arrays(mean, std, m, s)


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6), st.floats(-13.0, 13.0), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3)
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(-20.0, 3.9),
    st.booleans(),
)
def test_hostile_floats_stay_inside(rows, log_c, single):
    offset, log_t, mean, s = (np.array([x]) for x in zip(*rows, strict=True))
    inputs = [mean, s, mean + offset * s, s * np.exp(log_t), np.exp([log_c])]
    check(inputs, single)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e150])
def test_extreme_units_change_nothing_but_the_units(scale, problems):
    m, s, mt, sd, c = problems("ordinary", 50, 2, np.random.default_rng(1))
    mean, std, _ = project_kl_arrays(m, s, mt, sd, c)
    scaled = project_kl_arrays(m * scale, s * scale, mt * scale, sd * scale, c)
    np.testing.assert_allclose(scaled[0], mean * scale, rtol=1e-7, atol=1e-7 * scale)
    np.testing.assert_allclose(scaled[1], std * scale, rtol=1e-7)
    assert (scaled[2] <= c).all()


def test_the_log_std_part_alone_can_use_up_the_bound():
    """Tiny shift, tiny task std: the std must give way to the last ulp, not the shift."""
    mean, _, ratio = project_kl_arrays([[0.8]], [[1.0]], [[0.8 + 3e-6]], [[1.5e-6]], 10.56)
    assert ratio[0] <= 10.56
    assert ratio[0] == pytest.approx(10.56, rel=1e-14)
    assert mean[0, 0] == pytest.approx(0.8 + 3e-6, rel=1e-9)
