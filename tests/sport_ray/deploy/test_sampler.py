"""A base that is a user's sampler: whose code runs, when, and that it is what was certified."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sport_ray import samplers
from sport_ray.certificates.verify import verify_certificate
from sport_ray.constraints import RatioConstraint
from sport_ray.deploy import audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.verify import verify_bundle
from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.stages.export import require_trusted
from sport_ray.samplers import read_base
from sport_ray.selection import Selector
from tests.sport_ray.deploy.conftest import CANDIDATES, MODULE
from tests.sport_ray.deploy.test_bundle import sealed

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def nobody_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers.trust, "_trusted", set())


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_its_module_runs_only_where_it_is_trusted(
    sampler_bundle: Make, observations: np.ndarray
) -> None:
    folder = sampler_bundle("ratio")
    bundle = read_bundle(folder)  # checked, not run
    assert MODULE not in sys.modules
    for what in (lambda: load(folder), bundle.behaviours, lambda: load(folder, trust_module="x")):
        with pytest.raises(UserError, match=f"--trust-module {MODULE}") as error:
            what()
        one_line(error)
    assert MODULE not in sys.modules
    policy = load(folder, trust_module=[MODULE])
    assert MODULE in sys.modules  # not at the first step
    policy.reset(0)
    policy.act(observations[0])
    samplers.trust_module(MODULE)
    load(folder)


def test_that_a_module_is_loaded_is_not_trust(sampler_bundle: Make) -> None:
    folder = sampler_bundle("ratio")
    load(folder, trust_module=MODULE)
    assert MODULE in sys.modules
    with pytest.raises(UserError, match="trust"):
        load(folder)


@pytest.mark.parametrize("change", ["altered", "gone"])
def test_code_that_is_not_what_was_certified_is_refused_before_it_runs(
    change: str, sampler_bundle: Make, module: Path, observations: np.ndarray
) -> None:
    folder = sampler_bundle("ratio")
    log = folder.with_name("log.jsonl")
    policy = load(folder, log=log, trust_module=MODULE)
    policy.reset(0)
    policy.act(observations[0])
    policy.close()
    del sys.modules[MODULE]
    if change == "altered":
        module.write_text("raise SystemExit('it ran')\n")
    else:
        module.unlink()
    said = "has changed" if change == "altered" else "is not here"
    bundle = read_bundle(folder, trust_module=MODULE)
    for what in (lambda: load(folder, trust_module=MODULE), lambda: audit_log(log, bundle)):
        with pytest.raises(UserError, match=said) as error:
            what()
        assert MODULE in one_line(error)
    run = CliRunner().invoke(
        app, ["audit", str(log), "--bundle", str(folder), "--trust-module", MODULE]
    )
    assert isinstance(run.exception, UserError)
    assert said in str(run.exception)
    check = next(c for c in verify_bundle(folder) if c.name == "base code")
    assert check.passed is (False if change == "altered" else None)
    assert MODULE in check.detail


def test_changed_code_does_not_go_out(
    sampler_bundle: Make, module: Path, tmp_path: Path, export_of: Callable[..., Export],
    certified_sampler: Path,
) -> None:  # fmt: skip
    sampler_bundle("ratio")
    module.write_text(module.read_text().replace("-self.size", "-9.0"))
    export = export_of(
        "ratio", base=certified_sampler / "base", task=tmp_path / "selector",
        certificate=certified_sampler / "certificate.json",
    )  # fmt: skip
    with pytest.raises(UserError, match="has changed") as error:
        write_bundle(tmp_path / "other", export)
    one_line(error)
    assert not (tmp_path / "other").exists()


def test_code_that_fails_does_so_when_it_is_loaded(
    sampler_bundle: Make, module: Path, observations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sampler_bundle("ratio")
    monkeypatch.setattr("sport_ray.samplers.base_file.SamplerFile.require_unchanged", lambda s: 0)
    module.write_text("raise RuntimeError('not on\\nthis machine')\n")
    with pytest.raises(UserError, match="not on this machine") as error:
        load(folder, trust_module=MODULE)
    one_line(error)


def test_the_whole_bundle_is_verified_without_running_it(sampler_bundle: Make) -> None:
    folder = sampler_bundle("pathwise")
    checks = {check.name: check for check in verify_bundle(folder)}
    assert not [c for c in checks.values() if c.passed is False]
    for name in ("files", "loads", "promise", "base code", "certificate: base policy"):
        assert checks[name].passed is True, checks[name]
    assert MODULE not in sys.modules


def test_a_gaussian_is_not_projected_around_it(
    certified: Path, certified_sampler: Path, module: Path, export_of: Callable[..., Export],
    tmp_path: Path,
) -> None:  # fmt: skip
    export = export_of(
        "ratio", base=certified_sampler / "base", task=certified / "task",
        certificate=certified_sampler / "certificate.json",
    )  # fmt: skip
    with pytest.raises(UserError, match="no density") as error:
        write_bundle(tmp_path / "bundle", export)
    one_line(error)


def test_the_density_of_a_task_policy_is_no_score_around_it(
    certified: Path, certified_sampler: Path, module: Path, export_of: Callable[..., Export],
    tmp_path: Path,
) -> None:  # fmt: skip
    export = export_of(
        "ratio", base=certified_sampler / "base", task=certified / "selector",
        certificate=certified_sampler / "certificate.json",
    )  # fmt: skip
    with pytest.raises(UserError, match="needs the base's density"):
        write_bundle(tmp_path / "bundle", export)


def test_a_folder_of_two_kinds_is_refused(sampler_bundle: Make, certified: Path) -> None:
    folder = sampler_bundle("ratio")
    data = (certified / "task" / "policy.json").read_bytes()
    (folder / "task" / "policy.json").write_bytes(data)
    sealed(folder, lambda manifest: manifest["files"].update({"task/policy.json": ""}))
    with pytest.raises(UserError, match="only one of them can act"):
        read_bundle(folder)
    check = next(c for c in verify_bundle(folder) if c.name == "files")
    assert check.passed is False


@pytest.mark.parametrize(
    "name", ["base/sampler.json", "task/selector.json", "task/selector.safetensors"]
)
def test_every_file_is_covered(name: str, sampler_bundle: Make) -> None:
    folder = sampler_bundle("ratio")
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(UserError, match="was altered"):
        load(folder, trust_module=MODULE)
    sealed(folder, lambda manifest: None)  # its digests anew: its own do not fit
    with pytest.raises(UserError, match="damaged"):
        load(folder, trust_module=MODULE)


def test_a_rerun_needs_the_samplers_module_trusted(certified_sampler: Path, module: Path) -> None:
    path = certified_sampler / "certificate.json"
    base = certified_sampler / "base"
    check = next(c for c in verify_certificate(path, base=base, rerun=5) if c.name == "rerun")
    assert check.passed is False
    assert f"--trust-module {MODULE}" in check.detail
    assert "the base policy's file" in check.detail
    assert MODULE not in sys.modules
    checks = verify_certificate(path, base=base, rerun=5, trust=(MODULE,))
    rerun = next(c for c in checks if c.name == "rerun")
    assert "--trust-module" not in rerun.detail  # it ran; there is no table here to compare
    assert "none.parquet" in rerun.detail
    assert MODULE in sys.modules


def test_a_constraint_that_is_trusted_is_imported_for_the_bundle(
    export_of: Callable[..., Export], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sport_ray.constraints import CONSTRAINTS

    name = "constraint_of_deploy_tests"
    (tmp_path / f"{name}.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from sport_ray.constraints import RatioConstraint\n"
        "@dataclass(frozen=True)\n"
        "class Mine(RatioConstraint):\n"
        "    name: ClassVar[str] = 'mine'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(CONSTRAINTS)
    try:
        mine = __import__(name).Mine(alpha=1.02)
        assert isinstance(mine, RatioConstraint)
        write_bundle(tmp_path / "bundle", export_of("ratio", constraint=mine))
        del CONSTRAINTS[mine.name], sys.modules[name]
        with pytest.raises(UserError, match="not imported because a file names it"):
            load(tmp_path / "bundle")
        load(tmp_path / "bundle", trust_module=name)
    finally:
        CONSTRAINTS.clear()
        CONSTRAINTS.update(before)
        sys.modules.pop(name, None)


def test_the_number_of_candidates_is_the_selectors(
    sampler_bundle: Make, leaning: type, observations: np.ndarray
) -> None:
    folder = sampler_bundle("ratio", 200)
    policy = load(folder, trust_module=MODULE)
    policy.reset(0)
    policy.act(observations[0])
    assert policy.last is not None
    assert policy.last.candidates == 200 != CANDIDATES
    assert isinstance(policy.bundle.task, Selector)


def test_what_goes_out_is_run_again_only_where_it_is_trusted(
    certified_sampler: Path, module: Path
) -> None:
    base = read_base(certified_sampler / "base")
    with pytest.raises(UserError, match=f"--trust-module {MODULE}") as error:
        require_trusted(base, ("another",))
    one_line(error)
    require_trusted(base, (MODULE,))
    module.write_text("raise SystemExit('it ran')\n")
    with pytest.raises(UserError, match="has changed") as error:
        require_trusted(base, (MODULE,))
    one_line(error)
    assert MODULE not in sys.modules
