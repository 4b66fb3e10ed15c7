"""The Python API: a study as an object that does what the command line does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from rich.console import Console

import sport_ray
from sport_ray import Study
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.signals import TERMINATED
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.in_process import forget_frames, torch_as_found
from sport_ray.experiments.results.lock import FolderLock
from sport_ray.experiments.stages.context import Interrupted

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "experiments" / "studies").glob("*.yaml"))


@pytest.fixture
def at(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_importing_loads_neither_ray_nor_torch():
    script = (
        "import sys\nfrom sport_ray import Study\n"
        "print([n for n in ('ray', 'torch', 'pandas', 'scipy', 'mlflow') if n in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="Studies"):
        sport_ray.Studies  # noqa: B018


def test_making_a_study_writes_nothing(small_study, write_study, at):
    assert Study.from_dict(small_study).results_dir == at / "results" / "small"
    assert Study.load(write_study(small_study), "elsewhere").results_dir == at / "elsewhere"
    assert [path.name for path in at.iterdir()] == ["study.yaml"]


def test_mistakes_are_one_line_and_name_the_key(small_study, at):
    with pytest.raises(UserError, match=r"study file nothing.yaml does not exist"):
        Study.load("nothing.yaml")
    with pytest.raises(UserError, match="holds no study"):
        Study.load(at)
    small_study["sweep"]["alhpas"] = [1]
    with pytest.raises(UserError, match=r"^study: unknown key 'sweep.alhpas'; did you mean 'alph"):
        Study.from_dict(small_study)


def test_asking_before_there_is_anything(small_study, at):
    study = Study.from_dict(small_study)
    for ask in (
        study.status,
        study.results,
        study.pareto,
        study.report,
        study.plan,
        study.sweep,
        lambda: study.certificate,
        lambda: study.export("ab", "bundle"),
    ):
        with pytest.raises(UserError) as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert not (at / "bundle").exists()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_what_is_written_for_a_study_reads_back_as_the_same(path, at):
    settings = load_study(path)
    study = Study(settings)
    one = not settings.part_names
    with study._at_work(one=one) as context:
        context.folder.claim(context.source)
    kept = at / "results" / settings.name / "study.yaml"
    assert load_study(kept) == settings
    assert set(yaml.safe_load(kept.read_text())) == set(yaml.safe_load(path.read_text()))
    assert Study.load(kept.parent).settings == settings
    assert not one or not study.status().study_changed
    for base, part in study.each().items():
        assert part.settings == settings.of_base(base)


def test_a_file_that_changes_after_it_was_loaded(small_study, write_study, at):
    path = write_study(small_study)
    study = Study.load(path)
    small_study["certificate"]["num_scenarios"] = 999
    write_study(small_study)
    with study._at_work() as context:
        context.folder.claim(context.source)
    kept = load_study(at / "results" / "small" / "study.yaml")
    assert kept.certificate.num_scenarios == study.settings.certificate.num_scenarios == 300
    assert not study.status().study_changed
    assert Study.load(path).status().study_changed


def test_no_secret_reaches_the_folder(small_study, at, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    small_study["tracking"] = {"uri": "http://user:hunter2@127.0.0.1:9"}
    study = Study.from_dict(small_study)
    with study._at_work() as context:
        context.folder.claim(context.source)
    for name in ("study.yaml", "study.json"):
        assert "hunter2" not in (at / "results" / "small" / name).read_text()
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9") as caught:
        study.sweep()
    assert "hunter2" not in str(caught.value)


def test_a_folder_of_another_study(small_study, at):
    with Study.from_dict(small_study, "here")._at_work() as context:
        context.folder.claim(None)
    with pytest.raises(UserError, match="holds the study 'small', not 'other'"):
        Study.from_dict(small_study | {"name": "other"}, "here")


def test_the_folder_is_free_between_calls_and_taken_during_one(small_study, at):
    study, same = Study.from_dict(small_study), Study.from_dict(small_study)
    with study._at_work() as context:
        context.folder.claim(None)
        with pytest.raises(UserError, match="running already"), same._at_work() as other:
            other.folder.claim(None)
    with pytest.raises(ZeroDivisionError), study._at_work() as context:
        context.folder.hold()
        _ = 1 / 0
    FolderLock(at / "results" / "small").close()


def test_an_interruption_is_one_and_no_mistake_of_the_user(small_study, at):
    study = Study.from_dict(small_study)
    with pytest.raises(KeyboardInterrupt, match="Resume with: x") as caught, study._at_work():
        raise Interrupted("Resume with: x")
    assert not isinstance(caught.value, UserError)
    with pytest.raises(SystemExit) as ended, study._at_work():
        raise Interrupted("asked to end", TERMINATED)
    assert ended.value.code == 143


def test_torch_is_as_it_was():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    try:
        with pytest.raises(ZeroDivisionError), torch_as_found():
            torch.set_num_threads(1)
            torch.manual_seed(0)
            _ = 1 / 0
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.rand(3), expected)
    finally:
        torch.set_num_threads(threads)


def test_what_an_error_holds_is_let_go():
    gone = []

    class Held:
        def __del__(self):
            gone.append(True)

    def inner() -> None:
        held = Held()
        assert held
        raise KeyboardInterrupt

    def outer() -> None:
        try:
            inner()
        except KeyboardInterrupt:
            raise ValueError("another") from None

    with pytest.raises(ValueError, match="another") as kept:
        outer()
    assert gone == []
    forget_frames(kept.value)
    assert gone == [True]


@pytest.mark.long
@pytest.mark.slow
def test_from_a_mapping_to_a_policy_and_on_with_the_command_line(small_study, at, monkeypatch):
    import ray

    from sport_ray.deploy import load

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads, running = torch.get_num_threads(), ray.is_initialized()
    study = Study.from_dict(small_study, console=Console(quiet=True))
    certificate = study.certify()
    assert certificate.num_scenarios == 300
    assert study.certificate == certificate
    assert [check.name for check in study.verify() if check.passed is False] == []

    plan = study.plan(0.1)
    assert list(plan["horizon"]) == list(range(1, 31))
    assert plan["alpha"].dtype == float
    assert (plan.loc[plan["alpha"].notna(), "prior_bound"] <= 0.1).all()
    (row,) = study.plan([0.1], horizon=25).itertuples()
    assert row.eps_base == certificate.eps_base(25)
    with pytest.raises(UserError, match=r"1\.5"):
        study.plan(1.5)

    summary = study.sweep()
    assert (summary.planned, summary.finished, summary.failed) == (5, 5, 0)
    assert ray.is_initialized() == running
    assert torch.get_num_threads() == threads
    results = study.results()
    assert len(results) == 5
    assert set(results["status"]) == {"finished"}
    bounded = results[results["alpha"].notna()]
    assert (bounded["max_log_ratio"] <= bounded["log_alpha"]).all()
    assert "prior_bound" in set(study.pareto()["risk_kind"])
    assert len(study.status().done) == 5

    before = (study.results_dir / "plan.json").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", "run", "results/small/study.yaml"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "all cells are finished already" in done.stdout
    assert (study.results_dir / "plan.json").read_bytes() == before

    small_study["sweep"]["alphas"] = [1.0]
    assert Study.from_dict(small_study).status().study_changed
    page = study.report()
    assert page.stat().st_size > 10_000

    chosen = results[results["certified"]].iloc[-1]
    digest = study.export(chosen.cell_id[:12], "bundle")
    policy = load("bundle", expect=digest)
    assert policy.promise["bound"] == chosen.prior_bound
    with pytest.raises(UserError, match="bundle"):
        study.export(chosen.cell_id, "bundle")

    opened = Study.load(study.results_dir)
    assert opened.run() == summary  # nothing is missing
    assert opened.results()["cell_id"].tolist() == results["cell_id"].tolist()
    assert json.loads((study.results_dir / "study.json").read_text())["name"] == "small"


@pytest.mark.slow
def test_a_base_is_trained_from_python(small_study, at):
    small_study["base"] = "mine"
    small_study["base_training"] = {
        "env_steps": 256, "train_batch_size": 256, "minibatch_size": 64, "num_envs": 8,
        "hidden": [8],
    }  # fmt: skip
    study = Study.from_dict(small_study)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    base = study.train_base()
    assert torch.equal(torch.rand(2), expected)
    assert base == at / "results" / "small" / "base"
    manifest = json.loads((base / "policy.json").read_text())
    assert str(at) not in json.dumps(manifest)
    with pytest.raises(UserError, match="already holds a policy"):
        study.train_base()
    assert study.certify().base_digest == manifest["digest"]
