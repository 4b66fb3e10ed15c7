"""sport-ray export and audit, on a result folder whose policies were not trained but written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sport_ray import experiments
from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.canonical import write_json
from sport_ray.certificates import (
    FixedSampling,
    build_certificate,
    load_certificate,
    save_certificate,
)
from sport_ray.certificates.record_check import derived_numbers
from sport_ray.deploy import load
from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.policies import FrozenPolicy, load_policy, save_policy
from sport_ray.rollouts import BaseBehaviour, OutcomeTotals, ScenarioPlan, Tally, run_scenarios
from sport_ray.rollouts.table_file import OutcomeWriter, file_sha256
from sport_ray.selection import Selector, TaskPolicy, save_task_policy, task_policy_digest
from sport_ray.selection.scores import TaskDensity

BASE = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"
STUDY = {
    "name": "tiny",
    "environment": {"id": "sport_ray/PointReachAvoid-v0", "kwargs": {"layout": "fixed"}},
    "property": "(!hazard) U goal",
    "base": "point_reach_avoid",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 20},
    "sweep": {
        "alphas": [1.02, 3.0],
        "eps_max": [0.3],
        "constraints": ["ratio", "pathwise"],
        "horizons": [20],
        "seeds": [0],
        "methods": ["projected_ppo", "projected_at_deployment"],
    },
}


CHOOSING = {
    **STUDY,
    "task_policies": {"task_density": {"candidates": 8}},
    "sweep": {"alphas": [1.02], "constraints": ["ratio"], "horizons": [20], "seeds": [0]},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder with a record for every cell of a small study; the last one failed."""
    return written(tmp_path_factory.mktemp("results"), STUDY, load_policy(BASE).network)


@pytest.fixture(scope="module")
def choosing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a study that chooses among candidates."""
    selector = Selector(8, TaskDensity(load_policy(BASE).network))
    return written(tmp_path_factory.mktemp("choosing"), CHOOSING, selector, failed=False)


def written(root: Path, of: dict[str, Any], policy: TaskPolicy, failed: bool = True) -> Path:
    """A result folder with a record for every cell; failed: whether the last one did."""
    study = Study.model_validate(of)
    write_json(root / "study.json", study.model_dump(mode="json"))
    plan = ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0", env_kwargs={"layout": "fixed"},
        property="(!hazard) U goal", horizon=20, root_seed=0, purpose="certify",
    )  # fmt: skip
    base = load_policy(BASE)
    save_policy(root / "base", base.network, {})
    digest = task_policy_digest(policy)
    save_task_policy(root / "policies" / digest[:16], policy, {})
    totals = OutcomeTotals(20)
    outcomes = run_scenarios(plan, BaseBehaviour(FrozenPolicy(base.network)), 0, 300)
    totals.add(outcomes)
    with OutcomeWriter(root / "table.parquet") as writer:
        writer.add(outcomes)
    certificate = build_certificate(
        plan, totals, Tally(300, 300, 0), sampling=FixedSampling(num_scenarios=300), beta=1e-3,
        base_digest=base.digest, outcomes_file="table.parquet",
        outcomes_sha256=file_sha256(root / "table.parquet"),
        versions={}, code={},
    )  # fmt: skip
    save_certificate(root / "certificate.json", certificate)
    cells = [cell for job in plan_jobs(study, certificate) for cell in job.cells]
    for number, cell in enumerate(cells):
        cell_id = cell.id
        last = failed and number == len(cells) - 1
        record = {
            "cell_id": cell_id,
            "status": "failed" if last else "finished",
            "reason": "ValueError: no luck" if last else None,
            "policy_digest": digest,
            "certificate_digest": certificate.digest,
            "num_scenarios": 200,
            "num_violations": 1,
            "posterior_beta": 0.01,
            "max_log_ratio": 0.0,  # every policy here is the base
            "max_prefix_log_ratio": 0.0,
            "alpha_mu": 1.0,
            "alpha_p": 1.0,
            "horizon": cell.horizon,
            "constraint": cell.constraint.name,
            **cell.constraint.recorded(),
            "cell": cell.model_dump(mode="json"),
        }
        record |= derived_numbers(record, certificate)
        write_json(root / "cells" / cell_id / "record.json", record)
    return root


def records(results: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(results.glob("cells/*/record.json"))]


def wanted(results: Path, name: str, **fields: Any) -> str:
    """The id of a finished cell with that constraint."""
    for record in records(results):
        constraint = record["cell"]["constraint"]
        same = all(constraint.get(key) == value for key, value in fields.items())
        least = constraint.get("alpha", 1.02) == fields.get("alpha", 1.02)  # promises something
        if record["status"] == "finished" and constraint["name"] == name and same and least:
            return str(record["cell_id"])
    raise AssertionError(name)


def run(*arguments: Any) -> tuple[int, str]:
    found = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(found.exception, UserError):
        return 2, str(found.exception)
    return found.exit_code, " ".join(found.output.split())


@pytest.mark.parametrize("name", ["ratio", "pathwise"])
def test_a_cell_goes_out_and_acts(name: str, results: Path, tmp_path: Path) -> None:
    cell_id = wanted(results, name)
    status, output = run("export", cell_id[:9], "--results", results, "--out", tmp_path / "out")
    assert (status, "bundle written" in output) == (0, True), output
    policy = load(tmp_path / "out", log=tmp_path / "log.jsonl")
    manifest = policy.bundle.manifest
    record = next(one for one in records(results) if one["cell_id"] == cell_id)
    assert manifest["constraint"] == Cell.model_validate(record["cell"]).constraint.to_json()
    assert manifest["source"]["cell_id"] == cell_id
    assert manifest["source"]["study"] == "tiny"
    assert manifest["evidence"]["num_violations"] == 1
    assert manifest["world"]["env_kwargs"] == {"layout": "fixed"}
    assert policy.promise["bound"] < 1.0
    assert "1 − 0.001" in policy.promise["statement"]
    policy.reset(0)
    policy.act([0.1] * 44)
    digest = policy.close()
    for more in ([], ["--bundle", tmp_path / "out"], ["--digest", digest]):
        status, output = run("audit", tmp_path / "log.jsonl", *more)
        assert (status, output.endswith("log.jsonl holds")) == (0, True), output
    log = tmp_path / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"step":0', b'"step":1', 1))
    status, output = run("audit", log)
    assert status == 1
    assert "does not hold: chain" in output
    assert "line 3" in output


def test_a_cell_that_chooses_goes_out_acts_and_is_audited(choosing: Path, tmp_path: Path) -> None:
    cell_id = wanted(choosing, "ratio")
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    status, output = run("export", cell_id, "--results", choosing, "--out", out)
    assert (status, "bundle written" in output) == (0, True), output
    status, output = run("verify", out)
    assert (status, output.endswith("out holds")) == (0, True), output
    policy = load(out, log=log)
    assert policy.bundle.manifest["source"]["source"] == "task_density"
    assert policy.bundle.manifest["task"]["num_candidates"] == 8
    policy.reset(0)
    policy.act([0.1] * 44)
    assert policy.last is not None
    assert policy.last.candidates == 8
    digest = policy.close()
    status, output = run("audit", log, "--bundle", out, "--digest", digest)
    assert (status, output.endswith("log.jsonl holds")) == (0, True), output


def test_a_cell_may_be_named_by_its_folder(results: Path, tmp_path: Path) -> None:
    folder = results / "cells" / wanted(results, "ratio")
    assert run("export", folder, "--out", tmp_path / "out")[0] == 0


def test_what_cannot_go_out_is_told_in_one_line(results: Path, tmp_path: Path) -> None:
    failed = next(one["cell_id"] for one in records(results) if one["status"] == "failed")
    vacuous = wanted(results, "ratio", alpha=3.0)
    for given, reason in (
        ((failed, "--results", results), "failed (ValueError: no luck)"),
        (("zz", "--results", results), "is not one of those"),
        (("", "--results", results), "could be any of"),
        ((vacuous, "--results", results), "promises nothing"),
        ((wanted(results, "unconstrained"), "--results", results), "cannot be deployed"),
        (("zz",), "--results"),
        (("zz", "--results", tmp_path), "has no cells"),
    ):
        status, output = run("export", *given, "--out", tmp_path / "out")
        assert status == 2, output
        assert reason in output
        assert "\n" not in output
    assert not (tmp_path / "out").exists()


def test_a_cell_of_other_settings_than_the_study_has_now_is_refused(
    results: Path, tmp_path: Path
) -> None:
    cell_id = wanted(results, "ratio")
    for name in ("base", "policies", "cells"):
        (tmp_path / name).symlink_to(results / name)
    (tmp_path / "certificate.json").symlink_to(results / "certificate.json")
    changed = {**STUDY, "evaluation": {"num_scenarios": 77}}
    study = Study.model_validate(changed)
    write_json(tmp_path / "study.json", study.model_dump(mode="json"))
    status, output = run("export", cell_id, "--results", tmp_path, "--out", tmp_path / "out")
    assert status == 2
    assert "other settings" in output


def spoiled(results: Path, into: Path, file: str, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of the result folder of which one JSON file was edited by hand."""
    shutil.copytree(results, into)
    document = json.loads((into / file).read_text())
    change(document)
    write_json(into / file, document)
    return into


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s["environment"]["kwargs"].update(layout="random"), "environment arguments"),
        (lambda s: s["environment"]["kwargs"].update(actuation_noise=0.3), "environment arguments"),
        (lambda s: s["environment"].update(id="sport_ray/Other-v0"), "another environment"),
        (lambda s: s.update(property="F goal"), "property"),
        (lambda s: s.update(deployment={"kwargs": {"actuation_noise": 0.3}}), "deployment"),
    ],
)
def test_the_world_that_goes_out_is_the_certificates(
    change: Callable[[dict[str, Any]], Any], reason: str, results: Path, tmp_path: Path
) -> None:
    root = spoiled(results, tmp_path / "results", "study.json", change)
    given = ("export", wanted(results, "ratio"), "--results", root, "--out", tmp_path / "out")
    status, output = run(*given)
    assert (status, reason in output) == (2, True), output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prior_bound": 1e-9}, "prior_bound"),
        ({"prior_bound": None}, "prior_bound"),
        ({"posterior_bound": 1e-9}, "posterior_bound"),
        ({"num_violations": 0, "posterior_bound": 0.06}, "posterior_bound"),
        ({"num_violations": 900}, "not possible"),
        ({"num_scenarios": "many"}, "not possible"),
        ({"eps_base": 1e-9}, "eps_base"),
        ({"certificate_digest": "0" * 64}, "another certificate"),
    ],
)
def test_no_derived_number_of_a_record_goes_out(
    change: dict[str, Any], reason: str, results: Path, tmp_path: Path
) -> None:
    cell_id = wanted(results, "ratio")
    file = f"cells/{cell_id}/record.json"
    root = spoiled(results, tmp_path / "results", file, lambda record: record.update(change))
    given = ("export", cell_id, "--results", root, "--out", tmp_path / "out")
    status, output = run(*given)
    assert (status, reason in output) == (2, True), output
    assert "run the study again" in output
    assert not (tmp_path / "out").exists()


def test_what_a_record_derives_is_computed_for_the_bundle(results: Path, tmp_path: Path) -> None:
    """Also where the record's own is off by what is taken for rounding."""
    cell_id = wanted(results, "ratio", alpha=1.02)

    def round_off(record: dict[str, Any]) -> None:
        record["posterior_bound"] *= 1.0 + 1e-7

    root = spoiled(results, tmp_path / "r", f"cells/{cell_id}/record.json", round_off)
    status, output = run("export", cell_id, "--results", root, "--out", tmp_path / "out")
    assert status == 0, output
    bundle = load(tmp_path / "out").bundle
    assert bundle.manifest["evidence"]["posterior_bound"] == scenario_bound(200, 1, 0.01)
    certificate = load_certificate(root / "certificate.json")
    assert bundle.promise["bound"] == ratio_bound(certificate.eps_base(20), 1.02, 20)


def test_a_certificate_that_its_table_does_not_give_is_not_exported(
    results: Path, tmp_path: Path
) -> None:
    root = tmp_path / "results"
    shutil.copytree(results, root)
    (root / "table.parquet").unlink()
    cell = wanted(results, "ratio")
    status, output = run("export", cell, "--results", root, "--out", tmp_path / "out")
    assert status == 2
    assert "table.parquet does not exist" in output


def test_a_policy_file_runs_no_module_that_it_names(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Provenance is what a policy says of itself; a cell outside the plan is looked up there."""
    (tmp_path / "named_by_a_file.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    cell_id = wanted(results, "ratio")
    record = json.loads((results / "cells" / cell_id / "record.json").read_text())
    policy = f"policies/{record['policy_digest'][:16]}/policy.json"

    def name_a_module(manifest: dict[str, Any]) -> None:
        cell = {"constraint": {"name": "named_by_a_file:x", "alpha": 1.02}}
        manifest["provenance"] = {"job": {"cells": [cell]}}

    root = spoiled(results, tmp_path / "results", policy, name_a_module)
    study = json.loads((root / "study.json").read_text())
    study["sweep"]["seeds"] = [7]  # so that the cell is none of the plan's
    (root / "study.json").write_text(json.dumps(study))
    given = ("export", cell_id, "--results", root, "--out", tmp_path / "out")
    status, output = run(*given)
    assert (status, "is not imported because a file names it" in output) == (2, True), output


def test_a_cell_that_left_its_constraint_does_not_go_out(results: Path, tmp_path: Path) -> None:
    cell_id = wanted(results, "ratio")
    file = f"cells/{cell_id}/record.json"
    root = spoiled(
        results, tmp_path / "results", file, lambda record: record.update(max_log_ratio=5.0)
    )
    status, output = run("export", cell_id, "--results", root, "--out", tmp_path / "out")
    assert (status, "left the constraint 'ratio'" in output) == (2, True), output
