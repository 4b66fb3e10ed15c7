"""The page and the tables of a study over several bases, from each base's records."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.analysis.steps_saved import ALL
from sport_ray.tracking.report.bases import write_bases_report
from sport_ray.tracking.report.publish import publish, publish_bases
from sport_ray.tracking.report.write import write_report

Factory = Callable[..., Path]
STUDY = {
    "name": "several",
    "bases": ["fast", "slow"],
    "tracking": {"published": "arxiv_2504_06386"},
}


def shifted(record: dict[str, Any], later: float) -> dict[str, Any]:
    """The record of a base that is so many steps slower, and gains a tenth of that more."""
    if record["status"] != "finished":
        return record
    gain = 0.1 * later * (record["alpha"] is not None and record["alpha"] > 1.0)
    return record | {"mean_steps_to_goal": record["mean_steps_to_goal"] + later - gain}


@pytest.fixture
def whole(tmp_path: Path, make_results_in: Factory) -> Path:
    root = tmp_path / "several"
    root.mkdir()
    (root / "study.json").write_text(json.dumps(STUDY))
    (root / "study.yaml").write_text("name: several\n<b>: ann\n")
    for base, later in zip(STUDY["bases"], (0.0, 1.0), strict=True):
        path = make_results_in(
            root, "several", partial(shifted, later=later), alphas=(1.0, 1.5, 10.0),
            horizons=(22,), folder=base,
        )  # fmt: skip
        study = {"name": "several", "base": base, "tracking": STUDY["tracking"]}
        (path / "study.json").write_text(json.dumps(study))
        (path / "study.yaml").write_text(json.dumps(study))
    return root


def test_its_tables_are_of_all_bases(whole: Path) -> None:
    page, saved = write_bases_report(whole)
    read = pd.read_csv(whole / "steps_saved.csv", keep_default_na=True)
    assert len(read) == len(saved) == 2 * 3 * 3  # methods, α, and two bases with their mean
    here = saved[(saved["alpha"] == 10.0) & (saved["series"] == "projected_ppo")]
    values = here.set_index("base")["saved"]
    assert values["slow"] == pytest.approx(values["fast"] + 0.1)
    assert values[ALL] == pytest.approx((values["slow"] + values["fast"]) / 2)
    beside = pd.read_csv(whole / "side_by_side.csv")
    assert set(beside["base"]) == {"fast", "slow"}
    assert set(beside["horizon"]) == {22}
    assert set(beside["horizon_published"]) == {21}
    assert page == whole / "report.html"
    for name in ("steps_saved", "risk_by_base"):
        assert (whole / "figures" / f"{name}.png").stat().st_size > 10_000


def test_the_page_leads_to_each_report_and_escapes_what_it_shows(whole: Path) -> None:
    text = write_bases_report(whole)[0].read_text(encoding="utf-8")
    for base in STUDY["bases"]:
        assert f'href="{base}/report.html"' in text
    assert "&lt;b&gt;: ann" in text
    assert "one more base and seed" in text
    assert "in actions" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text), "it opens offline"


def test_the_same_files_give_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        write_bases_report(whole, place)
    names = sorted(one.relative_to(places[0]) for one in places[0].rglob("*") if one.is_file())
    assert len(names) == 7
    assert all((places[0] / one).read_bytes() == (places[1] / one).read_bytes() for one in names)


def test_a_base_that_has_not_begun_is_left_out(whole: Path) -> None:
    (whole / "study.json").write_text(json.dumps({**STUDY, "bases": ["fast", "slow", "new"]}))
    _, saved = write_bases_report(whole)
    assert set(saved["base"]) == {"fast", "slow", ALL}


def test_one_base_speaks_for_its_seeds_alone(whole: Path) -> None:
    (whole / "study.json").write_text(json.dumps({**STUDY, "bases": ["fast"]}))
    page, saved = write_bases_report(whole)
    rows = saved.set_index(["base", "series", "alpha"])
    one, over = (rows.loc[(base, "projected_ppo", 1.5)] for base in ("fast", ALL))
    assert (one["saved_low"], one["bases"]) == (over["saved_low"], 1)
    assert "one base says nothing of another" in page.read_text(encoding="utf-8")


def test_nothing_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps(STUDY))
    with pytest.raises(UserError, match="no results of any base"):
        write_bases_report(tmp_path)


def test_what_is_published_gives_the_same_joint_report(whole: Path, tmp_path: Path) -> None:
    for file in (whole / "fast" / "cells").glob("*/record.json"):
        assert json.loads(file.read_text())["status"] == "finished"
    out = tmp_path / "published"
    for base in STUDY["bases"]:
        write_report(whole / base)
    with pytest.raises(UserError, match="no joint report yet"):
        publish_bases(whole, out, {}, "sport-ray run study.yaml")
    write_bases_report(whole)
    written = publish_bases(whole, out, {}, "sport-ray run study.yaml")
    assert {one.relative_to(out).as_posix() for one in written} >= {
        "README.md", "study.yaml", "study.json", "steps_saved.csv", "side_by_side.csv",
        "figures/steps_saved.png", "fast/cells.csv", "slow/certificate.json",
    }  # fmt: skip
    assert "[fast](fast/README.md)" in (out / "README.md").read_text(encoding="utf-8")
    again = tmp_path / "again"
    write_bases_report(out, again)
    for name in ("steps_saved.csv", "side_by_side.csv"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()
    publish_bases(whole, out, {}, "sport-ray run study.yaml")  # over its own


def test_a_folder_of_several_is_not_published_as_one(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name the folder of one"):
        publish(whole, tmp_path / "out", {}, "x")


def test_the_alarm_names_the_base(whole: Path) -> None:
    for file in (whole / "slow" / "cells").glob("*/record.json"):
        record = json.loads(file.read_text())
        if record["alpha"] == 1.5 and record["seed"] == 0:
            many = dict.fromkeys(("num_violations", "num_hazard"), 9_990)
            file.write_text(json.dumps(refuted(file, record | many | {"num_timeout": 0})))
    text = write_bases_report(whole)[0].read_text(encoding="utf-8")
    found = re.search(r'<p class="warning" id="refuted".*?</p>', text)
    assert found is not None
    assert "base slow: REFUTED" in found[0]
    assert "base fast" not in found[0]


def refuted(file: Path, record: dict[str, Any]) -> dict[str, Any]:
    """A record of these counts under a promise that they break; whole by its own certificate."""
    from sport_ray.certificates.record_check import derived_numbers
    from sport_ray.certificates.store import load_certificate

    certificate = load_certificate(file.parents[2] / "certificate.json")
    alpha = 1.001
    small = {"alpha": alpha, "log_alpha": math.log(alpha), "max_log_ratio": 0.0009}
    record = record | small | {"empirical_violation_rate": 0.999}
    return record | derived_numbers(record, certificate)
