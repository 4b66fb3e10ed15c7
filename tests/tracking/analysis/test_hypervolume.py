"""Hypervolume against a grid of allowed risks, where nothing is gained, and in made-up studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.hypervolume import (
    ALL,
    COLUMNS,
    hypervolume_table,
    staircase_gain,
)
from sport_ray.tracking.results.base_steps import BaseSteps
from sport_ray.tracking.results.csv_text import write_csv
from sport_ray.tracking.results.statistics import aggregate

risky = st.lists(st.tuples(st.floats(0, 1.2), st.floats(-3, 3)), max_size=12)


@given(risky)
def test_the_gain_is_the_mean_over_allowed_risks(points: list[tuple[float, float]]) -> None:
    """Chosen and shown by the same numbers, against a sum over a grid of allowed risks."""
    risks = np.array([round(256 * risk) / 256 for risk, _ in points])
    gains = np.array([gain for _, gain in points])
    grid = (np.arange(256) + 0.5) / 256
    expected = [max((g for r, g in zip(risks, gains, strict=True) if r <= x), default=0.0)
                for x in grid]  # fmt: skip
    assert staircase_gain(risks, gains, gains) == pytest.approx(np.mean(expected), abs=1e-9)


def test_many_settings_alone_gain_nothing() -> None:
    """Where nothing is gained the number is 0 on average, with 4 settings and with 40."""
    rng = np.random.default_rng(0)
    for count in (4, 40):
        found = []
        for _ in range(300):
            values = 20.0 + 0.1 * rng.normal(size=(count, 3))
            base = 20.0 + 0.05 * rng.normal(size=3)
            rows = [settings_row(1.0, 0.001, base)]
            rows += [
                settings_row(1 + 0.01 * (i + 1), 0.001 + 0.9 * i / count, one)
                for i, one in enumerate(values)
            ]
            table = hypervolume_table(pd.DataFrame(rows))
            whole = table[(table["source"] == ALL) & (table["risk_kind"] == "prior_bound")]
            found.append(whole["hypervolume"].item())
        error = np.std(found, ddof=1) / len(found) ** 0.5
        assert abs(np.mean(found)) < 4 * error
        assert min(found) < 0 < max(found)


def settings_row(alpha: float, risk: float, values: np.ndarray) -> dict:
    return {
        "source": "projected_ppo", "projected": True, "constraint": "ratio",
        "alpha": alpha, "eps_max": np.nan, "horizon": 30, "hyperparameters": None, "seeds": 3,
        "mean_steps_to_goal": values.mean(), "mean_return": np.nan, "certified": True,
        "steps_by_seed": tuple(enumerate(values)), "prior_bound": risk, "posterior_bound": risk,
        "empirical_violation_rate": risk, "refuted": False,
    }  # fmt: skip


def test_a_real_gain_is_seen(make_results) -> None:
    settings = aggregate(load_results(make_results(seeds=(0, 1, 2))))
    table = hypervolume_table(settings).set_index(["risk_kind", "source"])["hypervolume"]
    assert 0.3 < table["prior_bound", ALL] < table["empirical_violation_rate", ALL]


def test_a_study_is_measured_from_risk_one_and_the_base(results: Path, tmp_path: Path) -> None:
    settings = aggregate(load_results(results))
    table = hypervolume_table(settings)
    assert list(table.columns) == COLUMNS
    base = settings.query("alpha == 1 and horizon == 30")["mean_steps_to_goal"].mean()
    assert table["reference_performance"].tolist() == [pytest.approx(base)] * len(table)
    assert set(table["reference_source"]) == {"the base (α = 1) at T = 30"}
    free = table[table["projected"].eq(False)]
    assert "prior_bound" not in set(free["risk_kind"])  # nothing is certified
    again = pd.read_csv(write_csv(table, tmp_path / "hypervolume.csv"))
    assert again["hypervolume"].to_numpy() == pytest.approx(table["hypervolume"], nan_ok=True)


def test_without_alpha_one_the_reference_is_the_base_at_the_same_t_or_t(make_results) -> None:
    folder = make_results(alphas=(1.1, 1.25))
    settings = aggregate(load_results(folder))
    table = hypervolume_table(settings, lambda horizon: BaseSteps(14.0 + horizon, 0.1, 100))
    assert set(table["reference_performance"]) == {44.0}
    assert set(hypervolume_table(settings)["reference_performance"]) == {30.0}


def test_one_seed_has_nothing_to_choose_on(make_results) -> None:
    table = hypervolume_table(aggregate(load_results(make_results(seeds=(0,)))))
    assert len(table)
    assert table["hypervolume"].isna().all()


def test_returns_are_measured_at_each_horizon_by_itself(make_results) -> None:
    def as_return(record: dict) -> dict:
        value = record["mean_steps_to_goal"]
        value = None if value is None else -10 * value - record["horizon"]
        steps = {"mean_steps_to_goal": None, "std_steps_to_goal": None}
        return record | steps | {"mean_return": value, "std_return": 3.0}

    settings = aggregate(load_results(make_results(change=as_return)))
    table = hypervolume_table(settings)
    for horizon in (21, 30):
        rows = table[table["horizon"] == horizon]
        base = settings.query("alpha == 1 and horizon == @horizon")["mean_return"].mean()
        assert rows["reference_performance"].tolist() == [pytest.approx(base)] * len(rows)
        assert (rows["hypervolume"] > 0).any()
    no_base = settings[settings["alpha"] != 1]
    assert hypervolume_table(no_base).empty
