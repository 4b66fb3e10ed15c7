"""Summaries over seeds: what is pooled, what is the worst, what is called an interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, sem, ttest_1samp

from sport_ray.tracking import load_results
from sport_ray.tracking.results.performance import STEPS
from sport_ray.tracking.results.statistics import aggregate, rate_interval


def pick(settings: pd.DataFrame, method: str, alpha: float, horizon: int) -> pd.Series:
    rows = settings[
        (settings["source"] == method)
        & (settings["alpha"] == alpha)
        & (settings["horizon"] == horizon)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_one_row_per_setting_unconstrained_included(results: Path) -> None:
    settings = aggregate(load_results(results))
    assert len(settings) == 26
    assert settings["alpha"].isna().sum() == 2
    assert settings["seeds"].sum() == 51
    assert settings["failed_seeds"].sum() == 1


def test_a_setting_summarises_its_seeds(results: Path) -> None:
    frame = load_results(results)
    row = pick(aggregate(frame), "projected_ppo", 1.5, 21)
    cells = frame[
        (frame["source"] == "projected_ppo") & (frame["alpha"] == 1.5) & (frame["horizon"] == 21)
    ]
    means = cells["mean_steps_to_goal"].to_numpy()
    assert row["mean_steps_to_goal"] == pytest.approx(means.mean(), rel=1e-15)
    assert row["steps_interval"] == "95% t-interval over 2 seeds, pointwise"
    assert row["num_violations"] == cells["num_violations"].sum()
    assert row["empirical_violation_rate"] == cells["num_violations"].sum() / 20_000
    assert row["posterior_bound"] == cells["posterior_bound"].max()
    assert row["min_posterior_bound"] == cells["posterior_bound"].min()
    assert row["prior_bound"] == cells["prior_bound"].iloc[0]


def test_the_pooled_deviation_is_that_of_all_scenarios() -> None:
    rng = np.random.default_rng(3)
    samples = [rng.normal(10, 2, 500), rng.normal(12, 1, 300)]
    frame = pd.DataFrame(
        {
            "source": "projected_ppo",
            "projected": True,
            "constraint": "ratio",
            "alpha": 1.1,
            "horizon": 21,
            "hyperparameters": None,
            "eps_max": np.nan,
            "limit_rank": pd.NA,
            "status": "finished",
            "num_scenarios": [600, 400],
            "num_violations": [100, 100],
            "empirical_violation_rate": [1 / 6, 1 / 4],
            "mean_steps_to_goal": [s.mean() for s in samples],
            "std_steps_to_goal": [s.std() for s in samples],
            "seed": [0, 1],
            "mean_task_steps": np.nan,
            "mean_return": np.nan,
            "std_return": np.nan,
            "prior_bound": 0.5,
            "posterior_bound": [0.3, 0.4],
            "certified": True,
        }
    )
    row = aggregate(frame).iloc[0]
    assert row["std_steps_to_goal"] == pytest.approx(np.concatenate(samples).std(), rel=1e-12)
    error = np.hypot(samples[0].std() / 500**0.5, samples[1].std() / 300**0.5) / 2
    assert row["steps_standard_error"] == pytest.approx(error, rel=1e-12)


def test_from_two_seeds_on_there_is_students_interval(make_results) -> None:
    folder = make_results(alphas=(1.0, 1.5), horizons=(21,), seeds=(0, 1, 2, 3))
    frame = load_results(folder)
    row = pick(aggregate(frame), "projected_ppo", 1.5, 21)
    cells = frame[(frame["source"] == "projected_ppo") & (frame["alpha"] == 1.5)]
    values = cells["mean_steps_to_goal"].to_numpy()
    assert row["steps_interval"] == "95% t-interval over 4 seeds, pointwise"
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (row["steps_low"], row["steps_high"]) == pytest.approx((expected.low, expected.high))
    assert row["steps_seed_error"] == pytest.approx(sem(values))
    assert row["steps_by_seed"] == tuple(zip(cells["seed"], values, strict=True))


def test_a_seed_that_never_reaches_the_goal_is_not_left_out(make_results) -> None:
    def hopeless(record: dict) -> dict:
        if not record["projected"] and record["seed"] == 1:
            return record | {"mean_steps_to_goal": None, "std_steps_to_goal": None}
        return record

    settings = aggregate(load_results(make_results(change=hopeless)))
    free = settings[settings["alpha"].isna()]
    assert free["mean_steps_to_goal"].isna().all()
    assert set(free["steps_interval"]) == {"none"}


def test_a_setting_of_failures_only_counts_them(make_results) -> None:
    def fails(record: dict) -> dict:
        if record["alpha"] == 1.5:
            return record | {"status": "failed", "reason": "x"}
        return record

    settings = aggregate(load_results(make_results(change=fails)))
    row = pick(settings, "projected_ppo", 1.5, 21)
    assert (row["seeds"], row["failed_seeds"]) == (0, 2)
    assert np.isnan(row["mean_steps_to_goal"])
    assert np.isnan(row["empirical_violation_rate"])
    assert not row["certified"]


def test_one_uncertified_seed_uncertifies_its_setting(make_results) -> None:
    def leaks(record: dict) -> dict:
        if (record["alpha"], record["seed"]) == (1.1, 1):
            return record | {"max_log_ratio": 1.0}
        return record

    settings = aggregate(load_results(make_results(change=leaks)))
    assert not pick(settings, "projected_ppo", 1.1, 21)["certified"]
    assert pick(settings, "projected_ppo", 1.25, 21)["certified"]


def test_an_unconstrained_policy_is_measured_as_all_others_are() -> None:
    settings = pd.DataFrame(
        {
            "source": ["projected_ppo", "unconstrained", "unconstrained"],
            "projected": [True, False, False],
            "constraint": ["ratio", "unconstrained", "unconstrained"],
            "alpha": [1.5, np.nan, np.nan],
            "mean_steps_to_goal": [13.0, 18.5, 16.0],
        }
    )
    assert STEPS.unconstrained(settings) == 16.0
    assert np.isnan(STEPS.unconstrained(settings.iloc[[0]]))


def test_budgets_of_other_risks_and_kinds_are_settings_of_their_own(make_kinds) -> None:
    settings = aggregate(load_results(make_kinds()))
    # Per method 2 bases and 4 kinds at 2 risks; one unconstrained. None lost, none merged.
    assert len(settings) == 2 * (2 + 4 * 2) + 1
    assert (settings["seeds"] == 3).all()
    assert settings["certified"].sum() == 20
    budgets = settings[settings["constraint"] == "pathwise"]
    assert sorted(budgets["eps_max"]) == [0.05, 0.05, 0.1, 0.1]
    assert budgets["alpha"].isna().all()


def test_mean_over_seeds_with_its_interval_and_interquartile_mean(make_results) -> None:
    folder = make_results(alphas=(1.0, 1.5), horizons=(21,), seeds=(0, 1, 2, 3, 4))
    frame = load_results(folder)
    row = pick(aggregate(frame), "projected_ppo", 1.5, 21)
    cells = frame[(frame["source"] == "projected_ppo") & (frame["alpha"] == 1.5)]
    values = np.sort(cells["empirical_violation_rate"].to_numpy())
    assert row["mean_violation_rate"] == pytest.approx(values.mean(), rel=1e-14)
    assert row["iqm_violation_rate"] == pytest.approx(values[1:4].mean(), rel=1e-14)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = (row["mean_violation_rate_low"], row["mean_violation_rate_high"])
    assert found == pytest.approx((expected.low, expected.high))
    assert row["seeds_interval"] == "95% t-interval over 5 seeds, pointwise"
    # What these made-up cells do not have has no summary either.
    assert np.isnan(row["iqm_task_steps"])
    assert np.isnan(row["mean_task_steps_low"])


def test_one_seed_has_a_mean_and_no_interval_and_it_says_so(make_results) -> None:
    settings = aggregate(load_results(make_results(seeds=(0,))))
    assert settings[["steps_low", "mean_steps_to_goal_low"]].isna().all(axis=None)
    assert settings["mean_steps_to_goal"].notna().all()
    assert set(settings["seeds_interval"]) == {"no interval: 1 seed"}
    assert set(settings["steps_interval"]) == {"no interval: 1 seed"}


@pytest.mark.parametrize(("scenarios", "violations"), [(500, 0), (500, 7), (20, 20), (10_000, 91)])
def test_the_interval_of_a_rate_is_clopper_pearsons(scenarios: int, violations: int) -> None:
    expected = binomtest(violations, scenarios).proportion_ci(0.95, method="exact")
    low, high = rate_interval(scenarios, violations)
    assert low == pytest.approx(expected.low, rel=1e-9, abs=1e-15)
    assert high == pytest.approx(expected.high, rel=1e-9)
