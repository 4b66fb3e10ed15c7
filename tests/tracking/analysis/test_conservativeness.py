"""The ladder of bounds and the parts of its gap: by hand, and on a made-up study."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sport_ray.bounds import gauss_renyi_bound, ratio_bound
from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.conservativeness import (
    COLUMNS,
    PARTS,
    ladder_table,
    lead,
    other_kinds,
    setting_table,
)
from sport_ray.tracking.figures.conservativeness import draw_ladder
from sport_ray.tracking.figures.style import look
from sport_ray.tracking.report.write import write_report
from sport_ray.tracking.results.records import read_results


def reached(record):
    """The same record, with a likeliest path of a third of what is allowed."""
    log_alpha = record["log_alpha"]
    most = None if log_alpha is None else log_alpha * record["horizon"] / 3
    return record | {"max_prefix_log_ratio": most}


def ladder_of(folder) -> pd.DataFrame:
    return ladder_table(load_results(folder), read_results(folder).certificate)


def test_the_parts_add_up_to_the_gap(make_results) -> None:
    world = {"alpha_mu": 1.2, "alpha_p": 1.01}

    def change(record):
        prior = record["prior_bound"] and ratio_bound(
            record["eps_base"], record["alpha"], record["horizon"], **world
        )
        return reached(record) | world | {"prior_bound": prior}

    table = ladder_of(make_results(change=change))
    assert np.allclose(table[list(PARTS)].sum(axis=1), table["gap"], atol=1e-12)
    assert np.allclose(table["world"], np.log10(1.2) + table["horizon"] * np.log10(1.01))
    granted = table["horizon"] * np.log10(table["alpha"])
    assert np.allclose(table["unreached"], granted * 2 / 3)
    row = table.iloc[-1]
    assert row["gap"] == math.log10(row["prior_bound"]) - math.log10(row["rate"])
    bound = gauss_renyi_bound(0.0048, 1.0, 21) * ratio_bound(1.0, 1.0, 21, **world)
    assert table["gauss_renyi"].min() == pytest.approx(bound, rel=0.2)


def test_a_policy_that_never_violates_has_a_least_gap(make_results) -> None:
    none = {"num_violations": 0, "num_hazard": 0, "num_timeout": 0}
    none |= {"empirical_violation_rate": 0.0}
    table = ladder_of(make_results(change=lambda r: reached(r) | none))
    assert table["gap_is_limit"].all()
    assert np.allclose(table["gap"], np.log10(table["prior_bound"]) - np.log10(table["rate_high"]))
    assert "none violated" in lead(setting_table(table))
    assert "at least" in lead(setting_table(table))


def test_other_bounds_stand_only_where_they_cover_the_policy(make_kinds) -> None:
    table = ladder_of(make_kinds(change=reached))
    assert other_kinds(table) == ["ratio", "gauss_renyi", "violation_time"]
    budgets = table[table["constraint"].isin(["pathwise", "mean_shift"])]
    assert budgets[other_kinds(table)].isna().all(axis=None)
    papers = table[table["constraint"] == "ratio"]
    assert papers["ratio"].isna().all()  # its own is the promise
    assert (papers["gauss_renyi"] <= papers["prior_bound"] * (1 + 1e-12)).all()
    # An α that was derived from a risk looked at the scenarios that violation time counts.
    assert (papers["violation_time"].isna() == papers["eps_max"].notna()).all()
    assert not ladder_of_without_certificate(table)["violation_time"].notna().any()


def ladder_of_without_certificate(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.assign(status="finished", eps_base=0.005, beta=1e-7, alpha_mu=1.0, alpha_p=1.0)
    rows = rows.assign(num_scenarios=100, num_violations=1, max_prefix_log_ratio=0.1, mu=None)
    found = ladder_table(rows.assign(log_budget=None), None)
    assert found["confidence"].isna().all()
    return found.reindex(columns=table.columns)


def test_nothing_is_said_of_what_is_not_promised(make_results) -> None:
    frame = load_results(make_results())
    table = ladder_table(frame, None)
    assert table["projected"].all()
    assert set(table["source"]) == {"projected_ppo", "unconstrained"}
    assert list(table.columns)[: len(COLUMNS)] == list(COLUMNS)
    assert ladder_table(frame[~frame["projected"]], None).empty


def test_settings_have_the_worst_bound_and_the_mean_gap(make_results) -> None:
    table = ladder_of(make_results(change=reached))
    settings = setting_table(table)
    first = settings.iloc[0]
    cells = table[(table["source"] == first["source"]) & (table["alpha"] == first["alpha"])]
    cells = cells[cells["horizon"] == first["horizon"]]
    assert first["posterior_bound"] == cells["posterior_bound"].max()
    assert first["gap"] == pytest.approx(cells["gap"].mean())
    assert first["gap_low"] < first["gap"] < first["gap_high"]
    assert "promised 0.524" in lead(settings)


def test_the_figure_and_the_section(make_results, make_kinds, tmp_path) -> None:
    folder = make_results(change=reached, seeds=(0,), horizons=(21,), alphas=(1.0, 1.1))
    page = write_report(folder).read_text(encoding="utf-8")
    section = page[page.index('id="conservativeness"') :]
    assert lead(setting_table(ladder_of(folder))).split(":")[0] in section
    assert "unreached" in section
    written = pd.read_csv(folder / "conservativeness.csv")
    assert len(written) == 4
    for suffix in ("png", "svg"):
        assert (folder / "figures" / f"conservativeness.{suffix}").stat().st_size > 1000
    budgets = ladder_of(make_kinds(change=reached, kinds=("pathwise",)))
    with look():
        assert draw_ladder(budgets, tmp_path) is None


def test_a_bound_for_gaussians_alone_is_claimed_of_no_choice(make_sources) -> None:
    """Nor of a source that nothing is known of; the bounds that hold for all laws stay."""
    table = ladder_of(make_sources(sources=("scpo", "critic", "of_mine"), seeds=(0,)))
    known = table.set_index("source")
    assert known.loc["scpo", "gauss_renyi"].notna().all()
    assert known.loc[["critic", "of_mine"], "gauss_renyi"].isna().all()
    assert known["violation_time"].notna().all()


def test_bounds_for_gaussians_are_not_computed_of_categorical_policies(make_results) -> None:
    def whole_numbers(record):
        return reached(record) | {"family": "categorical[3,2]"}

    found = other_kinds(ladder_of(make_results(change=whole_numbers)))
    assert "gauss_renyi" not in found
    assert "violation_time" in found
