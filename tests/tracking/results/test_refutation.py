"""The alarm: refuted promises raise it and nothing is certified any more; true ones never do."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from sport_ray.bounds import scenario_lower_bound
from sport_ray.errors import UserError
from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.compare import compare_studies
from sport_ray.tracking.analysis.hypervolume import hypervolume_table
from sport_ray.tracking.analysis.pareto import candidates
from sport_ray.tracking.analysis.pareto_table import print_pareto
from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.report.publish import publish
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.refutation import (
    LEVEL,
    find_refutations,
    headline,
    judge,
    level_of,
)
from sport_ray.tracking.results.statistics import aggregate

RECORD = {
    "cell_id": "a" * 16, "status": "finished", "source": "projected_ppo", "projected": True,
    "constraint": "ratio", "alpha": 1.0, "eps_max": None, "hyperparameters": None, "horizon": 60,
    "seed": 0, "prior_bound": 0.231, "num_scenarios": 100, "num_violations": 64,
}  # fmt: skip


def windy(record: dict) -> dict:
    """The base in another wind than it was certified in: 64% violate, 0.231 was promised."""
    if record["alpha"] != 1.0 or record["seed"] != 0 or record["source"] != "projected_ppo":
        return record
    count = 640 if record["horizon"] == 21 else record["num_violations"]
    changed = {"num_scenarios": 1000, "num_violations": count, "num_hazard": count}
    if record["horizon"] != 21:
        return record
    return record | changed | {
        "num_timeout": 0, "empirical_violation_rate": count / 1000, "posterior_bound": 0.72
    }  # fmt: skip


def test_the_drone_in_another_wind() -> None:
    """user/drone2: promised 0.231, seen 0.64 of 100 scenarios, over 12 cells."""
    found = judge(RECORD, planned=12)
    assert found is not None
    assert found.p_value == pytest.approx(stats.binom.sf(63, 100, 0.231))
    assert found.lower == scenario_lower_bound(100, 64, LEVEL / 36) > 0.231
    assert "at most 0.231" in found.text
    assert "64 of 100" in found.text
    line = headline([found])
    assert "\n" not in line
    assert RECORD["cell_id"] in line
    assert "the base itself" in line
    assert "environment" in line


@pytest.mark.parametrize(
    "change",
    [
        {"num_violations": 30},  # 0.30 of 100 where 0.231 was promised: no evidence
        {"prior_bound": None},
        {"prior_bound": 1.5},
        {"status": "failed"},
        {"num_scenarios": None},
    ],
)
def test_what_raises_no_alarm(change: dict) -> None:
    assert judge(RECORD | change, planned=12) is None


def test_an_off_policy_bound_is_a_promise_too() -> None:
    found = judge(RECORD | {"prior_bound": 0.9, "off_policy_bound": 0.2}, planned=1)
    assert found is not None
    assert found.name == "the off-policy bound"
    assert found.promised == 0.2


def test_the_base_comes_first_and_the_level_is_split_over_the_plan() -> None:
    clearer = RECORD | {"cell_id": "b" * 16, "alpha": 1.5, "num_violations": 99}
    found = find_refutations([clearer, RECORD])
    assert [one.cell_id[0] for one in found] == ["a", "b"]
    assert "1 more cell" in headline(found)
    assert level_of(10) == pytest.approx(LEVEL / 30)
    assert found[0].level == level_of(2) > find_refutations([RECORD], 50)[0].level == level_of(50)


def test_true_promises_raise_an_alarm_at_most_at_the_stated_rate() -> None:
    """Exactly, over all counts, where each cell's promise is as tight as can be."""
    for risk, scenarios in ((0.01, 500), (0.2, 100), (0.9, 50)):
        level = level_of(40)
        counts = np.arange(scenarios + 1)
        refuted = [scenario_lower_bound(scenarios, int(k), level) > risk for k in counts]
        chance = stats.binom.pmf(counts, scenarios, risk)[refuted].sum()
        assert chance <= level
        assert 3 * 40 * chance <= LEVEL


def test_a_refuted_study_certifies_nothing(make_results) -> None:
    frame = load_results(make_results(change=windy))
    assert frame["refuted"].sum() == 1
    assert not frame["certified"].any()
    row = frame[frame["refuted"]].iloc[0]
    assert (row["alpha"], row["num_violations"]) == (1.0, 640)
    assert "640 of 1,000" in row["refutation"]
    settings = aggregate(frame)
    assert settings["refuted"].sum() == 1
    assert candidates(settings, "prior_bound").empty
    answer = answer_study(settings, None)
    assert answer.best == ()
    assert answer.sentence.startswith("The data refute")
    assert "certified risk" not in answer.sentence
    volumes = hypervolume_table(settings)
    assert volumes[volumes["risk_kind"] == "prior_bound"]["hypervolume"].isna().all()
    console = Console(width=100, record=True)
    print_pareto(console, frame)
    assert "the data refute the promises" in console.export_text()


def typed_over(folder: Path, cell_id: str) -> None:
    file = folder / "cells" / cell_id / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"posterior_bound": 0.5}))


def out_of_the_plan(folder: Path, cell_id: str) -> None:
    cells = [file.parent.name for file in folder.glob("cells/*/record.json")]
    others = [cell for cell in cells if cell != cell_id]
    (folder / "plan.json").write_text(json.dumps({"cells": others, "jobs": []}))


@pytest.mark.parametrize("spoil", [typed_over, out_of_the_plan])
def test_a_record_that_is_left_out_still_speaks_against_the_promise(make_results, spoil) -> None:
    """Typed over, or of an earlier plan under the same certificate: shown nowhere, yet heard."""
    folder = make_results(change=windy)
    [refuted] = read_results(folder).refutations
    spoil(folder, refuted.cell_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        frame = load_results(folder)
    assert refuted.cell_id not in set(frame["cell_id"])
    assert [one.cell_id for one in read_results(folder).refutations] == [refuted.cell_id]
    assert not frame["certified"].any()


def test_without_a_certificate_nothing_is_certified(make_results) -> None:
    folder = make_results()
    assert load_results(folder)["certified"].any()
    (folder / "certificate.json").unlink()
    assert not load_results(folder)["certified"].any()


def test_a_study_whose_promises_hold_raises_no_alarm(make_results, make_kinds) -> None:
    for folder in (make_results(), make_kinds()):
        assert read_results(folder).refutations == ()
        assert "refutation" not in load_results(folder)


def test_the_page_says_it_first(make_results) -> None:
    folder = make_results(change=windy)
    line = headline(read_results(folder).refutations)
    body = write_report(folder).read_text().partition("<body>")[2]
    assert body.index('id="refuted"') < body.index("<h1>")
    shown = body[body.index('id="refuted"') : body.index("</p>")]
    assert "640 of 1,000" in shown
    assert line.split(":")[0] in shown
    text = (folder / "report.html").read_text()
    for claim in ("At certified risk", "All certified risks hold", "All prior bounds on this page"):
        assert claim not in text
    assert (folder / "pareto.csv").read_text().count("prior_bound,") <= 1  # the head alone


def test_what_certified_risk_buys_is_not_told(make_kinds) -> None:
    def refuting(record: dict) -> dict:
        return record | ({"num_violations": 9000} if record["alpha"] == 1.0 else {})

    folder = read_results(make_kinds(change=refuting))
    assert speedup_table(folder, load_results(folder.path)).empty


def test_publish_and_compare_refuse(make_results, tmp_path: Path) -> None:
    good = make_results(horizons=(21,), folder="good", name="good")
    bad = make_results(horizons=(21,), folder="bad", name="bad", change=windy)
    write_report(bad)
    with pytest.raises(UserError, match=r"not published: REFUTED.*640 of 1,000"):
        publish(bad, tmp_path / "out", {}, "sport-ray run study.yaml")
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(UserError, match="bad is not compared: REFUTED"):
            compare_studies(*map(read_results, pair))


def test_the_plan_counts_and_counts_that_are_none_are_refused(make_results) -> None:
    folder = make_results(horizons=(21,))
    cells = [path.parent.name for path in folder.glob("cells/*/record.json")]
    (folder / "plan.json").write_text(json.dumps({"cells": [*cells, "f" * 16], "jobs": []}))
    assert read_results(folder).planned == len(cells) + 1
    file = folder / "cells" / cells[0] / "record.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"num_violations": record["num_scenarios"] + 1}))
    [unreadable] = read_results(folder).unreadable
    assert "violations in" in unreadable.text
