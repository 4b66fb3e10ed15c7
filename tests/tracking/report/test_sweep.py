"""Heat maps and parallel coordinates: each value at its place, and none where nothing is swept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sport_ray.tracking import load_results
from sport_ray.tracking.report.heat import STRONGEST, heat_maps
from sport_ray.tracking.report.parallel import BOTTOM, HEIGHT, SIDE, TOP, WIDTH, parallel_of
from sport_ray.tracking.results.performance import STEPS
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate


def test_maps_have_every_setting_at_its_limit_and_horizon(make_results) -> None:
    folder = make_results()
    settings = aggregate(load_results(folder))
    certificate = read_results(folder).certificate
    maps = heat_maps(settings, STEPS, certificate)
    assert {one.title for one in maps} == {
        "constant ratio, Projected at deployment",
        "constant ratio, Projected PPO",
    }
    for one in maps:
        assert (one.axis, one.horizons) == ("α", (21, 30))
        assert [title for title, _ in one.panels] == ["promised", "observed", "steps to goal"]
        for _, rows in one.panels:
            for horizon, cells in zip(one.horizons, rows, strict=True):
                for column, cell in zip(one.columns, cells, strict=True):
                    assert cell is not None
                    row = settings.loc[cell.setting]
                    assert (row["horizon"], row["alpha"]) == (horizon, float(column))
                    assert cell.empty == (row["prior_bound"] >= 1)
                    assert 0 <= cell.fill <= STRONGEST


def test_the_best_horizon_allows_the_largest_alpha(make_results) -> None:
    folder = make_results()
    certificate = read_results(folder).certificate
    assert certificate is not None
    (first, *_) = heat_maps(aggregate(load_results(folder)), STEPS, certificate)
    bounds = certificate["table"]["eps_base_simultaneous"]
    largest = [(0.1 / bounds[T - 1]) ** (1 / T) for T in first.horizons]
    assert first.best == int(np.argmax(largest))
    assert heat_maps(aggregate(load_results(folder)), STEPS, None)[0].best == -1


def test_one_horizon_is_no_map_and_one_axis_no_lines(make_results) -> None:
    settings = aggregate(load_results(make_results(horizons=(21,))))
    assert heat_maps(settings, STEPS, None) == []
    assert parallel_of(settings, STEPS) is None


def test_lines_pass_through_their_values(make_results) -> None:
    settings = aggregate(load_results(make_results()))
    chart = parallel_of(settings, STEPS)
    assert chart is not None
    assert [axis.name for axis in chart.axes] == [
        "α", "T", "promised", "observed", "steps to goal",
    ]  # fmt: skip
    assert len(chart.lines) + chart.left_out == len(settings)
    last = []
    for line in chart.lines:
        places = np.array([[float(n) for n in one.split(",")] for one in line.path[1:].split("L")])
        assert ((places[:, 0] >= SIDE) & (places[:, 0] <= WIDTH - SIDE)).all()
        assert ((places[:, 1] >= TOP) & (places[:, 1] <= HEIGHT - BOTTOM)).all()
        last.append((settings.loc[line.setting, "mean_steps_to_goal"], places[-1, 1]))
    steps, heights = pd.DataFrame(last).to_numpy().T
    assert np.corrcoef(steps, heights)[0, 1] < -0.999  # more is higher up


def test_parameters_are_axes_and_a_derived_alpha_is_none(make_results) -> None:
    def tuned(record: dict) -> dict:
        rate = 1e-4 if record["seed"] == 0 else 3e-4
        return record | {"hyperparameters": f"lr={rate:g}", "seed": 0}

    chart = parallel_of(aggregate(load_results(make_results(horizons=(21,), change=tuned))), STEPS)
    assert chart is not None
    assert [axis.name for axis in chart.axes][:2] == ["α", "lr"]
