"""Leaderboard and page: made of the scores, whole, and the same from what is published of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.benchmark import publish, write_leaderboard
from sport_ray.tracking.benchmark.aggregates import weighted_iqm
from sport_ray.tracking.benchmark.manifest import read_manifest
from sport_ray.tracking.benchmark.page import begin, end
from sport_ray.tracking.benchmark.quoting import renewed
from sport_ray.tracking.benchmark.tables import leaderboard, task_leaderboard
from sport_ray.tracking.benchmark.words import negative, sentences
from tests.tracking.benchmark.conftest import LEVELS, METHODS, SEEDS, manifest, write_bench


def made_up(values: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Scores at 0.1: by method and 'task base', a number per seed; NaN: not run."""
    rows = [
        {
            "task": where.split()[0], "base": where.split()[1], "smoothness": "smooth",
            "method": method, "promise": "prior", "eps_max": 0.1, "seed": seed, "score": score,
            "share": score, "state": "unfinished" if np.isnan(score) else "counted",
            "judged_by": "prior", "bound": 0.1, "violation_rate": 0.01 * seed, "reason": "",
        }
        for method, of in values.items()
        for where, scores in of.items()
        for seed, score in enumerate(scores)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def about(tmp_path: Path):
    (tmp_path / "bench.json").write_text(json.dumps(manifest()))
    return read_manifest(tmp_path)


def test_every_task_weighs_the_same_and_what_is_missing_is_counted(about):
    paper = {"a x": [0.1, 0.2], "a y": [0.3, 0.4], "b x": [0.5, 0.6]}
    better = {"a x": [0.5, np.nan], "b x": [0.5, 0.7]}
    board = leaderboard(made_up({"fixed_alpha": paper, "pathwise": better}), about)
    rows = board.set_index("method")
    weights = [0.125] * 4 + [0.25] * 2
    assert rows["iqm"]["fixed_alpha"] == pytest.approx(
        weighted_iqm([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], weights)
    )
    assert rows["mean"]["fixed_alpha"] == pytest.approx((0.25 + 0.55) / 2)
    # On the bases that both have: 2 of 2 pairs, and a tie, a loss and two wins.
    assert rows["improvement"]["pathwise"] == pytest.approx((1 + 2.5 / 4) / 2)
    assert rows["improvement"]["fixed_alpha"] == 0.5
    assert rows.loc["pathwise", ["scores", "unfinished", "bases", "seeds"]].tolist() == [3, 1, 2, 1]
    assert list(board["method"]) == ["fixed_alpha", "pathwise"]


def test_a_task_s_table_has_its_bases_by_smoothness(about):
    found = task_leaderboard(made_up({"fixed_alpha": {"a x": [0.1, 0.2]}}), about, "a")
    assert list(found["smoothness"]) == ["all", "smooth"]
    assert found["iqm"].tolist() == pytest.approx([0.15, 0.15])


def test_what_is_said_follows_the_numbers(about):
    paper = {"a x": [0.11, 0.12, 0.12, 0.13]}
    worse = {"a x": [0.01, 0.02, 0.03, 0.04]}
    better = {"a x": [0.51, 0.52, 0.52, 0.54]}
    scores = made_up({"fixed_alpha": paper, "pathwise": better, "at_deployment": worse})
    board = leaderboard(scores, about)
    first, second, _ = sentences(board, about)
    assert first.startswith("At certified risk 0.1, pathwise keeps an interquartile mean of 0.52 [")
    assert "the paper's fixed α keeps 0.12 [" in first
    assert second.startswith("1 of 2 other methods with a promise score higher than fixed α")
    text = "\n".join(negative(scores, board, [], about))
    assert "Below fixed α at ε = 0.1, by P(higher score): at deployment (0.00 [" in text
    assert "coin flip: no cells anywhere." in text
    assert "Above all methods with a promise" not in text


def test_what_does_better_without_a_promise_is_said(about):
    scores = made_up({
        "fixed_alpha": {"a x": [0.11, 0.12, 0.12, 0.13]},
        "unconstrained": {"a x": [0.51, 0.52, 0.52, 0.54]},
    })  # fmt: skip
    text = "\n".join(negative(scores, leaderboard(scores, about), [], about))
    assert "Above all methods with a promise at ε = 0.1: unconstrained" in text


def test_a_mixture_that_could_not_be_picked_says_why(about):
    values = {"fixed_alpha": {"a x": [0.1]}, "random_budgets": {"a x": [np.nan], "b x": [np.nan]}}
    scores = made_up(values | {"pathwise": {"a x": [np.nan]}})
    scores.loc[scores["method"] == "random_budgets", "reason"] = "there are no other seeds"
    found = negative(scores, leaderboard(scores, about), [], about)
    assert "random budgets: no score on a x (1 seed); b x (1 seed): there are no other seeds." in (
        found
    )
    assert not any(one.startswith("pathwise:") for one in found)  # its cell is counted


def test_rates_are_those_of_policies_that_may_act(about):
    scores = made_up({"fixed_alpha": {"a x": [0.1, 0.2], "b x": [0.0, 0.0]}})
    beyond = scores["task"] == "b"
    scores.loc[beyond, ["state", "violation_rate"]] = ["out of reach", 0.5]
    row = leaderboard(scores, about).iloc[0]
    assert row[["counted", "out_of_reach", "rates_above"]].tolist() == [2, 2, 0]
    assert row["worst_violation_rate"] == 0.01


@pytest.mark.slow
def test_the_leaderboard_is_made_again_from_what_is_published(tmp_path, monkeypatch):
    root = write_bench(tmp_path / "results", skipped={"hopper": "it needs mujoco"})
    page = write_leaderboard(root).read_text()
    board = pd.read_csv(root / "leaderboard.csv")
    assert set(zip(board["method"], board["eps_max"], strict=True)) == {
        (one["name"], level) for one in METHODS if one["name"] != "scpo" for level in LEVELS
    }
    for one in METHODS:
        assert one["name"].replace("_", " ") in page
    assert "scpo: no cells anywhere." in page
    assert "hopper: left out, it needs mujoco." in page
    assert "Nothing is promised at ε = 0.001" in page
    best = board[board["eps_max"] == 0.1].set_index("method")["iqm"]
    assert f"{best['random_budgets']:.2f}" in page
    scores = pd.read_csv(root / "scores.csv")
    assert len(scores) == 2 * 8 * len(LEVELS) * len(SEEDS)
    kept = {file.name: file.read_bytes() for file in root.glob("leaderboard*")}
    assert {"leaderboard.png", "leaderboard.svg", "leaderboard_robot.csv"} <= set(kept)

    out = tmp_path / "published"
    monkeypatch.setattr(
        "sport_ray.tracking.benchmark.publishing.MOST", 20_000
    )  # so that all is packed
    publish(root, out)
    publish(root, out)  # over its own
    cells = gzip.decompress((out / "robot" / "smooth_0" / "cells.csv.gz").read_bytes())
    assert cells.count(b"\n") == 1 + len([*(root / "robot" / "smooth_0" / "cells").iterdir()])
    write_leaderboard(out)
    assert {file.name: file.read_bytes() for file in out.glob("leaderboard*")} == kept
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="no published results"):
        publish(root, tmp_path / "mine")


def test_the_page_quotes_the_leaderboard():
    parts = ("quote", "overall", "negative")
    page = "".join(f"{one}\n{begin(one)}\nold\n{end(one)}\n" for one in parts)
    made = "".join(f"{begin(one)}\n![x](leaderboard.png) {one}\n{end(one)}" for one in parts)
    found = renewed(page, made)
    assert found.count("old") == 0
    assert found.count("![x](results/benchmark/leaderboard.png)") == 3
    assert renewed(found, made) == found
    with pytest.raises(ValueError, match="quote: begin"):
        renewed("no marks", made)


def test_a_benchmark_that_has_only_begun_says_so(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(manifest() | {"failed": {"robot": "no disk"}}))
    page = write_leaderboard(tmp_path).read_text()
    assert "nothing is claimed" in page
    assert "0 of 0 cells of 0 bases are finished" in page
    assert "2 bases without results: robot smooth_0; robot sharp_0." in " ".join(page.split())
    assert "robot: no disk." in page
    assert not (tmp_path / "leaderboard.png").exists()
    with pytest.raises(UserError, match=r"no base of .* has results yet"):
        publish(tmp_path, tmp_path / "published")
