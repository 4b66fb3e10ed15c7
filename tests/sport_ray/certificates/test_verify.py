"""Verification: what was certified passes; whatever is changed, by whomever, is found."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sport_ray.canonical import digest, write_json
from sport_ray.certificates import FixedSampling, build_certificate, save_certificate
from sport_ray.certificates.verify import Check, verify_certificate
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.properties import NEVER
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    OutcomeTotals,
    ScenarioPlan,
    Tally,
    run_scenarios,
)
from sport_ray.rollouts.table_file import OutcomeWriter, file_sha256, read_outcomes
from sport_ray.sources import environment_sources
from sport_ray.versions import versions

COUNT, TABLE = 260, "certificate_outcomes.parquet"
PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    env_kwargs={"layout": "fixed"},
    property="(!hazard) U goal",
    horizon=40,
    root_seed=8,
    purpose="certify",
)


def save(folder: Path, outcomes: Outcomes, base_digest: str) -> None:
    """A table and its certificate, as the certificate stage writes them."""
    totals = OutcomeTotals(PLAN.horizon)
    totals.add(outcomes)
    with OutcomeWriter(folder / TABLE) as writer:
        writer.add(outcomes)
    certificate = build_certificate(
        PLAN,
        totals,
        Tally(COUNT, COUNT, 0),
        sampling=FixedSampling(num_scenarios=COUNT),
        beta=1e-7,
        base_digest=base_digest,
        outcomes_file=TABLE,
        outcomes_sha256=file_sha256(folder / TABLE),
        versions=versions(),
        code=environment_sources(PLAN.env_id).code,
    )
    save_certificate(folder / "certificate.json", certificate)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder with a real certificate of the shipped base."""
    folder = tmp_path_factory.mktemp("certified")
    shutil.copytree(BUNDLED / "point_reach_avoid", folder / "base")
    for name in ("certificate.json", TABLE):
        (folder / "base" / name).unlink(missing_ok=True)
    base = load_policy(folder / "base")
    outcomes = run_scenarios(PLAN, BaseBehaviour(FrozenPolicy(base.network)), 0, COUNT)
    save(folder, outcomes, base.digest)
    return folder


@pytest.fixture
def folder(original, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


def failed(checks: list[Check]) -> set[str]:
    return {check.name for check in checks if check.passed is False}


def test_what_was_certified_holds(folder):
    told: list[int] = []
    checks = verify_certificate(folder / "certificate.json", rerun=120, progress=told.append)
    assert all(check.passed for check in checks), checks
    assert sum(told) == 120
    assert {check.name for check in checks} == {
        "file", "bounds", "table file", "table rows", "numbers", "base policy", "rerun", "code",
        "versions",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["certificate.json", TABLE, "base/policy.safetensors"])
def test_a_changed_byte_anywhere_is_found(folder, name):
    path = folder / name
    if not path.exists():
        path = next((folder / "base").glob("*.safetensors"))
    data = path.read_bytes()
    for position in np.linspace(0, len(data) - 1, 25).astype(int):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert failed(verify_certificate(folder / "certificate.json")), (name, position)


def test_a_table_that_ends_early_is_a_failure_and_no_traceback(folder):
    short = Outcomes.concatenate(list(read_outcomes(folder / TABLE))).rows(slice(0, 10))
    with OutcomeWriter(folder / TABLE) as writer:
        writer.add(short)
    checks = verify_certificate(folder / "certificate.json", rerun=COUNT)
    assert failed(checks) == {"table file", "numbers", "rerun"}


def test_a_missing_file_is_a_failure_with_a_name(folder):
    (folder / TABLE).unlink()
    checks = verify_certificate(folder / "certificate.json")
    assert failed(checks) == {"table file", "table rows", "numbers"}
    assert all(TABLE in check.detail for check in checks if check.passed is False)
    (folder / "certificate.json").unlink()
    assert failed(verify_certificate(folder / "certificate.json")) == {"file"}


def test_a_policy_that_is_not_there_is_not_a_pass(folder):
    shutil.move(folder / "base", folder.parent / "elsewhere")
    by_name = {c.name: c for c in verify_certificate(folder / "certificate.json", rerun=5)}
    # What was asked for and could not be done is no pass.
    assert by_name["base policy"].passed is None
    assert by_name["rerun"].passed is False
    checks = verify_certificate(
        folder / "certificate.json", base=folder.parent / "elsewhere", rerun=5
    )
    assert not failed(checks)
    assert all(c.passed for c in checks)


@pytest.mark.parametrize(
    "field",
    ["num_settled", "num_running", "num_violations", "mean_steps_to_goal", "outcomes", "counts"],
)
def test_a_rewritten_certificate_contradicts_its_table(folder, field):
    """Someone edits a number and repairs the digest of the file."""
    path = folder / "certificate.json"
    body = json.loads(path.read_text())
    del body["digest"]
    if field in ("num_settled", "num_running"):
        body["table"][field][0] += 1
    elif field == "num_violations":
        table = body["table"]
        assert table["num_violations"][13] > table["num_violations"][17]
        for column in ("num_violations", "eps_base", "eps_base_simultaneous"):
            table[column][13] = table[column][17]
    elif field == "mean_steps_to_goal":
        body[field] -= 0.25
    elif field == "outcomes":
        body[field]["digest"] = "0" * 64
    else:
        body["num_scenarios"] = body["sampling"]["num_scenarios"] = COUNT - 1
        body["counts"] = {"planned": 259, "started": 259, "finished": 259, "aborted": 0}
    write_json(path, {**body, "digest": digest(body)})
    assert failed(verify_certificate(path)) >= {"file" if field == "counts" else "numbers"}


def forge(folder: Path, change) -> list[Check]:
    """Change rows and rewrite table and certificate so that every digest fits."""
    outcomes = Outcomes.concatenate(list(read_outcomes(folder / TABLE)))
    base = load_policy(folder / "base")
    save(folder, change(outcomes), base.digest)
    return verify_certificate(folder / "certificate.json", rerun=COUNT)


def test_rows_that_contradict_themselves_are_found(folder):
    def all_satisfied(outcomes: Outcomes) -> Outcomes:
        return dataclasses.replace(outcomes, verdicts=np.full_like(outcomes.verdicts, 255))

    assert failed(forge(folder, all_satisfied)) == {"table rows", "rerun"}


def test_a_table_that_was_made_up_does_not_run_again(folder):
    """A violation painted over without a contradiction: only running again can tell."""

    def painted_over(outcomes: Outcomes) -> Outcomes:
        bad = int(np.flatnonzero(outcomes.satisfied_at == NEVER)[0])
        good = int(np.flatnonzero(outcomes.satisfied_at != NEVER)[0])
        columns = {name: values.copy() for name, values in outcomes.to_arrays().items()}
        for name, values in columns.items():
            if name != "index":
                values[bad] = values[good]
        return Outcomes(**columns)

    checks = forge(folder, painted_over)
    assert failed(checks) == {"rerun"}
    assert next(c for c in checks if c.name == "rerun").detail.startswith("1 of 260 scenarios")


def rewrite(folder: Path, **changes) -> Path:
    """Change fields of the certificate and repair its digest."""
    path = folder / "certificate.json"
    body = {k: v for k, v in json.loads(path.read_text()).items() if k != "digest"} | changes
    write_json(path, {**body, "digest": digest(body)})
    return path


@pytest.mark.parametrize("module", ["verify_trap", "verify_trap.inner", "this", "port"])
def test_no_module_that_a_file_names_is_run(module, folder, tmp_path, monkeypatch, capsys):
    trap = tmp_path / "verify_trap"
    trap.mkdir()
    for name in ("__init__", "inner"):
        (trap / f"{name}.py").write_text("open('ran', 'w'); raise SystemExit('ran')")
    (tmp_path / "port.py").write_text((trap / "inner.py").read_text())  # a part of our own name
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = rewrite(folder, env_id=f"{module}:evil/Walk-v0")
    checks = {c.name: c for c in verify_certificate(path, rerun=10)}
    assert not (tmp_path / "ran").exists()
    assert capsys.readouterr().out == ""
    assert not {"verify_trap", "this", "port"} & set(sys.modules)
    assert checks["rerun"].passed is False
    assert f"--trust-module {module}" in checks["rerun"].detail
    assert checks["code"].passed is None
    assert f"no source of {module}" in checks["code"].detail
    assert failed(verify_certificate(path)) == set()
    other = {c.name: c for c in verify_certificate(path, rerun=10, trust=["other"])}
    assert other["rerun"].passed is False
    assert not (tmp_path / "ran").exists()


def test_a_trusted_module_is_run(folder, tmp_path, monkeypatch):
    (tmp_path / "verify_mine.py").write_text("import sport_ray.envs\nopen('ran', 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = rewrite(folder, env_id="verify_mine:sport_ray/PointReachAvoid-v0")
    verify_certificate(path, rerun=10, trust=["verify_mine"])
    assert (tmp_path / "ran").exists()
    sys.modules.pop("verify_mine", None)


def test_it_says_of_which_files_it_knows(folder, tmp_path, monkeypatch):
    (tmp_path / "verify_law.py").write_text("GAIN = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = {
        **environment_sources(PLAN.env_id).code,
        "verify_law": file_sha256(tmp_path / "verify_law.py"),
    }
    [check] = [c for c in verify_certificate(rewrite(folder, code=code)) if c.name == "code"]
    assert check.passed
    assert "no others" in check.detail
    assert "verify_law" in check.detail
    (tmp_path / "verify_law.py").write_text("GAIN = 2")
    [check] = [c for c in verify_certificate(rewrite(folder, code=code)) if c.name == "code"]
    assert check.passed is None
    assert "verify_law" in check.detail
    assert "changed" in check.detail


def test_missing_is_not_altered(folder):
    path = folder / "certificate.json"
    table = (folder / TABLE).read_bytes()
    (folder / TABLE).unlink()
    lost = [c for c in verify_certificate(path) if c.passed is False]
    assert lost
    assert all(c.missing and "does not exist" in c.detail for c in lost)
    (folder / TABLE).write_bytes(table[:-200])
    assert not any(c.missing for c in verify_certificate(path))
    path.unlink()
    [check] = verify_certificate(path)
    assert check.missing
    assert "does not exist" in check.detail


def test_a_table_of_absurd_size_is_not_read(folder, monkeypatch):
    """A forger's table with ten rows more than were certified, and a certificate to fit."""
    rows = Outcomes.concatenate(list(read_outcomes(folder / TABLE)))
    more = Outcomes.concatenate(
        [rows, dataclasses.replace(rows, index=rows.index + COUNT).rows(slice(0, 10))]
    )
    with OutcomeWriter(folder / TABLE) as writer:
        writer.add(more)
    body = json.loads((folder / "certificate.json").read_text())["outcomes"]
    path = rewrite(folder, outcomes={**body, "sha256": file_sha256(folder / TABLE)})
    checks = {c.name: c for c in verify_certificate(path)}
    assert "270 rows, where 260 scenarios were run" in checks["numbers"].detail
    assert checks["table rows"].passed is False
    assert not checks["table rows"].missing
