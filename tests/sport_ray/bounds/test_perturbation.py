"""The largest ratio of two Gaussians, and what it means for whatever is made from them."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import log_ndtr

from sport_ray.bounds import gaussian_max_ratio, ratio_bound

means = st.floats(-3.0, 3.0)
stds = st.floats(-8.0, 2.0).map(lambda exponent: 10.0**exponent)
shrinkings = st.floats(-15.0, 0.0).map(lambda exponent: 1.0 - 0.9 * 10.0**exponent)


def exact_ratio(mean, std, mean_base, std_base) -> mpmath.mpf:
    """The formula on the very numbers given, in mpmath's working precision."""
    total = mpmath.mpf(0)
    for numbers in zip(mean, std, mean_base, std_base, strict=True):
        m1, s1, m, s = map(mpmath.mpf, numbers)
        if (m1, s1) != (m, s):
            total += mpmath.log(s / s1) + (m1 - m) ** 2 / (2 * (s**2 - s1**2))
    return mpmath.exp(total)


@pytest.mark.parametrize(
    ("mean", "std", "mean_base", "std_base"),
    [(0.0, 0.19, 0.0, 0.2), (0.03, 0.19, 0.0, 0.2), (-1.0, 0.5, 1.0, 2.0), (0.01, 0.1, 0.0, 0.11)],
)
def test_against_brute_force_on_a_grid(mean, std, mean_base, std_base):
    x = np.linspace(-40.0, 40.0, 4_000_001) * std_base + mean_base
    found = (stats.norm.logpdf(x, mean, std) - stats.norm.logpdf(x, mean_base, std_base)).max()
    ratio = gaussian_max_ratio(mean, std, mean_base, std_base)
    assert math.exp(found) <= ratio * (1 + 1e-9)
    assert ratio == pytest.approx(math.exp(found), rel=1e-6)


def test_in_two_dimensions_against_brute_force():
    law, base = ([0.1, -0.2], [0.3, 0.5]), ([0.0, 0.0], [0.4, 0.8])
    x, y = np.meshgrid(np.linspace(-4, 4, 1601), np.linspace(-4, 4, 1601))
    log_ratio = sum(
        stats.norm.logpdf(z, law[0][i], law[1][i]) - stats.norm.logpdf(z, base[0][i], base[1][i])
        for i, z in enumerate((x, y))
    )
    assert gaussian_max_ratio(*law, *base) == pytest.approx(np.exp(log_ratio.max()), rel=1e-4)


@given(
    rows=st.lists(st.tuples(means, shrinkings, st.floats(-1.0, 1.0), stds), min_size=1, max_size=4)
)
def test_it_is_rounded_up_and_hardly(rows):
    """Against 80 digits, on the numbers given; shifts up to a few spreads of the base."""
    mean_base, std_base = [r[0] for r in rows], [r[3] for r in rows]
    mean = [r[0] + r[2] * r[3] * math.sqrt(1.0 - r[1]) for r in rows]
    std = [r[3] * r[1] for r in rows]
    ratio = gaussian_max_ratio(mean, std, mean_base, std_base)
    with mpmath.workdps(80):
        exact = exact_ratio(mean, std, mean_base, std_base)
        if math.isinf(ratio):
            assert exact > mpmath.mpf(10) ** 308
            return
        assert ratio >= exact
        assert ratio <= exact * (1 + mpmath.mpf(2) ** -44 * (1 + mpmath.log(exact)))


def test_equal_laws_have_ratio_one_exactly():
    assert gaussian_max_ratio([1.0, 2.0], [0.3, 0.0], [1.0, 2.0], [0.3, 0.0]) == 1.0
    assert gaussian_max_ratio(5.0, 0.0, 5.0, 0.0) == 1.0
    assert gaussian_max_ratio(0.0, np.nextafter(0.2, 0.0), 0.0, 0.2) > 1.0
    assert gaussian_max_ratio(1e-200, 0.1, 0.0, 0.2) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "laws",
    [
        (0.0, 0.3, 0.0, 0.2),  # wider
        (0.1, 0.2, 0.0, 0.2),  # as wide, elsewhere
        (0.0, 0.2, 0.0, 0.0),  # noise where there was none
        (0.0, 0.0, 0.0, 0.2),  # none where there was noise: a point has no density
        (0.1, 0.0, 0.0, 0.0),  # another point
        (1e150, 0.1, -1e150, 0.2),  # finite, but no float
        (1e308, 0.1, -1e308, 0.2),
        ([0.0, 1e-300], [0.1, 0.2], [0.0, 0.0], [0.2, 0.2]),  # one coordinate is enough
    ],
)
def test_where_it_is_infinite(laws):
    assert gaussian_max_ratio(*laws) == math.inf


def test_squares_that_overflow_or_underflow_do_no_harm():
    for scale in (1e-180, 1e180, 5e-310):
        ratio = gaussian_max_ratio(0.05 * scale, 0.1 * scale, 0.0, 0.2 * scale)
        assert ratio == pytest.approx(gaussian_max_ratio(0.05, 0.1, 0.0, 0.2), rel=1e-12)


@given(shift=st.floats(0.0, 0.3), std=st.floats(0.2, 0.99))
def test_clipping_and_other_maps_only_lower_it(shift, std):
    """The law of clip(w, -1, 1): two atoms and a density between; all ratios within the bound."""
    bound = math.log(gaussian_max_ratio(shift, std, 0.0, 1.0))
    atoms = [
        log_ndtr((-1.0 - shift) / std) - log_ndtr(-1.0),
        log_ndtr((shift - 1.0) / std) - log_ndtr(-1.0),
    ]
    assert max(atoms) <= bound
    folded = stats.foldnorm(c=shift / std, scale=std)  # |w|, two to one
    x = np.linspace(0.0, 8.0, 801)
    assert (folded.logpdf(x) - stats.halfnorm.logpdf(x)).max() <= bound + 1e-12


def test_the_bound_over_a_horizon_holds_and_is_attained_in_the_limit():
    """Violation: start and every step's noise within 0.001 of where the ratio is largest."""
    horizon, width = 12, 1e-3
    laws = {"start": (0.05, 0.4, 0.0, 0.5), "step": (0.02, 0.15, 0.0, 0.2)}
    log_p, log_q, ratio = {}, {}, {}
    for name, (m1, s1, m, s) in laws.items():
        peak = (m1 * s**2 - m * s1**2) / (s**2 - s1**2)
        ratio[name] = gaussian_max_ratio(m1, s1, m, s)
        for law, (mean, std) in ((log_p, (m, s)), (log_q, (m1, s1))):
            ends = stats.norm.cdf([peak - width, peak + width], mean, std)
            law[name] = math.log(ends[1] - ends[0])
    base = math.exp(log_p["start"] + horizon * log_p["step"])
    deployed = math.exp(log_q["start"] + horizon * log_q["step"])
    bound = ratio_bound(base, 1.0, horizon, alpha_mu=ratio["start"], alpha_p=ratio["step"])
    assert 0.999 * bound <= deployed <= bound
    assert deployed > 10.0 * ratio_bound(base, 1.0, horizon)


@pytest.mark.parametrize(
    ("laws", "message"),
    [
        ((0.0, -0.1, 0.0, 0.2), "^std must be at least 0"),
        ((0.0, 0.1, 0.0, -0.2), "^std_base must be at least 0"),
        ((math.nan, 0.1, 0.0, 0.2), "^mean must be finite"),
        ((0.0, 0.1, 0.0, math.inf), "^std_base must be finite"),
        (([0.0, 0.0], 0.1, 0.0, 0.2), "^std must have the shape of mean"),
        (([[0.0]], 0.1, 0.0, 0.2), "^mean must be finite numbers of shape"),
        (([], [], [], []), "^mean must be finite numbers of shape"),
        (("wide", 0.1, 0.0, 0.2), "^mean must be finite"),
    ],
)
def test_bad_arguments_are_named(laws, message):
    with pytest.raises(ValueError, match=message):
        gaussian_max_ratio(*laws)
