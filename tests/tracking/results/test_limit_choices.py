"""Choices of limits from records: in order, up to the first that fails, at each risk."""

from __future__ import annotations

import math

from sport_ray.tracking.analysis.limits import limits_table
from sport_ray.tracking.results.limit_choices import choices_of, risks_from_data
from sport_ray.tracking.results.table import results_table

BOUNDS = [0.02, 0.04, 0.2, 0.03]


def a_list(bounds=BOUNDS, levels="0.05, 0.3", **changes):
    return [
        {
            "cell_id": f"cell{rank}", "status": "finished", "limit_list": "l", "limit_rank": rank,
            "limit_size": len(bounds), "limit_levels": levels, "limit_bound": bound, **changes,
        }
        for rank, bound in enumerate(bounds, start=1)
    ]  # fmt: skip


def test_members_pass_up_to_the_first_that_fails():
    low, high = choices_of(a_list())
    assert (low.level, low.passed) == (0.05, ("cell1", "cell2"))  # the last one is never asked
    assert (high.level, high.passed) == (0.3, ("cell1", "cell2", "cell3", "cell4"))
    assert risks_from_data([low, high]) == {
        "cell1": 0.05, "cell2": 0.05, "cell3": 0.3, "cell4": 0.3,
    }  # fmt: skip


def test_order_is_the_ranks_not_the_records():
    assert choices_of(reversed(a_list()))[0].passed == ("cell1", "cell2")


def test_a_member_that_is_missing_failed_or_refused_ends_the_test():
    cells = a_list()
    for broken in (
        [cells[0], *cells[2:]],
        [cells[0], {**cells[1], "status": "failed"}, *cells[2:]],
        [cells[0], {**cells[1], "limit_bound": None}, *cells[2:]],
    ):
        assert choices_of(broken)[1].passed == ("cell1",)
    assert choices_of([{"cell_id": "x", "limit_list": None}]) == []


def listed_results(make_results):
    """The default study's cells with α above 1 as lists in the order of α, one for each seed."""
    alphas = {}

    def change(record):
        if record["source"] != "projected_ppo" or record["alpha"] in (None, 1.0):
            return record
        if record["horizon"] != 21:
            return record
        rank = alphas.setdefault(record["alpha"], len(alphas) + 1)
        return record | {
            "limit_list": f"l{record['seed']}", "limit_rank": rank, "limit_size": 9,
            "limit_levels": "0.1", "limit_bound": 0.02 * rank, "limit_beta": 1e-7,
            "limit_scenarios": 1000,
        }  # fmt: skip

    return make_results(change=change)


def test_the_table_says_which_risk_the_data_promise(make_results):
    from sport_ray.tracking import load_results

    frame = load_results(listed_results(make_results))
    listed = frame[frame["limit_list"].notna()]
    within = listed["limit_rank"] <= 5
    assert (listed[within]["limit_level"] == 0.1).all()
    assert listed[~within]["limit_level"].isna().all()
    assert frame[frame["limit_list"].isna()]["limit_level"].isna().all()


def test_a_refuted_study_promises_nothing_from_data(make_results):
    from sport_ray.tracking.results.records import read_results

    records = read_results(listed_results(make_results)).records
    for record in records:
        if record["limit_rank"] == 1:
            record["num_violations"] = record["num_scenarios"] // 2
    frame = results_table(records)
    assert frame["refuted"].any()
    assert frame["limit_level"].isna().all()
    assert limits_table(frame).empty


def test_prior_limit_and_limit_from_data_side_by_side(make_results):
    from sport_ray.tracking.results.records import read_results

    records = read_results(listed_results(make_results)).records
    listed = [record for record in records if record["limit_list"] is not None]
    prior = []
    for seed in {record["seed"] for record in listed}:
        one = next(r for r in listed if r["seed"] == seed and r["limit_rank"] == 1)
        none = {name: None for name in one if name.startswith("limit_")}
        about = {"cell_id": f"prior{seed}", "alpha": 1.01, "eps_max": 0.1, "mean_task_steps": 13.9}
        prior.append(one | none | about | {"log_alpha": math.log(1.01)})
    for record in records:
        record["mean_task_steps"] = record["mean_steps_to_goal"]
    frame = results_table([*records, *prior])
    (row,) = limits_table(frame).to_dict("records")
    assert row["seeds"] == len(prior)
    assert row["prior_limit"] == 1.01
    chosen = {r["alpha"] for r in listed if r["limit_rank"] == 5}
    assert {row["limit_low"], row["limit_high"]} == chosen
    assert row["gain"] == row["saved"] / row["prior_saved"] > 1.0
