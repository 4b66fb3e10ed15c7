"""The interactive chart's geometry: every point within the frame, labels apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.pareto import candidates, pareto_table
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.chart_axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, label_span
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.task_policies import series_of_row


def test_points_agree_with_the_fronts(results: Path) -> None:
    settings = aggregate(load_results(results))
    table = pareto_table(settings)
    for chart in build_charts(settings):
        front = [point for point in chart.points if point.on_front]
        assert len(front) == (table["risk_kind"] == chart.kind).sum()
        assert len(chart.points) == len(candidates(settings, chart.kind))
        # Along a front, risk grows to the right and steps fall, which in SVG is downwards.
        assert [p.y for p in front] == sorted(p.y for p in front)
        for point in chart.points:
            row = settings.loc[point.setting]
            assert series_of_row(row) == point.method
            assert f"T = {row['horizon']}" in point.lines[0]


def test_everything_is_inside_the_frame(results: Path) -> None:
    for chart in build_charts(aggregate(load_results(results))):
        for point in chart.points:
            assert LEFT <= point.x <= WIDTH - RIGHT
            assert TOP <= point.high <= point.y <= point.low <= HEIGHT - BOTTOM
            assert LEFT <= point.left <= point.x <= point.right <= WIDTH - RIGHT
        assert len(chart.x_ticks) >= 3
        assert 3 <= len(chart.y_ticks) <= 8
        assert all(LEFT <= tick.place <= WIDTH - RIGHT for tick in chart.x_ticks)


@pytest.mark.parametrize("make", ["make_results", "make_kinds"])
def test_labels_do_not_overlap(make: str, request: pytest.FixtureRequest) -> None:
    for chart in build_charts(aggregate(load_results(request.getfixturevalue(make)()))):
        tagged = [point for point in chart.points if point.label]
        assert tagged
        for i, p in enumerate(tagged):
            left, right = label_span(p.x, p.label)
            assert 0 <= left < right <= WIDTH
            for q in tagged[:i]:
                q_left, q_right = label_span(q.x, q.label)
                assert right < q_left or left > q_right or abs(p.y - q.y) > 17


def test_without_certified_points_the_panel_is_empty(make_results) -> None:
    prior, posterior, observed = build_charts(
        aggregate(load_results(make_results(alphas=(3.0, 10.0))))
    )
    assert prior.points == ()
    assert posterior.points
    assert observed.points
    assert posterior.base_y is None


def test_a_single_point_has_a_frame_of_its_own(make_results) -> None:
    folder = make_results(alphas=(1.1,), horizons=(21,), seeds=(0,))
    frame = load_results(folder)
    settings = aggregate(frame[frame["source"] == "projected_ppo"])
    for chart in build_charts(settings):
        (point,) = chart.points
        assert LEFT < point.x < WIDTH - RIGHT
        assert TOP < point.y < HEIGHT - BOTTOM


def test_a_rate_of_zero_has_a_place_of_its_own(make_results) -> None:
    def clean(record: dict) -> dict:
        counts = {"num_violations": 0, "num_hazard": 0, "num_timeout": 0}
        seen = record["alpha"] is not None and record["seed"] == 0
        return record | counts | {"empirical_violation_rate": 0.0} if seen else record

    settings = aggregate(load_results(make_results(change=clean)))
    *_, observed = build_charts(settings)
    assert observed.x_ticks[0].label == "0"
    zero = observed.x_ticks[0].place
    assert LEFT < zero < observed.x_ticks[1].place
    for point in observed.points:
        row = settings.loc[point.setting]
        assert (point.left == zero) == (row["min_empirical_violation_rate"] == 0)
        assert (point.x == zero) == (row["empirical_violation_rate"] == 0)
        assert point.x >= zero


def test_series_join_the_settings_of_one_method_constraint_and_horizon(results: Path) -> None:
    settings = aggregate(load_results(results))
    for chart in build_charts(settings):
        for line in chart.series:
            places = {
                (point.x, point.y)
                for point in chart.points
                if (point.method, point.kind, point.horizon)
                == (line.method, line.kind, line.horizon)
            }
            corners = [tuple(map(float, one.split(","))) for one in line.path[1:].split("L")]
            assert len(corners) == len(places) > 1
            assert set(corners) == places
        assert len({line.dash for line in chart.series}) == settings["horizon"].nunique()


def test_a_point_names_its_cells(results: Path) -> None:
    settings = aggregate(load_results(results))
    ids = {index: [f"{index:08d}-{n}" for n in range(7)] for index in settings.index}
    for chart in build_charts(settings, ids):
        for point in chart.points:
            first = f"{point.setting:08d}"
            assert point.lines[-1] == "cells " + ", ".join([first] * 5) + " and 2 more"
