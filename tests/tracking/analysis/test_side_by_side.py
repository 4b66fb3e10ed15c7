"""Published numbers beside measured ones."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from sport_ray.bounds import scenario_bound
from sport_ray.tracking.analysis.published import published_names, published_text, read_published
from sport_ray.tracking.analysis.side_by_side import COLUMNS, published_of, side_by_side

NAME = "arxiv_2504_06386"


def cells(rates: list[float], **more: Any) -> pd.DataFrame:
    rows = [
        {
            "status": "finished",
            "source": "unconstrained",
            "projected": True,
            "constraint": "ratio",
            "alpha": 10.0,
            "horizon": 22,  # actions: 21 as the authors count
            "hyperparameters": None,
            "seed": seed,
            "mean_steps_to_goal": 12.0 + 0.1 * seed,
            "empirical_violation_rate": rate,
            "posterior_bound": rate + 0.01,
            "posterior_beta": 1e-7,
            "num_violations_1000": round(1000 * rate),
        }
        | more
        for seed, rate in enumerate(rates)
    ]
    return pd.DataFrame(rows)


def beside(table: pd.DataFrame, published: str | None = NAME) -> pd.DataFrame:
    return side_by_side(table, published_of({"tracking": {"published": published}}))


def test_a_setting_stands_beside_the_paper() -> None:
    [row] = beside(cells([0.09, 0.1, 0.12])).to_dict("records")
    assert (row["method"], row["alpha"], row["seeds"]) == ("projected_at_deployment", 10.0, 3)
    assert (row["horizon"], row["horizon_published"]) == (22, 21)
    assert (row["steps_published"], row["steps_published_actions"]) == (11.9, 12.9)
    assert row["steps"] == pytest.approx(12.1)
    assert row["steps_difference"] == pytest.approx(-0.8)
    assert row["rate_published"] == "0.10"
    assert row["rate_agrees"]
    assert row["rate_worst"] == 0.12
    assert row["posterior_worst"] == pytest.approx(0.13)
    assert row["posterior_worst_1000"] == scenario_bound(1000, 120, 1e-7)


@pytest.mark.parametrize(
    ("method", "alpha", "rates", "agrees"),
    [
        ("projected_at_deployment", 10.0, [0.3, 0.31, 0.32], False),
        ("projected_at_deployment", 100.0, [0.77, 0.78, 0.79], True),
        ("projected_ppo", 100.0, [0.001, 0.002, 0.003], True),  # published: below 0.01
        ("projected_ppo", 100.0, [0.011, 0.012, 0.013], False),
    ],
)
def test_rates_agree_within_what_can_be_read(
    method: str, alpha: float, rates: list[float], agrees: bool
) -> None:
    source = "projected_ppo" if method == "projected_ppo" else "unconstrained"
    [row] = beside(cells(rates, source=source, alpha=alpha)).to_dict("records")
    assert row["rate_agrees"] is agrees


def test_what_the_study_does_not_have_is_left_out() -> None:
    table = cells([0.1])
    assert beside(table, None).empty
    assert beside(table.assign(horizon=21)).empty
    assert beside(table.assign(constraint="gauss_renyi")).empty
    assert list(beside(table, None).columns) == list(COLUMNS)


def test_records_without_a_count_of_the_first_thousand_give_no_bound_from_it() -> None:
    table = cells([0.1, 0.1]).assign(num_violations_1000=math.nan)
    [row] = beside(table).to_dict("records")
    assert math.isnan(row["posterior_worst_1000"])


def test_a_seed_that_never_arrives_leaves_no_mean_time() -> None:
    table = cells([0.1, 0.1, 0.1])
    table.loc[0, "mean_steps_to_goal"] = math.nan
    [row] = beside(table).to_dict("records")
    assert math.isnan(row["steps"])


def test_steps_saved_stand_beside_the_papers() -> None:
    table = pd.concat([cells([0.0, 0.0], alpha=1.0), cells([0.1, 0.1])])
    table["mean_steps_to_goal"] = [15.0, 15.1, 13.0, 12.9]
    row = beside(table).set_index("alpha").loc[10.0]
    assert row["saved_published"] == pytest.approx(2.1)  # 14.0 − 11.9, however one counts
    assert row["saved"] == pytest.approx(2.1)
    assert row["saved_agrees"]


def test_every_policy_that_knew_no_bound_stands_beside_the_first_experiment() -> None:
    table = pd.concat(
        [
            cells([0.1, 0.1]),
            cells([0.2, 0.2], source="soft_actor_critic"),
            cells([0.2, 0.2], source="scpo"),  # trained under a bound of its own
        ]
    )
    found = beside(table)
    assert list(found["series"]) == [
        "projected_at_deployment",
        "projected_at_deployment:soft_actor_critic",
    ]
    assert list(found["rate"]) == pytest.approx([0.1, 0.2])


def test_published_tables_can_be_read() -> None:
    assert NAME in published_names()
    for name in published_names():
        header = published_text(name).splitlines()[0]
        assert header == "method,alpha,horizon,mean_steps_to_goal,violation_rate,counted_from"


def test_the_authors_count_one_action_fewer() -> None:
    table = read_published(NAME).set_index(["method", "alpha"])
    assert set(table["horizon"]) == {21}
    assert set(table["horizon_actions"]) == {22}
    last = table.loc[("projected_at_deployment", 100.0)]
    assert (last["mean_steps_to_goal"], last["steps_actions"]) == (11.3, 12.3)
    assert table.loc[("projected_ppo", 100.0), "steps_actions"] == pytest.approx(13.1)
    assert table.loc[("projected_ppo", 1.0), "steps_actions"] == 15.0
