"""Shares of speed-up: against numbers worked out by hand, and against exact coin flips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sport_ray.tracking.analysis.ceiling import ceiling_saved, fastest, step_counts
from sport_ray.tracking.analysis.speedup import CEILING, COIN_FLIP, fieller, speedup_table
from sport_ray.tracking.results.records import Results

EPS_BASE, SEEDS = 0.01, (0, 1, 2, 3, 4)


def cell(method, constraint, eps_max, seed, steps, alpha=None, **more):
    return {
        "cell_id": f"{method}-{constraint}-{eps_max}-{seed}",
        "source": "projected_ppo" if method == "projected_ppo" else "unconstrained",
        "projected": constraint != "unconstrained",
        "constraint": constraint,
        "alpha": np.nan if alpha is None else alpha,
        "eps_max": np.nan if eps_max is None else eps_max,
        "horizon": 20,
        "seed": seed,
        "status": "finished",
        "mean_task_steps": steps,
        "prior_bound": eps_max,
        "empirical_violation_rate": 0.001,
        "posterior_bound": 0.01,
        "eps_base": EPS_BASE,
        "alpha_mu": 1.0,
        "alpha_p": 1.0,
        "hyperparameters": None,
    } | more


@pytest.fixture
def folder(tmp_path) -> Results:
    """Base episodes of 10 to 19 steps, 100 of each, for every seed."""
    for seed in SEEDS:
        path = tmp_path / "cells" / f"projected_ppo-ratio-None-{seed}"
        path.mkdir(parents=True)
        counts = np.r_[np.zeros(10), np.full(10, 100)]
        blank = {name: np.zeros(1) for name in ("mean", "std", "base_mean", "base_std")}
        blank |= {name: np.zeros(1) for name in ("task_mean", "task_std", "poses", "goal")}
        blank |= {name: np.zeros(1) for name in ("hazard", "goal_radius", "hazard_radius")}
        np.savez(path / "samples.npz", task_steps=counts, **blank)
    return Results(tmp_path, {"name": "s"}, None, ())


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for seed in SEEDS:
        noise = 0.01 * rng.normal(size=3)
        rows.append(cell("projected_ppo", "ratio", None, seed, 14.5, alpha=1.0))
        rows.append(cell("unconstrained", "unconstrained", None, seed, 12.5))
        rows.append(cell("projected_ppo", "ratio", 0.1, seed, 14.3 + noise[0], alpha=1.1))
        rows.append(cell("projected_ppo", "pathwise", 0.1, seed, 13.9 + noise[1]))
    return pd.DataFrame(rows)


def test_shares_by_hand(folder, frame):
    table = speedup_table(folder, frame).set_index("kind")
    assert table.loc["constant ratio, learned", "share"] == pytest.approx(0.1, abs=0.01)
    assert table.loc["pathwise budget, learned", "share"] == pytest.approx(0.3, abs=0.01)
    assert table.loc[COIN_FLIP, "share"] == pytest.approx((0.1 - 0.01) / 0.99)
    # The fastest tenth of the base's episodes takes 10 steps.
    assert table.loc[CEILING, "share"] == pytest.approx((14.5 - 10.0) / 2.0)
    gain = table.loc["pathwise budget, learned"]
    assert gain["gain_low"] < gain["gain_over_paper"] < gain["gain_high"]
    assert gain["gain_over_paper"] == pytest.approx(3.0, rel=0.15)
    assert list(table.index) == [
        COIN_FLIP, "constant ratio, learned", "pathwise budget, learned", CEILING,
    ]  # fmt: skip


def test_in_a_perturbed_world_the_references_pay_for_it(folder, frame):
    plain = speedup_table(folder, frame).set_index("kind")["share"]
    frame["alpha_mu"], frame["alpha_p"] = 1.25, 1.01
    moved = speedup_table(folder, frame).set_index("kind")["share"]
    risk = EPS_BASE * 1.25 * 1.01**20
    assert moved[COIN_FLIP] == pytest.approx((0.1 - risk) / (1 - risk))
    assert moved[CEILING] < plain[CEILING]


def test_failed_seeds_do_not_count_and_are_seen(folder, frame):
    frame.loc[(frame["constraint"] == "pathwise") & (frame["seed"] > 0), "status"] = "failed"
    row = speedup_table(folder, frame).set_index("kind").loc["pathwise budget, learned"]
    assert row["seeds"] == 1
    assert np.isnan(row["low"])


def test_fieller_covers_what_it_says_where_both_are_uncertain():
    """The share's interval counts the spread of what there is to gain, too."""
    rng, covered, repetitions = np.random.default_rng(1), 0, 3000
    for _ in range(repetitions):
        noise = rng.normal(size=(2, 4))
        low, high = fieller(0.5 + 0.1 * noise[0], 2.0 + 0.3 * noise[1] + 0.1 * noise[0])
        covered += low <= 0.25 <= high
    assert stats.binomtest(covered, repetitions, 0.95).pvalue > 1e-3


def test_fieller_has_no_interval_where_none_is_bounded():
    assert all(np.isnan(fieller(np.array([1.0]), np.array([2.0]))))
    assert all(np.isnan(fieller(np.array([1.0, 1.1]), np.array([-2.0, 2.1]))))
    assert fieller(np.array([1.0, 1.05]), np.array([2.0, 2.1])) == pytest.approx((0.5, 0.5))


def test_steps_and_the_share_of_the_ceiling_by_hand(folder, frame):
    table = speedup_table(folder, frame).set_index("kind")
    row = table.loc["pathwise budget, learned"]
    own = frame[frame["constraint"] == "pathwise"]["mean_task_steps"].to_numpy()
    saved = 14.5 - own
    interval = stats.t.interval(0.95, 4, saved.mean(), stats.sem(saved))
    assert row["saved"] == pytest.approx(saved.mean())
    assert (row["saved_low"], row["saved_high"]) == pytest.approx(interval)
    # The ceiling saves 14.5 − 10 steps in every seed: its share has the interval of what is saved.
    assert row["of_ceiling"] == pytest.approx(saved.mean() / 4.5)
    found = (row["of_ceiling_low"], row["of_ceiling_high"])
    assert found == pytest.approx(tuple(end / 4.5 for end in interval))
    assert table.loc[CEILING, "saved"] == pytest.approx(4.5)
    assert table.loc[CEILING, "of_ceiling"] == 1.0
    flip = table.loc[COIN_FLIP]
    assert flip["saved"] == pytest.approx(2.0 * flip["share"])
    assert flip["of_ceiling"] == pytest.approx(flip["saved"] / 4.5)


@pytest.fixture
def selection(frame) -> pd.DataFrame:
    """The study with selection by a critic, which saves 1.2 steps under a constant ratio."""
    rng = np.random.default_rng(1)
    rows = [
        cell("critic", kind, eps_max, seed, steps + 0.01 * rng.normal(), source="critic")
        for seed in SEEDS
        for kind, eps_max, steps in (
            ("ratio", 0.1, 13.3), ("pathwise", 0.1, 12.9), ("unconstrained", None, 12.0)
        )
    ]  # fmt: skip
    return pd.concat([frame, pd.DataFrame(rows)], ignore_index=True)


def test_selection_is_compared_with_the_papers_own(folder, selection):
    table = speedup_table(folder, selection).set_index("kind")
    row = table.loc["Selection, critic, constant ratio"]
    paper = table.loc["constant ratio, learned", "saved"]
    assert row["gain_over_paper"] == pytest.approx(row["saved"] / paper)
    assert row["gain_low"] < row["gain_over_paper"] < row["gain_high"]
    assert table.loc["Selection, critic, pathwise budget", "gain_over_paper"] > 6
    # What selects without a limit is no reference: shares are of what PPO's policy gains.
    assert row["share"] == pytest.approx(row["saved"] / 2.0)


def test_without_an_unconstrained_policy_steps_and_the_ceiling_stay(folder, selection):
    free = (selection["source"] == "unconstrained") & ~selection["projected"]
    plain = speedup_table(folder, selection).set_index("kind")
    table = speedup_table(folder, selection[~free]).set_index("kind")
    assert COIN_FLIP not in table.index
    assert table[["share", "low", "high"]].isna().all(axis=None)
    kept = ["saved", "saved_low", "of_ceiling", "of_ceiling_high", "gain_over_paper"]
    both = plain.loc[table.index]
    pd.testing.assert_frame_equal(table[kept], both[kept])
    assert table.loc["Selection, critic, constant ratio", "saved"] > 1


def test_an_unconstrained_policy_that_is_no_faster_is_no_reference(folder, frame):
    frame.loc[frame["constraint"] == "unconstrained", "mean_task_steps"] = 15.0
    table = speedup_table(folder, frame).set_index("kind")
    assert table["share"].isna().all()
    assert table.loc["pathwise budget, learned", "saved"] > 0.5


@pytest.mark.parametrize("missing", ["base", "target"])
def test_without_a_base_or_a_risk_there_is_no_table(folder, frame, missing):
    keep = {
        "base": frame["alpha"] != 1.0,
        "target": frame["eps_max"].isna(),
    }[missing]
    assert speedup_table(folder, frame[keep]).empty


def test_the_interval_of_a_ratio_covers():
    """Fieller's interval covers the true ratio of the means in about 95% of repetitions."""
    from sport_ray.tracking.analysis.speedup import _gain

    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2_000):
        paper = pd.Series(0.1 + 0.02 * rng.normal(size=5))
        share = pd.Series(0.3 + 0.04 * rng.normal(size=5))
        gain = _gain(share, paper)
        low = gain["gain_low"] if np.isfinite(gain["gain_low"]) else -np.inf
        high = gain["gain_high"] if np.isfinite(gain["gain_high"]) else np.inf
        covered += low <= 3.0 <= high
    assert 0.93 < covered / 2_000 < 0.97


@given(part=st.floats(0.01, 1.0))
def test_the_ceiling_is_the_mean_of_the_fastest(part):
    counts = np.array([0, 0, 3, 5, 0, 2])

    class Folder:
        study = {"name": "s"}  # noqa: RUF012

        def samples(self, cell_id):
            return {"task_steps": counts}

    known = step_counts(Folder(), pd.DataFrame({"cell_id": ["a", "b"]}))  # type: ignore[arg-type]
    best = fastest(known, part)
    fine = np.sort(np.repeat(np.repeat(np.arange(6), counts), 10_000))
    assert best == pytest.approx(fine[: max(round(part * fine.size), 1)].mean(), abs=1e-3)


def test_the_ceiling_by_seed_has_the_mean_of_the_pooled_episodes():
    counts = {0: np.array([0.0, 4.0, 6.0]), 1: np.array([0.0, 0.0, 8.0, 2.0])}
    slow = pd.Series({0: 1.6, 1: 2.2})
    found = ceiling_saved(counts, slow, 0.25)
    assert found.mean() == pytest.approx(1.9 - fastest(counts, 0.25))
    assert found[0] - found[1] == pytest.approx((1.6 - 1.0) - (2.2 - 2.0))
    assert ceiling_saved({}, slow, 0.25).empty
