"""Scores: worked out again from the records, and every reason for which one is 0 or missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.comparators.conformal import OnScenarios, conformal_choice
from sport_ray.errors import UserError
from sport_ray.tracking.analysis.speedup import coin_flip_share
from sport_ray.tracking.benchmark.folder import read_folders
from sport_ray.tracking.benchmark.manifest import read_manifest
from sport_ray.tracking.benchmark.scores import COLUMNS, scores_of
from tests.tracking.benchmark.conftest import (
    BUDGETS,
    LEVELS,
    SEEDS,
    list_evidence,
    manifest,
    write_bench,
)
from tests.tracking.conftest import fail


def scores(root: Path) -> pd.DataFrame:
    about = read_manifest(root)
    return scores_of(read_folders(root, about)[0], about)


@pytest.fixture(scope="module")
def table(bench: Path) -> pd.DataFrame:
    return scores(bench)


def records(folder: Path) -> pd.DataFrame:
    return pd.DataFrame([json.loads(file.read_text()) for file in folder.glob("cells/*/*.json")])


def of(table: pd.DataFrame, method: str, level: float, base: str = "smooth_0") -> pd.DataFrame:
    chosen = (table["method"] == method) & (table["eps_max"] == level) & (table["base"] == base)
    return table[chosen].set_index("seed")


def test_a_score_is_the_share_of_the_unconstrained_gain(bench, table):
    rows = records(bench / "robot" / "smooth_0")
    base = rows[rows["alpha"] == 1.0].drop_duplicates("seed").set_index("seed")["mean_task_steps"]
    free = rows[rows["constraint"] == "unconstrained"]["mean_task_steps"].mean()
    own = rows[(rows["source"] == "projected_ppo") & (rows["constraint"] == "pathwise")]
    own = own[own["eps_max"] == 0.1].set_index("seed")
    found = of(table, "pathwise", 0.1)
    for seed in SEEDS:
        share = (base[seed] - own["mean_task_steps"][seed]) / (base.mean() - free)
        assert found["score"][seed] == pytest.approx(share)
        assert found["bound"][seed] == pytest.approx(own["prior_bound"][seed])
        assert found["violation_rate"][seed] == own["empirical_violation_rate"][seed]
    assert set(found["state"]) == {"counted"}
    assert list(table) == list(COLUMNS)


def test_without_a_promise_the_posterior_bound_decides(table):
    found = of(table, "unconstrained", 0.1)
    assert (found["score"] == 0).all()
    assert found["share"].mean() == pytest.approx(1.0)
    assert (found["bound"] > 0.1).all()
    assert found["reason"].str.contains("above 0.1").all()
    assert set(found["judged_by"]) == {"posterior"}


def test_below_what_the_base_is_certified_for_every_promise_is_the_base(table):
    promised = table[(table["eps_max"] == 0.001) & (table["promise"] != "posterior")]
    assert set(promised["method"]) == {
        "fixed_alpha", "at_deployment", "pathwise", "from_data", "conformal", "coin_flip",
        "random_budgets",
    }  # fmt: skip
    assert (promised["score"] == 0).all()
    assert set(promised["state"]) == {"out of reach"}
    assert promised["reason"].str.startswith("the base itself is certified to").all()


def test_a_limit_from_data_is_the_last_that_passes(table):
    ids = {level: set(of(table, "from_data", level)["cell_id"]) for level in LEVELS[1:]}
    assert ids == {
        0.05: {f"{seed}1".zfill(16) for seed in SEEDS},
        0.1: {f"{seed}2".zfill(16) for seed in SEEDS},
    }
    assert set(of(table, "from_data", 0.1)["bound"]) == {0.09}


def test_the_conformal_limit_is_the_papers_rule_on_what_was_kept(table):
    kept = [list_evidence(rank) for rank in range(1, len(BUDGETS) + 1)]
    policies = [OnScenarios(one.log_ratios, one.violated, one.log_ratio_limit) for one in kept]
    counts = {level: conformal_choice(policies, level) for level in LEVELS[1:]}
    assert 0 < counts[0.05] < counts[0.1] <= 3
    for level, count in counts.items():
        found = of(table, "conformal", level)
        assert list(found["cell_id"]) == [f"{seed}{count}".zfill(16) for seed in SEEDS]
        assert set(found["judged_by"]) == {"posterior"}  # an expected risk is no bound


def test_a_coin_flip_has_the_share_that_it_plays(bench, table):
    rows = records(bench / "robot" / "smooth_0")
    p = coin_flip_share(0.1, rows["eps_base"].iloc[0])
    found = of(table, "coin_flip", 0.1)
    assert found["score"].mean() == pytest.approx(p)
    assert (found["bound"] == 0.1).all()


def test_a_random_budget_mixes_what_the_other_seeds_liked(bench, table):
    """By hand for one seed: all pairs of settings, the weight that the level allows."""
    rows = records(bench / "robot" / "smooth_0")
    rows = rows[rows["limit_list"].isna()]
    base = rows[rows["alpha"] == 1.0].drop_duplicates("seed").set_index("seed")["mean_task_steps"]
    keys = ["source", "constraint", "eps_max"]
    wide = rows[rows["eps_max"].notna() | (rows["constraint"] == "unconstrained")]
    wide = wide.assign(prior_bound=wide["prior_bound"].fillna(1.0)).fillna({"eps_max": 1.0})
    bounds = wide.groupby(keys)["prior_bound"].max()
    gains = wide.pivot_table(index=keys, columns="seed", values="mean_task_steps")
    gains = base - gains
    bounds.loc["base", "ratio", 0.0] = rows["eps_base"].iloc[0]
    gains.loc[("base", "ratio", 0.0), :] = 0.0
    liked, best = gains[[1, 2]].mean(axis=1), (-np.inf, 0.0)
    for low in bounds[bounds <= 0.1].index:
        best = max(best, (liked[low], gains[0][low]))
        for high in bounds[bounds > 0.1].index:
            w = (0.1 - bounds[low]) / (bounds[high] - bounds[low])
            mixed = [(1 - w) * one[low] + w * one[high] for one in (liked, gains[0])]
            best = max(best, tuple(mixed))
    whole = gains.loc["unconstrained", "unconstrained", 1.0].mean()
    found = of(table, "random_budgets", 0.1)
    assert found["score"][0] == pytest.approx(best[1] / whole, abs=1e-9)
    assert (found["bound"] <= 0.1).all()


def test_failed_is_0_and_not_run_is_no_score(tmp_path):
    def change(record):
        if (record["constraint"], record["seed"], record["eps_max"]) == ("pathwise", 0, 0.05):
            return fail(record, "out of memory") | {"eps_max": 0.05}
        return record

    root = write_bench(tmp_path, change)
    folder = root / "robot" / "smooth_0"
    cells = records(folder)
    gone = cells[(cells["constraint"] == "pathwise") & (cells["source"] == "projected_ppo")
                 & (cells["eps_max"] == 0.1) & (cells["seed"] == 1)]["cell_id"].item()  # fmt: skip
    plan = {"cells": sorted(cells["cell_id"]), "jobs": [{"kind": "projected_ppo", "cells": [gone]}]}
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "cells" / gone / "record.json").unlink()
    found = scores(root)
    failed, absent = of(found, "pathwise", 0.05).loc[0], of(found, "pathwise", 0.1).loc[1]
    assert (failed["score"], failed["state"], failed["reason"]) == (0, "failed", "out of memory")
    assert absent["state"] == "unfinished"
    assert np.isnan(absent["score"])


def test_a_refuted_study_promises_nothing(tmp_path):
    def change(record):
        refutes = record["alpha"] == 1.0 and record["seed"] == 0
        return record | ({"num_violations": 4000} if refutes else {})

    found = scores(write_bench(tmp_path, change))
    own = found[(found["base"] == "smooth_0") & (found["eps_max"] == 0.1)]
    promised = own["promise"].isin(["prior", "data"])
    assert set(own[promised]["state"]) == {"refuted"}
    assert (own[promised]["score"] == 0).all()
    assert set(of(found, "pathwise", 0.1, "sharp_0")["state"]) == {"counted"}


def test_shares_of_nothing_are_not_taken(tmp_path):
    def change(record):
        free = record["constraint"] == "unconstrained"
        return record | ({"mean_task_steps": 14.09} if free else {})  # the base has 14.1

    found = scores(write_bench(tmp_path, change))
    own = found[found["base"] == "smooth_0"]
    assert own["score"].isna().all()
    assert own["reason"].str.contains("not clearly better than the base").all()
    assert found[found["base"] == "sharp_0"]["score"].notna().all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"risk_levels": [0.1, 2.0]}, "risk_levels.1"),
        ({"folders": [manifest()["folders"][0] | {"folder": "../../etc"}]}, "not within"),
        ({"folders": [manifest()["folders"][0] | {"task": "hopper"}]}, "no task hopper"),
        ({"methods": [manifest()["methods"][0] | {"source": None}]}, "lacks its source"),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path, changes, said):
    (tmp_path / "bench.json").write_text(json.dumps(manifest() | changes))
    with pytest.raises(UserError, match=said):
        read_manifest(tmp_path)
