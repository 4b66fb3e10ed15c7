"""The page: its numbers, its files, and that it says what it does not know."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.conservativeness.summary import summarise
from sport_ray.tracking.report.conservativeness import study_tables, write_conservativeness
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import results_table

pytestmark = pytest.mark.slow
FILES = ("", "_cells", "_growth", "_settings")


def reached(record: dict) -> dict:
    if record["log_alpha"] is None:
        return record
    return record | {"max_prefix_log_ratio": 0.4 * record["horizon"] * record["log_alpha"]}


@pytest.fixture(scope="module")
def written(make_results_in, tmp_path_factory) -> Path:
    folder = make_results_in(
        tmp_path_factory.mktemp("cons"), change=reached, alphas=(1.0, 1.1, 1.25, 3.0),
        seeds=(0, 1, 2), name="a<b>",
    )  # fmt: skip
    write_conservativeness(folder)
    return folder


def text_of(folder: Path) -> str:
    return (folder / "conservativeness.html").read_text(encoding="utf-8")


def test_page_figures_and_tables_are_written(written: Path) -> None:
    page = text_of(written)
    for name in ("ladder", "parts", "spending", "growth"):
        assert f'id="figure-{name}"' in page
        assert (written / "figures" / f"conservativeness_{name}.png").stat().st_size > 5_000
    for name in FILES:
        assert len(pd.read_csv(written / f"conservativeness{name}.csv")) > 3
    assert "&lt;b&gt;" in page
    assert "a<b>" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_the_csv_is_the_ladder(written: Path) -> None:
    folder = read_results(written)
    tables = study_tables(folder, results_table(folder.records))
    again = pd.read_csv(written / "conservativeness.csv")
    assert len(again) == len(tables.ladder)
    pd.testing.assert_series_equal(again["log10"], tables.ladder["log10"], check_exact=True)


def test_the_same_files_give_the_same_bytes(written: Path) -> None:
    before = {p: p.read_bytes() for p in written.rglob("*conservativeness*") if p.is_file()}
    write_conservativeness(written)
    assert {p: p.read_bytes() for p in before} == before


def test_the_sentences_are_of_the_tables(written: Path) -> None:
    folder = read_results(written)
    tables = study_tables(folder, results_table(folder.records))
    said = summarise(tables.settings, tables.growth)
    # α = 1.25 promises more than 1 at T = 30 and less at 21: the largest that says anything.
    useful = tables.settings[tables.settings["log10_prior"] < 0]
    assert useful["alpha"].max() == 1.25
    assert "α = 1.25, T = 21: promised 0." in said.lead
    row = useful[(useful["alpha"] == 1.25) & (useful["horizon"] == 21)].iloc[0]
    assert f"violated in {row['empirical']:.3g}" in said.lead
    assert f"is {row['ratio'] / row['empirical']:.0f} times what was seen" in said.lead
    assert any("40% of T·log α" in line for line in said.spending)
    assert any("67% of α·π_base" in line for line in said.spending)  # 1 − 1/3
    assert any("per tenfold α" in line for line in said.growth)


def test_three_seeds_have_intervals_and_one_says_that_it_has_none(
    written: Path, make_results
) -> None:
    results = make_results(seeds=(0,))
    assert "slopes have no interval" not in text_of(written)
    settings = pd.read_csv(written / "conservativeness_settings.csv")
    assert settings["gap_low"].notna().all()
    assert (settings["gap_low"] <= settings["gap"]).all()
    write_conservativeness(results)
    assert "One seed: slopes have no interval." in text_of(results)
    assert pd.read_csv(results / "conservativeness_settings.csv")["gap_low"].isna().all()
    assert "too few for an interval" in text_of(results)  # and on the figures themselves


def test_without_realised_ratios_there_are_no_parts_and_no_picture_of_them(results: Path) -> None:
    old = results / "figures" / "conservativeness_parts.png"
    old.parent.mkdir()
    old.write_bytes(b"of an earlier study")
    write_conservativeness(results)
    assert not old.exists()
    assert 'id="figure-parts"' not in text_of(results)
    assert 'id="figure-ladder"' in text_of(results)


def test_seeds_without_violations_make_the_gap_a_limit(make_results) -> None:
    none = {"num_violations": 0, "num_hazard": 0, "num_timeout": 0, "empirical_violation_rate": 0.0}
    folder = make_results(change=lambda r: reached(r) | none, seeds=(0, 1, 2))
    write_conservativeness(folder)
    page = text_of(folder)
    assert "never seen to violate: the promise is at least" in page
    assert "≥ " in page
    settings = pd.read_csv(folder / "conservativeness_settings.csv")
    assert settings["gap_is_limit"].all()
    high = 1 - 0.025 ** (1 / 10_000)
    expected = settings["log10_prior"] - math.log10(high)
    pd.testing.assert_series_equal(settings["gap"], expected, check_names=False, rtol=1e-9)


def test_kinds_without_an_alpha_and_no_certificate_do_not_stop_it(make_kinds) -> None:
    folder = make_kinds(kinds=("pathwise", "mean_shift"))
    (folder / "certificate.json").unlink()
    write_conservativeness(folder)
    assert "pathwise budget" in text_of(folder)
    assert set(load_results(folder)["constraint"]) >= {"pathwise", "mean_shift"}


def test_a_study_without_a_promise_is_refused(make_kinds) -> None:
    folder = make_kinds(kinds=())
    with pytest.raises(UserError, match=r"no finished cell in .* has a prior bound"):
        write_conservativeness(folder)
