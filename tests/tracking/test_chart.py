"""The interactive chart's geometry: every point within the frame, labels apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracking import load_results
from tracking.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, build_charts, label_span
from tracking.pareto import candidates, pareto_table
from tracking.statistics import aggregate


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
            assert row["method"] == point.method
            assert f"T = {row['horizon']}" in point.lines[0]


def test_everything_is_inside_the_frame(results: Path) -> None:
    for chart in build_charts(aggregate(load_results(results))):
        for point in chart.points:
            assert LEFT <= point.x <= WIDTH - RIGHT
            assert TOP <= point.high <= point.y <= point.low <= HEIGHT - BOTTOM
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
    prior, posterior = build_charts(aggregate(load_results(make_results(alphas=(3.0, 10.0)))))
    assert prior.points == ()
    assert posterior.points
    assert posterior.base_y is None


def test_a_single_point_has_a_frame_of_its_own(make_results) -> None:
    folder = make_results(alphas=(1.1,), horizons=(21,), seeds=(0,))
    frame = load_results(folder)
    settings = aggregate(frame[frame["method"] == "projected_ppo"])
    for chart in build_charts(settings):
        (point,) = chart.points
        assert LEFT < point.x < WIDTH - RIGHT
        assert TOP < point.y < HEIGHT - BOTTOM
