"""The interactive chart's geometry: every point within the frame, labels apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.pareto import candidates, pareto_table
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.chart_axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    LOWEST,
    RIGHT,
    TOP,
    WIDTH,
    RiskAxis,
)
from sport_ray.tracking.report.chart_labels import MARK, labels_with_room
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
def test_labels_are_on_no_mark_and_no_other_label(
    make: str, request: pytest.FixtureRequest
) -> None:
    for chart in build_charts(aggregate(load_results(request.getfixturevalue(make)()))):
        labels = [point.label for point in chart.points if point.label]
        assert labels
        taken = [(p.x - MARK, p.x + MARK, p.y - MARK, p.y + MARK) for p in chart.points]
        for label in labels:
            left, right, top, bottom = label.box
            assert 0 <= left < right <= WIDTH
            assert 0 <= top < bottom <= LOWEST
            for other in taken:
                assert right < other[0] or left > other[1] or bottom < other[2] or top > other[3], (
                    label
                )
            taken.append(label.box)


def test_a_label_goes_where_there_is_room() -> None:
    def place(*others: tuple[float, float], at: tuple[float, float] = (200.0, 200.0)) -> object:
        (found,) = labels_with_room([at], ["α 1.1"], [at, *others])
        return found and (found.x, found.y, found.end)

    right, left = (215.0, 190.0), (185.0, 190.0)
    assert place() == (209.0, 191.0, False)
    assert place(right) == (191.0, 191.0, True)
    assert place(right, left) == (209.0, 217.0, False)
    assert place(right, left, (215.0, 212.0)) == (191.0, 217.0, True)
    assert place(right, left, (215.0, 212.0), (185.0, 212.0)) is None
    assert place(at=(WIDTH - 20.0, 200.0)) == (WIDTH - 29.0, 191.0, True)
    assert place(at=(200.0, 8.0)) == (209.0, 25.0, False)  # above there is no room
    near = labels_with_room([(200.0, 200.0), (210.0, 195.0)], ["α 1", "α 2"], [])
    assert [one and (one.y, one.end) for one in near] == [(191.0, False), (186.0, True)]


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
        assert len(chart.x_ticks) >= 2
        apart = zip(chart.x_ticks, chart.x_ticks[1:], strict=False)
        assert all(right.place - left.place > 8 * len(right.label) for left, right in apart)


@pytest.mark.parametrize("risk", np.geomspace(1e-9, 0.999, 60))
def test_a_single_risk_can_be_read_off_wherever_it_is(risk: float) -> None:
    axis = RiskAxis.of(np.array([risk]))
    labels = [float(tick.label) for tick in axis.ticks]
    assert 2 <= len(labels) == len(set(labels)) <= 8
    for tick, value in zip(axis.ticks, labels, strict=True):
        assert LEFT <= tick.place <= WIDTH - RIGHT
        assert tick.place == axis.place(value)


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
