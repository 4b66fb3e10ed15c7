"""A study whose property has no time to goal: everything goes by the mean return."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.pareto import candidates, pareto_columns, pareto_table
from sport_ray.tracking.analysis.pareto_table import print_pareto
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.chart_axes import HEIGHT, LEFT, RIGHT, TOP, WIDTH
from sport_ray.tracking.results.performance import RETURN, STEPS, performance_of
from sport_ray.tracking.results.statistics import aggregate


def as_return(record: dict) -> dict:
    """The same study, as if its property were never settled: 8 units of return a step saved."""
    if record["status"] != "finished":
        return record | {"mean_return": None, "std_return": None}
    value = -8.0 * record["mean_steps_to_goal"] - 2.0 * record["horizon"]
    return record | {
        "mean_steps_to_goal": None,
        "std_steps_to_goal": None,
        "mean_return": value,
        "std_return": 20.0,
    }


@pytest.fixture
def returns(make_results) -> Path:
    return make_results(change=as_return, samples=True)


def answer_of(folder: Path):
    certificate = json.loads((folder / "certificate.json").read_text())
    certificate["mean_steps_to_goal"] = None
    return answer_study(aggregate(load_results(folder)), certificate)


def test_time_to_goal_where_any_cell_has_one_else_return(results: Path, returns_table) -> None:
    assert performance_of(load_results(results)) is STEPS  # which records no return at all
    assert performance_of(returns_table) is RETURN
    some = returns_table.copy()
    some.loc[0, "mean_steps_to_goal"] = 12.0
    assert performance_of(some) is STEPS
    nothing = returns_table.assign(mean_return=np.nan)
    assert performance_of(nothing) is STEPS


@pytest.fixture
def returns_table(make_results) -> pd.DataFrame:
    return load_results(make_results(change=as_return, folder="returns"))


def test_returns_are_summarised_over_all_scenarios(returns_table: pd.DataFrame) -> None:
    row = aggregate(returns_table).iloc[0]
    cells = returns_table[
        (returns_table["source"] == row["source"])
        & (returns_table["horizon"] == row["horizon"])
        & (returns_table["alpha"] == row["alpha"])
    ]
    assert row["mean_return"] == pytest.approx(cells["mean_return"].mean(), rel=1e-12)
    assert row["return_low"] < cells["mean_return"].min()
    assert row["return_interval"] == "95% t-interval over 2 seeds, pointwise"
    assert row["return_standard_error"] == pytest.approx(20.0 / np.sqrt(10_000 * 2))
    assert np.isnan(row["mean_steps_to_goal"])


def test_a_front_keeps_what_no_setting_of_the_same_horizon_beats(returns: Path) -> None:
    settings = aggregate(load_results(returns))
    table = pareto_table(settings)
    assert list(table.columns) == pareto_columns(RETURN)
    for kind, front in table.groupby("risk_kind"):
        kept = set(zip(front["horizon"], front["risk"], front["mean_return"], strict=True))
        assert {h for h, _, _ in kept} == {21, 30}
        every = candidates(settings, str(kind))
        rows = list(zip(every["horizon"], every["risk"], every["mean_return"], strict=True))
        for row in rows:
            beaten = any(
                other[0] == row[0]
                and other[1] <= row[1]
                and other[2] >= row[2]
                and other[1:] != row[1:]
                for other in rows
            )
            assert beaten != (row in kept)


def test_the_answer_names_a_gain_over_the_base_at_the_same_horizon(make_results) -> None:
    folder = make_results(change=as_return, seeds=(0, 1, 2))
    answer = answer_of(folder)
    settings = aggregate(load_results(folder))
    certified = settings[settings["certified"]]
    base = certified[certified["alpha"] == 1].groupby("horizon")["mean_return"].mean()
    gains = certified["mean_return"] - certified["horizon"].map(base)
    assert all(b.gain == pytest.approx(gains[b.setting]) for b in answer.best)
    assert "has a mean return of -" in answer.sentence
    assert "steps" not in answer.sentence
    said = next(
        b
        for b in answer.best
        if f"{b.value:.2f} instead of the base's {b.base_value:.2f}" in answer.sentence
    )
    free = settings[settings["alpha"].isna() & (settings["horizon"] == said.horizon)]
    assert f"a policy has a mean return of {free['mean_return'].max():.2f}." in answer.detail


def test_no_gain_and_an_unknown_base_are_said(make_results) -> None:
    def flat(record: dict) -> dict:
        return as_return(record) | {"mean_return": -150.0}

    answer = answer_of(make_results(change=flat))
    assert answer.sentence.startswith(
        "No certified setting is shown to have a higher return than the base policy: at risk ≤ "
    )
    assert "has -150.00, the base -150.00 (return gained 0.00, 95% interval -" in answer.sentence
    answer = answer_of(make_results(change=as_return, alphas=(1.1, 1.25), folder="no-base"))
    assert {best.base_source for best in answer.best} == {"unknown"}
    assert "not known at that T: add α = 1 to the sweep" in answer.sentence


def test_the_chart_has_more_return_higher_up(returns: Path) -> None:
    settings = aggregate(load_results(returns))
    for chart in build_charts(settings):
        assert chart.base_y is None  # two horizons, two bases
        for p, q in itertools.combinations(chart.points, 2):
            p_return, q_return = (settings.loc[x.setting, "mean_return"] for x in (p, q))
            assert (p_return > q_return) <= (p.y <= q.y)
        assert all(TOP <= p.high <= p.y <= p.low <= HEIGHT for p in chart.points)
        assert chart.path.count("M") == 2  # a staircase for each T
        assert all(LEFT <= p.x <= WIDTH - RIGHT for p in chart.points)
        assert all("mean return -" in p.lines[1] for p in chart.points)


def test_the_page_speaks_of_return_and_never_of_steps_to_goal(returns: Path) -> None:
    (returns / "figures").mkdir()
    (returns / "figures" / "steps_to_goal.png").write_bytes(b"of an older study")
    page = write_report(returns).read_text()
    visible = page[: page.index("Columns of cells.csv")]
    assert "How much more return does each level of certified risk buy?" in visible
    assert "steps to goal" not in visible
    assert "reaches the goal" not in visible
    figures = {file.name for file in (returns / "figures").iterdir()}
    assert {"mean_return.png", "mean_return.svg"} <= figures
    assert "steps_to_goal.png" not in figures


def test_samples_without_poses_show_policies_and_no_trajectories(returns: Path) -> None:
    for file in returns.glob("cells/*/samples.npz"):
        arrays = dict(np.load(file))
        for name in ("poses", "goal", "hazard", "goal_radius", "hazard_radius"):
            del arrays[name]
        np.savez_compressed(file, **arrays)
    page = write_report(returns).read_text()
    assert "“trajectories” is not drawn" in page
    assert (returns / "figures" / "policies.png").exists()


def test_the_terminal_shows_returns(returns: Path) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    print_pareto(console, load_results(returns))
    text = console.export_text()
    assert "prior bound against return" in text
    assert "steps" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-123.456, "-123.46"),
        (0.01234, "0.0123"),
        (0.0, "0.00"),
        (-1e-14, "0.00"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_returns_of_any_size_can_be_read(value: float | None, text: str) -> None:
    assert RETURN.text(value) == text
