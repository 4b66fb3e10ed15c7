"""The log ratio at a drawn action: what SciPy's densities give, and 0 for the same Gaussian."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sport_ray.projection import log_ratio_terms, max_log_ratio_arrays, realised_log_ratio


def gaussians(count: int, size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    mean, base, action = rng.normal(size=(3, count, size))
    std, base_std = rng.uniform(0.2, 3.0, (2, count, size))
    return [mean, std, base, base_std, action]


def test_it_is_the_difference_of_log_densities():
    mean, std, base, base_std, action = given = gaussians(200, 3)
    wanted = stats.norm.logpdf(action, mean, std) - stats.norm.logpdf(action, base, base_std)
    np.testing.assert_allclose(realised_log_ratio(*given), wanted.sum(axis=1), rtol=0, atol=1e-11)
    log_std, far, near = log_ratio_terms(*given)
    np.testing.assert_allclose(log_std + far - near, wanted, rtol=0, atol=1e-11)


def test_the_same_gaussian_has_a_log_ratio_of_exactly_zero():
    mean, std, _, _, action = gaussians(200, 3)
    assert realised_log_ratio(mean, std, mean, std, action).tolist() == [0.0] * 200


def test_no_action_exceeds_the_largest_log_ratio_and_the_worst_one_attains_it():
    mean, std, base, base_std, action = gaussians(200, 3)
    std = np.minimum(std, 0.9 * base_std)  # only then is there a largest
    largest = max_log_ratio_arrays(mean, std, base, base_std)
    assert (realised_log_ratio(mean, std, base, base_std, action) <= largest).all()
    share = (std / base_std) ** 2
    worst = (mean - share * base) / (1.0 - share)
    attained = realised_log_ratio(mean, std, base, base_std, worst)
    np.testing.assert_allclose(attained, largest, rtol=1e-10, atol=1e-12)
