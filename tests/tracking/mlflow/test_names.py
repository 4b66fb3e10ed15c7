"""Names of runs: what differs comes first, what all have in common is left out."""

from __future__ import annotations

import json
from typing import Any

from sport_ray.tracking.mlflow.cells import CellRuns
from sport_ray.tracking.results.records import read_results


def named(folder: Any) -> set[str]:
    results = read_results(folder)
    about = CellRuns.of(results)
    names = [about.name(record) for record in results.records]
    assert len(set(names)) == len(names)
    return set(names)


def test_what_all_cells_share_is_in_no_name(make_results: Any, make_sources: Any) -> None:
    one_horizon = named(make_results(alphas=(1.0, 1.25), horizons=(21,), seeds=(0, 1)))
    assert {"α = 1.25 · s1 · PPO", "α = 1.25 · s1 · at deployment", "unconstrained · s1"} <= (
        one_horizon
    )
    two = named(make_results(alphas=(1.25,), horizons=(21, 30), seeds=(0,), folder="two"))
    assert {"α = 1.25 · T 21 · s0 · PPO", "unconstrained · T 30 · s0"} <= two
    alone = named(make_sources(sources=("projected_ppo",), alphas=(1.1,)))
    assert alone == {"α = 1.1 · s0", "α = 1.1 · s1", "α = 1.1 · s2"}


def test_the_plan_says_what_varies_before_the_cells_are_there(make_results: Any) -> None:
    folder = make_results(alphas=(1.25,), horizons=(21,), seeds=(0,))
    cells = [file.parent.name for file in folder.glob("cells/*/record.json")]
    more = {"varies": ["setting", "horizon"], "parameters": {"projected_ppo": {"lr": 0.001}}}
    (folder / "plan.json").write_text(json.dumps({"cells": cells, "jobs": [], **more}))
    assert "α = 1.25 · T 21 · s0" in {
        CellRuns.of(read_results(folder)).name(record)
        for record in read_results(folder).records
        if record["source"] == "projected_ppo"
    }
