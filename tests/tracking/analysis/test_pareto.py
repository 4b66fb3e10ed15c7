"""The Pareto front, against its definition."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.pareto import (
    RISK_KINDS,
    candidates,
    pareto_columns,
    pareto_front,
    pareto_table,
)
from sport_ray.tracking.analysis.pareto_table import print_pareto
from sport_ray.tracking.results.csv_text import write_csv
from sport_ray.tracking.results.performance import STEPS
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import plain_rows

# Few distinct values, so that ties are the rule.
coordinate = st.one_of(st.integers(0, 4).map(float), st.floats(0, 1), st.just(float("inf")))


def dominates(p: tuple[float, float], q: tuple[float, float]) -> bool:
    return p[0] <= q[0] and p[1] <= q[1] and p != q


@given(st.lists(st.tuples(coordinate, coordinate), max_size=30))
def test_front_is_exactly_what_is_not_dominated(points: list[tuple[float, float]]) -> None:
    mask = pareto_front(np.array(points, dtype=float).reshape(-1, 2))
    expected = [not any(dominates(p, q) for p in points) for q in points]
    assert mask.tolist() == expected


@pytest.mark.parametrize("points", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[1.0, float("nan")]]])
def test_front_refuses_other_shapes_and_nan(points: list) -> None:
    with pytest.raises(ValueError, match="points: expected"):
        pareto_front(np.array(points))


def test_only_bounds_below_one_are_candidates(results: Path) -> None:
    settings = aggregate(load_results(results))
    prior = candidates(settings, "prior_bound")
    assert (prior["prior_bound"] < 1).all()
    assert prior["alpha"].max() == 1.25
    posterior = candidates(settings, "posterior_bound")
    assert len(posterior) == 26
    with pytest.raises(ValueError, match="risk_kind: expected one of"):
        candidates(settings, "eps_base")
    assert len(candidates(settings, "empirical_violation_rate")) == 26


def test_table_holds_all_fronts_and_nothing_dominated(results: Path) -> None:
    settings = aggregate(load_results(results))
    table = pareto_table(settings)
    assert list(table.columns) == pareto_columns(STEPS)
    assert set(table["risk_kind"]) == set(RISK_KINDS)
    for kind, front in table.groupby("risk_kind"):
        points = list(zip(front["risk"], front["mean_steps_to_goal"], strict=True))
        assert points == sorted(points)
        assert (front["risk"] == front[kind]).all()
        others = candidates(settings, str(kind))
        every = list(zip(others["risk"], others["mean_steps_to_goal"], strict=True))
        for q in every:
            assert any(dominates(p, q) for p in points) != (q in points)


def test_csv_agrees_with_the_table(results: Path, tmp_path: Path) -> None:
    table = pareto_table(aggregate(load_results(results)))
    again = pd.read_csv(write_csv(table, tmp_path / "pareto.csv"))
    assert list(again.columns) == pareto_columns(STEPS)
    for name in ("risk", "mean_steps_to_goal", "posterior_bound", "empirical_violation_rate"):
        assert again[name].tolist() == table[name].tolist()


def test_rows_are_plain_values(results: Path) -> None:
    rows = plain_rows(pareto_table(aggregate(load_results(results))))
    free = [row for row in rows if not row["projected"]]
    assert free
    assert {row["risk_kind"] for row in free} == {"posterior_bound", "empirical_violation_rate"}
    assert all(row["alpha"] is None and row["prior_bound"] is None for row in free)


def test_print_shows_bounds_rounded_up(results: Path) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    print_pareto(console, load_results(results))
    text = console.export_text()
    first = plain_rows(pareto_table(aggregate(load_results(results))))[0]
    assert "Certified before any rollout" in text
    line = next(line for line in text.splitlines() if line.startswith("  PPO, α = "))
    assert (
        float(line.split()[5])
        >= first["prior_bound"]
        == pytest.approx(float(line.split()[5]), rel=0.01)
    )


def test_print_says_when_nothing_is_certified(make_results) -> None:
    def wide(record: dict) -> dict:
        alpha = record["alpha"] and 10.0 * record["alpha"]
        return record | {"alpha": alpha, "log_alpha": alpha and math.log(alpha)}

    folder = make_results(change=wide)
    console = Console(width=140, record=True, file=io.StringIO())
    print_pareto(console, load_results(folder))
    assert "no setting has a bound below 1" in console.export_text()


def test_the_base_is_one_point_whatever_the_kind_and_method(make_kinds) -> None:
    settings = aggregate(load_results(make_kinds()))
    assert (settings["alpha"] == 1).sum() == 4
    for kind in ("prior_bound", "posterior_bound"):
        base = candidates(settings, kind).query("alpha == 1")
        assert base[["source", "constraint"]].values.tolist() == [["projected_ppo", "ratio"]]


def test_the_same_numbers_of_other_policies_stay_two_points(make_kinds) -> None:
    alike = {"mean_steps_to_goal": 13.0, "prior_bound": 0.1, "posterior_bound": 0.05}
    alike |= {"num_violations": 3, "empirical_violation_rate": 3e-4}
    folder = make_kinds(change=lambda r: r | alike if r["eps_max"] == 0.1 else r)
    chosen = candidates(aggregate(load_results(folder)), "posterior_bound")
    assert (chosen["eps_max"] == 0.1).sum() == 8


def test_bounds_derived_from_one_risk_are_one_risk(make_kinds) -> None:
    """They differ in their last digits; only the best setting of each ε_max is on the front."""
    settings = aggregate(load_results(make_kinds()))
    targeted = settings[settings["eps_max"] == 0.1]
    assert targeted["prior_bound"].nunique() > 1
    assert (targeted["prior_bound"] <= 0.1).all()
    front = pareto_table(settings).query("risk_kind == 'prior_bound'")
    assert front["risk"].tolist() == [settings["prior_bound"].min(), 0.05, 0.1]
    assert front["constraint"].tolist() == ["ratio", "pathwise", "pathwise"]


def test_print_fits_80_columns_whatever_the_names(make_kinds) -> None:
    def long_names(record: dict) -> dict:
        renamed = {"pathwise": "pathwise_all"}.get(record["constraint"], record["constraint"])
        return record | {"constraint": renamed}

    console = Console(width=80, record=True, file=io.StringIO())
    print_pareto(console, load_results(make_kinds(change=long_names)))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "PPO, pathwise budget, all at once," in text
    assert "…" not in text
