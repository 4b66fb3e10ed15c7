"""What each kind of constraint means in a results table, and when a cell kept to it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.results.kinds import is_base, is_paper, is_unconstrained
from sport_ray.tracking.results.table import results_table


def test_a_budget_is_not_unconstrained_and_gauss_renyi_not_the_papers(make_kinds) -> None:
    frame = load_results(make_kinds())
    assert set(frame.loc[is_unconstrained(frame), "constraint"]) == {"unconstrained"}
    assert set(frame.loc[is_paper(frame), "constraint"]) == {"ratio"}
    assert frame.loc[frame["constraint"] == "pathwise", "alpha"].isna().all()
    assert set(frame.loc[is_base(frame), "constraint"]) == {"ratio", "gauss_renyi"}


@pytest.mark.parametrize(
    ("kind", "breach"),
    [
        ("ratio", {"max_log_ratio": 1.0}),
        ("ratio", {"max_log_ratio": None}),
        ("gauss_renyi", {"max_log_ratio": 1.0}),
        ("pathwise", {"max_prefix_log_ratio": 9.0}),
        ("pathwise", {"max_prefix_log_ratio": None}),
        ("pathwise", {"log_budget": None}),
        ("mean_shift", {"status": "failed"}),
        ("ratio", {"status": "failed"}),
        ("pathwise", {"prior_bound": 1.0}),
    ],
)
def test_each_kind_is_certified_by_what_it_bounds(
    make_kinds, kind: str, breach: dict[str, Any]
) -> None:
    frame = load_results(make_kinds(seeds=(0,), levels=(0.1,)))
    cells = frame[(frame["constraint"] == kind) & (frame["eps_max"] == 0.1)]
    record = cells.iloc[0].drop(["constraint_held", "certified"]).to_dict()
    assert results_table([record])["certified"].item()
    broken = results_table([record | breach]).iloc[0]
    assert not broken["certified"]
    assert broken["constraint_held"] == ("prior_bound" in breach)


def test_the_smallest_breach_is_one(make_kinds) -> None:
    frame = load_results(make_kinds(seeds=(0,), levels=(0.1,)))
    record = frame[frame["constraint"] == "pathwise"].iloc[0].to_dict()
    budget = record["log_budget"]
    for value, held in ((budget, True), (math.nextafter(budget, math.inf), False)):
        table = results_table([record | {"max_prefix_log_ratio": value}])
        assert table["constraint_held"].item() == held


def test_the_unconstrained_and_the_unknown_hold_nothing() -> None:
    frame = pd.DataFrame(
        {
            "source": ["unconstrained", "projected_ppo"],
            "projected": [False, True],
            "constraint": ["unconstrained", "of_a_plugin"],
            "status": "finished",
            "horizon": 21,
            "alpha": math.nan,
            "log_alpha": math.nan,
            "log_budget": math.nan,
            "max_log_ratio": 0.0,
            "max_prefix_log_ratio": 0.0,
        }
    )
    from sport_ray.tracking.results.kinds import constraint_held

    assert not constraint_held(frame).any()
