"""Hypervolume against counting unit squares, and against the base in made-up studies."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import load_results
from tracking.hypervolume import (
    ALL,
    COLUMNS,
    hypervolume,
    hypervolume_table,
    write_hypervolume_csv,
)
from tracking.pareto import candidates, pareto_front
from tracking.statistics import aggregate

SIDE = 8
corner = st.tuples(st.integers(0, SIDE + 2), st.integers(0, SIDE + 2))
point = st.tuples(st.floats(0, 3), st.floats(-3, 3))


def by_counting(points: list[tuple[int, int]]) -> int:
    """Unit squares [i, i+1) x [j, j+1) below the reference that some point dominates."""
    squares = itertools.product(range(SIDE), range(SIDE))
    return sum(any(p <= i and q <= j for p, q in points) for i, j in squares)


@given(st.lists(corner, max_size=12))
def test_area_is_the_number_of_dominated_unit_squares(points: list[tuple[int, int]]) -> None:
    array = np.array(points, dtype=float).reshape(-1, 2)
    assert hypervolume(array, (SIDE, SIDE)) == by_counting(points)


@given(st.lists(point, max_size=20), point)
def test_only_the_front_counts_and_more_points_are_never_less(
    points: list[tuple[float, float]], another: tuple[float, float]
) -> None:
    array = np.array(points, dtype=float).reshape(-1, 2)
    area = hypervolume(array, (2.0, 2.0))
    assert hypervolume(array[pareto_front(array)], (2.0, 2.0)) == pytest.approx(area, abs=1e-12)
    assert hypervolume(array[::-1], (2.0, 2.0)) == area
    more = hypervolume(np.vstack([array, another]), (2.0, 2.0))
    assert more >= area - 1e-12
    assert area >= 0


def test_no_limit_is_infinite_and_the_reference_itself_adds_nothing() -> None:
    assert hypervolume(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), (1.0, 1.0)) == 0
    assert hypervolume(np.array([[0.0, -np.inf]]), (1.0, 1.0)) == np.inf
    assert hypervolume(np.array([[0.0, 0.0], [0.0, -np.inf]]), (1.0, 1.0)) == np.inf


@pytest.mark.parametrize("points", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[1.0, float("nan")]]])
def test_other_shapes_and_nan_are_refused(points: list) -> None:
    with pytest.raises(ValueError, match="points: expected"):
        hypervolume(np.array(points), (1.0, 1.0))
    with pytest.raises(ValueError, match="reference: expected"):
        hypervolume(np.zeros((0, 2)), (1.0, float("nan")))


def certificate_of(folder: Path) -> dict:
    return json.loads((folder / "certificate.json").read_text())


def test_a_study_is_measured_from_risk_one_and_the_base(results: Path, tmp_path: Path) -> None:
    settings = aggregate(load_results(results))
    table = hypervolume_table(settings, certificate_of(results))
    assert list(table.columns) == COLUMNS
    base = settings.query("alpha == 1 and horizon == 30")["mean_steps_to_goal"].mean()
    assert table["reference_performance"].tolist() == [pytest.approx(base)] * len(table)
    assert set(table["reference_source"]) == {"the base (α = 1) at T = 30"}
    for (kind, method), rows in table.groupby(["constraint", "method"]):
        row = rows.query("risk_kind == 'prior_bound'")
        chosen = candidates(settings, "prior_bound")
        chosen = chosen if method == ALL else chosen[chosen["method"] == method]
        if method == "unconstrained":
            assert row.empty  # nothing is certified
            continue
        # The mean of what is saved, by the midpoint rule over a fine grid of allowed risks.
        risks = (np.arange(200_000) + 0.5) / 200_000
        saved = np.zeros_like(risks)
        for _, one in chosen.iterrows():
            gain = np.where(risks >= one["prior_bound"], base - one["mean_steps_to_goal"], 0.0)
            saved = np.maximum(saved, gain)
        assert row["hypervolume"].item() == pytest.approx(saved.mean(), abs=1e-4)
        assert (kind, method) in {(ALL, ALL), ("ratio", method)}
    whole = table[table["method"] == ALL].set_index("risk_kind")["hypervolume"]
    assert all(row["hypervolume"] <= whole[row["risk_kind"]] for _, row in table.iterrows())
    again = pd.read_csv(write_hypervolume_csv(table, tmp_path / "hypervolume.csv"))
    assert again["hypervolume"].tolist() == table["hypervolume"].tolist()


def test_without_alpha_one_the_reference_is_the_certificates_or_t(make_results) -> None:
    folder = make_results(alphas=(1.1, 1.25))
    settings = aggregate(load_results(folder))
    table = hypervolume_table(settings, certificate_of(folder))
    assert set(table["reference_performance"]) == {14.02}
    assert set(hypervolume_table(settings)["reference_performance"]) == {30.0}


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
