"""Slopes of the gap: recovered where they are known, and no interval from few seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from sport_ray.tracking.analysis.conservativeness.growth import fitted_slope, growth_table
from sport_ray.tracking.results.statistics import SETTING

ALPHAS, HORIZONS = (1.0, 1.2, 2.0), (10, 20)


def ladder(seeds: int, noise: float = 0.0, unseen: float | None = None) -> pd.DataFrame:
    """Prior 10^-2 α^T; posterior 10^-1.5 α^(T/4) (and noise per seed), the rate half of that."""
    rng = np.random.default_rng(0)
    tilt = noise * rng.normal(size=seeds)
    rows = []
    for alpha, horizon, seed in itertools.product(ALPHAS, HORIZONS, range(seeds)):
        granted = horizon * np.log10(alpha)
        posterior = -1.5 + (0.25 + tilt[seed]) * granted
        rate = -np.inf if alpha == unseen else posterior - np.log10(2)
        values = {"ratio": -2 + granted, "posterior": posterior, "empirical": rate}
        for rung, log10 in values.items():
            setting = dict.fromkeys(SETTING) | {
                "source": "projected_ppo",
                "projected": True,
                "constraint": "ratio",
                "alpha": alpha,
                "eps_max": np.nan,
                "horizon": horizon,
            }
            cell = {"cell_id": f"{alpha}-{horizon}-{seed}", "seed": seed, "rung": rung}
            rows.append(setting | cell | {"stated": rung == "ratio", "log10": log10})
    return pd.DataFrame(rows)


def pick(growth: pd.DataFrame, gap: str, along: str, at: float | None = None) -> pd.Series:
    rows = growth[(growth["gap"] == gap) & (growth["along"] == along)]
    rows = rows if at is None else rows[rows["at"] == at]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize("gap", ["posterior", "empirical"])
def test_known_slopes_are_recovered(gap: str) -> None:
    growth = growth_table(ladder(3))
    both = pick(growth, gap, "both")
    assert both["slope"] == pytest.approx(0.75, abs=1e-12)
    assert both["prior_slope"] == pytest.approx(1.0, abs=1e-12)
    assert (both["low"], both["high"]) == pytest.approx((0.75, 0.75))
    for horizon in HORIZONS:
        at = pick(growth, gap, "α", horizon)
        assert at["slope"] == pytest.approx(0.75 * horizon, abs=1e-12)
        assert at["prior_slope"] == pytest.approx(horizon, abs=1e-12)
    for alpha in ALPHAS:
        at = pick(growth, gap, "T", alpha)
        assert at["slope"] == pytest.approx(0.75 * np.log10(alpha), abs=1e-12)


def test_the_interval_is_over_seeds_slopes() -> None:
    growth = growth_table(ladder(5, noise=0.05))
    both = pick(growth, "posterior", "both")
    assert both["seeds"] == 5
    assert both["low"] < both["slope"] < both["high"]
    slopes = [0.75 - tilt for tilt in 0.05 * np.random.default_rng(0).normal(size=5)]
    assert both["slope"] == pytest.approx(np.mean(slopes), abs=1e-12)
    expected = ttest_1samp(slopes, 0.0).confidence_interval(0.95)
    assert (both["low"], both["high"]) == pytest.approx((expected.low, expected.high))


def test_one_seed_has_a_slope_and_no_interval() -> None:
    both = pick(growth_table(ladder(1, noise=0.05)), "posterior", "both")
    assert both["seeds"] == 1
    assert np.isfinite(both["slope"])
    assert np.isnan(both["low"])
    assert np.isnan(both["high"])


def test_cells_in_which_nothing_was_seen_are_left_out_and_counted() -> None:
    growth = growth_table(ladder(3, unseen=1.0))
    assert pick(growth, "posterior", "both")["left_out"] == 0
    both = pick(growth, "empirical", "both")
    assert (both["cells"], both["left_out"]) == (12, 6)
    assert both["slope"] == pytest.approx(0.75, abs=1e-12)
    assert growth[(growth["gap"] == "empirical") & (growth["at"] == 1.0)].empty


def test_an_alpha_that_follows_from_a_risk_has_no_slope_of_its_own() -> None:
    assert growth_table(ladder(3).assign(eps_max=0.1)).empty


def test_the_slope_is_least_squares() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=9), rng.normal(size=9)
    assert fitted_slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-12)
