"""Before a sweep begins: which cells promise nothing, up to which α they would, what is to do."""

from __future__ import annotations

import json
import re

from sport_ray.bounds import ratio_bound
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.preflight import preflight_lines
from sport_ray.experiments.sweep.plan import Plan
from tests.experiments.known_certificate import certificate


def told(raw, tmp_path, **sweep) -> list[str]:
    raw["sweep"] |= {"horizons": [25], "seeds": [0], **sweep}
    study = parse_study(raw, "study")
    folder, plan = StudyFolder(tmp_path, study), Plan.of(study, certificate())
    folder.write_study(None)
    plan.write(folder)
    return preflight_lines(plan, plan.missing_jobs(folder), folder)


def test_the_largest_useful_alpha_is_one_and_no_larger_is(small_study, tmp_path):
    empty, _ = told(small_study, tmp_path, alphas=[1.0, 1.1, 2.0, 3.0], methods=["projected_ppo"])
    assert empty.startswith("2 of 4 cells with a limit promise nothing")
    [(alpha, horizon)] = re.findall(r"the largest useful α is ([\d.]+) at T = (\d+)$", empty)
    eps_base = certificate().eps_base(25)
    assert horizon == "25"
    assert ratio_bound(eps_base, float(alpha), 25) < 1.0
    assert ratio_bound(eps_base, float(alpha) + 1e-3, 25) >= 1.0


def test_each_kind_has_its_own(small_study, tmp_path):
    kinds = {"alphas": [1.0, 3.0], "constraints": ["ratio", "gauss_renyi"]}
    empty, _ = told(small_study, tmp_path, methods=["projected_ppo"], **kinds)
    assert empty.startswith("2 of 4")
    found = re.search(r"is ([\d.]+) at T = 25, ([\d.]+) at T = 25 \(Gauss–Rényi\)$", empty)
    assert found is not None
    assert float(found[1]) < float(found[2])


def test_nothing_is_said_of_promises_where_all_promise(small_study, tmp_path):
    """What is not bounded on purpose is not counted among those that promise nothing."""
    [work] = told(small_study, tmp_path, alphas=[1.0], methods=["projected_at_deployment"])
    count = small_study["evaluation"]["num_scenarios"]
    assert work == f"2 cells to do: 1 training run, {2 * count:,} scenarios"


def test_the_time_is_that_of_the_cells_before(small_study, tmp_path):
    told(small_study, tmp_path, alphas=[1.0, 1.1], methods=["projected_ppo"])
    plan = json.loads((tmp_path / "plan.json").read_text())
    line = {"event": "cell finished", "time": "2026-01-01T00:00:00+00:00", "pid": 1, "host": "x",
            "cell_id": plan["cells"][0], "kind": "projected_ppo", "job": "a",
            "seconds": 90.0}  # fmt: skip
    (tmp_path / "ledger.jsonl").write_text(json.dumps(line) + "\n")
    *_, work = told(small_study, tmp_path, alphas=[1.0, 1.1], methods=["projected_ppo"])
    assert work.endswith("; about 3 min 0 s, as the cells before took")
