"""The figure of sources: drawn from the table alone, every series named and told apart."""

from __future__ import annotations

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.task_policies import task_policy_table
from sport_ray.tracking.figures.style import look
from sport_ray.tracking.figures.task_policies import draw_task_policies
from sport_ray.tracking.results.performance import RETURN, STEPS
from sport_ray.tracking.results.statistics import aggregate


def draw(folder, measure=STEPS, out=None):
    frame = load_results(folder)
    table = task_policy_table(frame, aggregate(frame))
    with look():
        return draw_task_policies(table, measure, out or folder / "figures")


def test_every_series_is_in_the_legend(make_sources) -> None:
    drawn = draw(make_sources())
    for name in (
        "SCPO, as it is",
        "SCPO, projected",
        "constant ratio, PreSa, projected",
        "constant ratio, Projected PPO",
    ):
        assert name in drawn.svg
    assert "too few for an interval" not in drawn.svg


def test_few_seeds_are_said_on_the_figure(make_sources) -> None:
    drawn = draw(make_sources(seeds=(0,)))
    assert "1 seed: too few for an interval" in drawn.svg


def test_nothing_to_compare_is_no_figure(make_results) -> None:
    assert draw(make_results(), RETURN) is None
