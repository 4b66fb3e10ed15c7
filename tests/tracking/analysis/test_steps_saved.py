"""Steps saved against the base, per base and over several, beside the paper's."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from sport_ray.tracking.analysis.published import read_published
from sport_ray.tracking.analysis.steps_saved import ALL, COLUMNS, steps_saved
from sport_ray.tracking.results.intervals import estimate
from sport_ray.tracking.results.two_levels import pooled_crossed, prediction, prediction_crossed

PAPER = read_published("arxiv_2504_06386")


def cells(steps: dict[float, list[float]], rate: float = 0.0, **more: Any) -> pd.DataFrame:
    """Cells of one base at T = 22: the steps of each seed, by α."""
    rows = [
        {
            "status": "finished",
            "source": "unconstrained",
            "projected": True,
            "constraint": "ratio",
            "alpha": alpha,
            "horizon": 22,
            "hyperparameters": None,
            "seed": seed,
            "policy_digest": None,
            "mean_steps_to_goal": value,
            "empirical_violation_rate": rate + 0.005 * seed,
        }
        | more
        for alpha, column in steps.items()
        for seed, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


ONE = {1.0: [15.0, 15.2, 15.1], 5.0: [13.0, 13.1, 13.3]}
OTHER = {1.0: [14.0, 14.0, 14.0], 5.0: [12.6, 12.4, 12.5]}


def row(table: pd.DataFrame, base: str, alpha: float = 5.0) -> pd.Series:
    [found] = table[(table["base"] == base) & (table["alpha"] == alpha)].to_dict("records")
    return pd.Series(found)


def test_seeds_are_paired_with_the_base_of_the_same_seed() -> None:
    found = row(steps_saved({"a": cells(ONE)}, PAPER), "a")
    assert found["saved"] == pytest.approx((2.0 + 2.1 + 1.8) / 3)
    assert found["saved_low"] == pytest.approx(estimate([2.0, 2.1, 1.8]).low)
    assert (found["bases"], found["seeds"]) == (1, 3)


def test_over_bases_it_is_the_mean_of_their_means() -> None:
    table = steps_saved({"a": cells(ONE), "b": cells(OTHER)}, PAPER)
    assert list(table.columns) == list(COLUMNS)
    found = row(table, ALL)
    means = [5.9 / 3, 1.5]
    assert found["saved"] == pytest.approx(sum(means) / 2)
    assert found["saved_high"] == pytest.approx(estimate(means).high)
    expected = prediction([[2.0, 2.1, 1.8], [1.4, 1.6, 1.5]])
    assert (found["prediction_low"], found["prediction_high"]) == pytest.approx(expected[1:])
    assert (found["bases"], found["seeds"]) == (2, 6)


def test_the_papers_difference_is_the_same_in_actions() -> None:
    found = row(steps_saved({"a": cells(ONE)}, PAPER), "a")
    assert found["saved_published"] == 1.7  # 14.0 − 12.3
    assert (found["saved_published_low"], found["saved_published_high"]) == (1.6, 1.8)
    assert found["rate_published"] == "0.03"


@pytest.mark.parametrize(
    ("steps", "agrees"),
    [
        ([13.3, 13.4, 13.2], True),  # 1.7 saved on average
        ([13.21, 13.21, 13.22], True),  # 1.79: as little as the reading may be off
        ([13.15, 13.16, 13.15], False),  # 1.85: more than that
        ([14.0, 14.01, 14.0], False),
        ([12.0, 12.0, 12.01], False),
    ],
)
def test_it_agrees_where_one_more_seed_would_lie(steps: list[float], agrees: bool) -> None:
    frame = cells({1.0: [15.0, 15.0, 15.0], 5.0: steps})
    assert row(steps_saved({"a": frame}, PAPER), "a")["agrees"] is agrees


def test_bases_that_differ_widen_what_agrees() -> None:
    far = {1.0: [15.0] * 3, 5.0: [13.9, 13.91, 13.9]}  # 1.1 saved
    farther = {1.0: [15.0] * 3, 5.0: [13.6, 13.61, 13.6]}  # 1.4 saved
    table = steps_saved({"a": cells(far), "b": cells(farther)}, PAPER)
    assert row(table, "a")["agrees"] is False
    assert row(table, "b")["agrees"] is False
    assert row(table, ALL)["agrees"] is True


def test_the_base_itself_agrees_with_nothing() -> None:
    found = row(steps_saved({"a": cells(ONE)}, PAPER), "a", alpha=1.0)
    assert found["saved"] == 0.0
    assert found["agrees"] is None


def test_other_settings_than_the_papers_have_no_number_of_its() -> None:
    frames = [cells(ONE, horizon=21), cells(ONE, source="scpo"), cells(ONE).replace(5.0, 4.0)]
    for frame in frames:
        found = row(steps_saved({"a": frame}, PAPER), "a", alpha=float(frame["alpha"].max()))
        assert math.isnan(found["saved_published"])
        assert found["agrees"] is None
    assert row(steps_saved({"a": cells(ONE)}), "a")["agrees"] is None


def test_violations_by_seed() -> None:
    table = steps_saved({"a": cells(ONE, rate=0.0), "b": cells(OTHER, rate=0.01)}, PAPER)
    assert row(table, "a")["rate"] == pytest.approx(0.005)
    assert row(table, "a")["seeds_above_1pct"] == 0  # 0.01 itself is not above
    assert row(table, "b")["seeds_above_1pct"] == 2
    over = row(table, ALL)
    assert (over["seeds_above_1pct"], over["seeds"]) == (2, 6)
    assert over["rate"] == pytest.approx(0.01)
    assert over["rate_worst"] == pytest.approx(0.02)


def test_a_base_without_alpha_one_and_a_seed_without_a_goal_save_nothing_known() -> None:
    alone = steps_saved({"a": cells({5.0: [13.0, 13.1]})}, PAPER)
    assert math.isnan(row(alone, "a")["saved"])
    never = cells({1.0: [15.0, 15.0], 5.0: [13.0, math.nan]})
    table = steps_saved({"a": never, "b": cells(OTHER)}, PAPER)
    assert math.isnan(row(table, "a")["saved"])
    assert math.isnan(row(table, ALL)["saved"])
    assert row(table, ALL)["rate"] == pytest.approx(0.00375)


def test_an_alpha_that_only_one_base_has_is_of_one_base() -> None:
    more = cells({**ONE, 9.0: [12.0, 12.0, 12.1]})
    found = row(steps_saved({"a": more, "b": cells(OTHER)}, PAPER), ALL, alpha=9.0)
    assert found["bases"] == 1


def test_failed_cells_and_other_constraints_are_left_out() -> None:
    frame = cells(ONE)
    frame.loc[frame["seed"] == 2, "status"] = "failed"
    assert row(steps_saved({"a": frame}, PAPER), "a")["seeds"] == 2
    assert steps_saved({"a": cells(ONE, constraint="gauss_renyi")}, PAPER).empty
    assert steps_saved({}, PAPER).empty


def test_bases_that_share_their_task_policies_are_crossed_with_the_seeds() -> None:
    """Of steps saved a seed is left out that one base has not yet: it is of no pair."""
    first, second = (
        one.assign(policy_digest=one["seed"].map(str)) for one in map(cells, (ONE, OTHER))
    )
    found = row(steps_saved({"a": first, "b": second}, PAPER), ALL)
    table = [[2.0, 2.1, 1.8], [1.4, 1.6, 1.5]]
    assert found["saved_high"] == pytest.approx(pooled_crossed(table).high)
    assert found["prediction_low"] == pytest.approx(prediction_crossed(table).low)
    found = row(steps_saved({"a": first, "b": second[second["seed"] != 1]}, PAPER), ALL)
    assert found["saved_high"] == pytest.approx(pooled_crossed([[2.0, 1.8], [1.4, 1.5]]).high)
    assert found["seeds"] == 5  # of its violations the seed is not left out
    assert found["rate_worst"] == pytest.approx(0.01)
