"""Several N in one study: the study of each, what is refused, and what N buys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.bounds import max_alpha, scenario_bound
from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study as Settings
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.config.study_file import study_values
from sport_ray.experiments.results.status import status_of_bases
from sport_ray.experiments.stages.bases import text_of_base
from sport_ray.experiments.study import Study
from sport_ray.tracking.analysis.sizes import COLUMNS
from sport_ray.tracking.console import PlainConsole
from sport_ray.tracking.report.publish import publish_bases
from sport_ray.tracking.report.sizes import write_sizes_report

SIZES, HORIZON = [150, 400], 25
STUDY = {
    "name": "sized",
    "sizes": SIZES,
    "certificate": {"transitions": 100, "beta": 1e-2, "max_horizon": HORIZON},
    "sweep": {"alphas": [1.0], "eps_max": [0.06, 0.2], "horizons": [HORIZON], "seeds": [0, 1]},
    "task_policies": {
        "critic": {
            "candidates": 8, "embedding": [16], "hidden": [16], "outcome_updates": 20,
            "bootstrap_updates": 20,
        }
    },
    "evaluation": {"num_scenarios": 40, "beta": 1e-2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": [10, 10]}, "sizes names a number twice"),
        ({"sizes": []}, "sizes"),
        ({"sizes": [0]}, "sizes"),
        ({"bases": ["paper_0"]}, "sizes and bases are given: remove one of them"),
        ({"certificate": {"num_scenarios": 10}}, "sizes and certificate.num_scenarios are given"),
        (
            {"certificate": {"stop": {"horizon": 25, "target": 0.1}}},
            "sizes and certificate.stop are given",
        ),
    ],
)
def test_what_cannot_be_is_one_line(change, said):
    with pytest.raises(UserError) as caught:
        parse_study({**STUDY, **change}, "study")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_study_of_a_size_is_one_with_that_number():
    whole = parse_study(STUDY, "study")
    assert whole.part_names == ["n_150", "n_400"]
    rest = {name: value for name, value in STUDY.items() if name != "sizes"}
    rest["sweep"] = {**STUDY["sweep"], "out_of_reach": "skip"}
    alone = {**rest, "certificate": {**STUDY["certificate"], "num_scenarios": 400}}
    assert whole.of_base("n_400") == parse_study(alone, "study")
    again = Settings.model_validate(json.loads(json.dumps(whole.model_dump(mode="json"))))
    assert again == whole
    text = json.dumps(STUDY).encode()
    assert study_values(text_of_base(text, "n_150"), "study") == {
        **rest, "certificate": {**STUDY["certificate"], "num_scenarios": 150},
    }  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a small study over two sizes."""
    folder = tmp_path_factory.mktemp("sized") / "results"
    study = Study(parse_study(STUDY, "study"), folder, alone=True,
                  console=PlainConsole(quiet=True))  # fmt: skip
    study.run()
    return folder


def test_each_size_has_its_own_certificate_limits_and_cells(root):
    table = pd.read_csv(root / "what_n_buys.csv")
    assert list(table.columns) == list(COLUMNS)
    assert set(table["num_scenarios"]) == set(SIZES)
    for size in SIZES:
        certificate = load_certificate(root / f"n_{size}" / "certificate.json")
        assert certificate.num_scenarios == size
        eps_base = certificate.eps_base(HORIZON)
        mine = table[table["num_scenarios"] == size]
        np.testing.assert_allclose(mine["eps_base"], eps_base)
        np.testing.assert_allclose(mine["floor"], scenario_bound(size, 0, 1e-2))
        for row in mine.to_dict("records"):
            if row["eps_max"] < eps_base:
                assert pd.isna(row["kind"])
                continue
            assert row["alpha"] == pytest.approx(max_alpha(eps_base, row["eps_max"], HORIZON))
            assert row["prior_bound"] <= row["eps_max"]
            assert row["seeds"] == 2
            cells = pd.read_csv(root / f"n_{size}" / "cells.csv")
            cells = cells[cells["constraint"] == "ratio"].set_index("seed")
            base = cells[cells["alpha"] == 1.0]["mean_task_steps"]
            own = cells[cells["eps_max"] == row["eps_max"]]["mean_task_steps"]
            assert row["saved"] == pytest.approx((base - own).mean())
    # The smaller N does not reach what the larger one does, and both say so in one row each.
    low = table[table["eps_max"] == 0.06].set_index("num_scenarios")["kind"]
    assert pd.isna(low[150])
    assert not pd.isna(low[400])
    high = table[table["eps_max"] == 0.2].set_index("num_scenarios")["alpha"]
    assert high[400] > high[150]


def test_the_page_leads_to_each_report_and_says_what_is_out_of_reach(root, tmp_path):
    page = (root / "report.html").read_text()
    assert 'href="n_150/report.html"' in page
    assert 'href="n_400/report.html"' in page
    assert "out of reach" in page
    assert (root / "n_150/report.html").is_file()
    assert (root / "figures/what_n_buys.png").is_file()
    again, _ = write_sizes_report(root, tmp_path / "again")
    assert again.read_bytes() == (root / "report.html").read_bytes()
    status = status_of_bases(root)
    assert list(status) == ["n_150", "n_400"]
    assert all(one is not None for one in status.values())


def test_what_is_published_makes_the_same_page_again(root, tmp_path):
    written = publish_bases(root, tmp_path / "out", {}, "sport-ray run study.yaml")
    assert tmp_path / "out/what_n_buys.csv" in written
    assert "over 2 sizes of its certificate" in (tmp_path / "out/README.md").read_text()
    _, table = write_sizes_report(tmp_path / "out", tmp_path / "page")
    published = pd.read_csv(root / "what_n_buys.csv")
    pd.testing.assert_series_equal(
        table["saved"].reset_index(drop=True), published["saved"], check_names=False
    )
