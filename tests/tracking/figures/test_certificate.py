"""The largest permitted alpha, against the bound it must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.tracking.figures.certificate import largest_log_alpha


def test_the_bound_is_met_with_equality() -> None:
    horizon = np.arange(1.0, 40)
    eps_base = 0.9 * np.exp(-0.3 * horizon) + 0.004
    log_alpha = largest_log_alpha(eps_base, horizon, 0.1)
    allowed = np.isfinite(log_alpha)
    bound = eps_base[allowed] * np.exp(log_alpha[allowed] * horizon[allowed])
    assert bound == pytest.approx(np.full(allowed.sum(), 0.1), rel=1e-12)
    assert np.array_equal(allowed, eps_base <= 0.1)
    assert allowed.any()
    assert not allowed.all()


def test_published_example() -> None:
    # The paper: T = 21, eps_base = 0.00928, level 1 -> alpha = 1.2496.
    log_alpha = largest_log_alpha(np.array([0.00928]), np.array([21.0]), 1.0)
    assert math.exp(log_alpha[0]) == pytest.approx(1.2496, abs=1e-4)
