"""The plan of a sweep: every cell with its id, found by it; ids are what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sport_ray.experiments.sweep.cell
from sport_ray.canonical import digest, write_json
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.driver import summarise
from sport_ray.experiments.sweep.plan import Plan
from tests.experiments.known_certificate import certificate

STUDIES = Path(__file__).parents[3] / "experiments" / "studies"


def hashed(plan: Plan) -> tuple[int, int, str]:
    """Jobs, cells, and the digest of every job's source and ids, in order."""
    rows = [[job.kind, [cell.id for cell in job.cells]] for job in plan.jobs]
    return len(plan.jobs), len(plan.cells), digest(rows)[:32]


@pytest.fixture(autouse=True)
def second_method(monkeypatch) -> None:
    """The version that the ids below are of: raising it changes all of them, and only them."""
    monkeypatch.setattr(sport_ray.experiments.sweep.cell, "METHOD_VERSION", 2)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("quickstart", (30, 78, "1457cb0b44c5cff51a392815336f7339")),
        ("paper", (110, 290, "0e40f32850a2225f11d6ebd235216d16")),
        ("comparators", (45, 135, "37c6d7fad72c7a42bd11165c2f019ef1")),
        ("less_conservative", (75, 145, "8dd893f6733d1e513a48f2e24f9ebc09")),
        ("paper_bang_bang", (100, 190, "a366c62aeef24a6c2d34dbcad17cdfe3")),
        ("perturbed", (8, 8, "4b7292ecc57348dbd1731f31f66dccc5")),
        ("layouts", (24, 45, "f66ffefd672e7b5c14c4cc6c1bf9a369")),
    ],
)
def test_jobs_and_ids_of_shipped_studies_stay(study, expected):
    found = load_study(STUDIES / f"{study}.yaml").model_copy(update={"engine": "single"})
    assert hashed(Plan.of(found, certificate())) == expected


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("quickstart", "09e3266173691f396ae1dde84bf2cf4a"),
        ("paper", "fec53e7ab5fb8a858b41eb08ace5d563"),
        ("comparators", "e5fca2dc18c71194a2dff797627b4d1b"),
    ],
)
def test_jobs_and_ids_of_shipped_studies_stay_where_cohorts_train_them(study, expected):
    found = load_study(STUDIES / f"{study}.yaml")
    jobs, cells, digest = hashed(Plan.of(found, certificate()))
    alone = hashed(Plan.of(found.model_copy(update={"engine": "single"}), certificate()))
    assert (jobs, cells) == alone[:2]
    assert digest == expected


SWEEP = {"alphas": [1.0, 1.5], "horizons": [25], "seeds": [0]}
AXES = {
    "lr": [1e-3, 1e-4],
    "gradient": ["paper", "through_projection"],
    "warmup_env_steps": [0, 256],
}
OWN = {"env_steps": 512, "train_batch_size": 256}
TUNED = {"parameters": {"warmup_env_steps": [0, 256]}, "trials": 2, "alpha": 1.5}
SOURCES = {
    "presa": {"num_pairs": 7},
    "unconstrained": {},
    "scpo": {"iterations": 3},
    "projected_ppo": {},
}
KINDS = {"eps_max": [0.1], "constraints": ["ratio", "pathwise", "mean_shift"]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"sweep": SWEEP | {"hyperparameters": AXES, "seeds": [0, 1], "horizons": [20, 25]}},
            (80, 112, "499b6a7ac1ba410d6821345ab79eceb8"),
            id="axes",
        ),
        pytest.param(
            {"sweep": SWEEP | {"hyperparameters": AXES}, "unconstrained_training": OWN},
            (18, 22, "92a543d47926c04bf78b6327afbf6213"),
            id="axes and an own section",
        ),
        pytest.param(
            {"unconstrained_training": OWN, "tuning": TUNED},
            (3, 5, "58fc3b7019945aef494fbc30d68a1136"),
            id="a tuned warm-up",
        ),
        pytest.param(
            {"resources": {"gpus_per_cell": 0.5, "env_runners_per_cell": 1}},
            (3, 5, "d38a0e76f37a2794e2540cebc28d249c"),
            id="a GPU and runners",
        ),
        pytest.param(
            {"task_policies": SOURCES, "sweep": SWEEP | KINDS | {"horizons": [25, 20]}},
            (16, 46, "5677bf773de75b3bfbd34e97fbcd31b2"),
            id="four sources",
        ),
        pytest.param(
            {"task_policy": "scpo"}, (1, 3, "96ed74cbb70d1da638f06e7c583df8ff"), id="one source"
        ),
        pytest.param(
            {
                "deployment": {"alpha_p": 1.001},
                "sweep": SWEEP | {"methods": ["projected_at_deployment"]},
            },
            (1, 3, "d920d085315663713fb4a20648a86832"),
            id="a deployment",
        ),
    ],
)
def test_jobs_and_ids_of_every_kind_of_study_stay(small_study, change, expected):
    study = Study.model_validate(small_study | change | {"engine": "single"})
    assert hashed(Plan.of(study, certificate())) == expected


def test_a_plan_has_every_cell_by_its_id(small_study):
    plan = Plan.of(Study.model_validate(small_study), certificate())
    assert [cell for job in plan.jobs for cell in job.cells] == list(plan.cells.values())
    assert all(cell.id == name for name, cell in plan.cells.items())
    assert all(cell.is_of(plan.study, plan.certificate) for cell in plan.cells.values())


def test_a_level_out_of_reach_at_one_horizon_is_told_and_has_no_cells_there(small_study):
    found = certificate()
    risky = [0.5] * 20 + found.table.eps_base_simultaneous[20:]
    table = found.table.model_copy(update={"eps_base_simultaneous": risky})
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1], "horizons": [20, 25]}
    plan = Plan.of(Study.model_validate(small_study), found.model_copy(update={"table": table}))
    assert [(one.eps_max, one.horizon) for one in plan.out_of_reach] == [(0.1, 20)]
    assert {cell.horizon for cell in plan.cells.values() if cell.eps_max} == {25}
    assert plan.horizons == [20, 25]  # the policy as it is has a cell at each


def test_a_folder_says_by_the_id_what_is_finished_and_is_told_the_plan(small_study, tmp_path):
    study = Study.model_validate(small_study)
    folder, plan = StudyFolder(tmp_path / "results", study), Plan.of(study, certificate())
    assert plan.missing_jobs(folder) == list(plan.jobs)
    shared, *single = plan.jobs
    for cell in shared.cells:
        write_json(folder.record(cell.id), {"cell_id": cell.id, "status": "finished"})
    failed = single[0].cells[0].id
    write_json(folder.record(failed), {"cell_id": failed, "status": "failed"})
    assert folder.is_finished(shared.cells[0].id)
    assert not folder.is_finished(failed)
    assert plan.missing_jobs(folder) == single
    plan.write(folder)
    written: dict[str, Any] = json.loads((folder.root / "plan.json").read_text())
    assert written["cells"] == list(plan.cells)
    assert [(one["kind"], len(one["cells"])) for one in written["jobs"]] == [
        ("unconstrained", 3), ("projected_ppo", 1), ("projected_ppo", 1),
    ]  # fmt: skip
    assert written["varies"] == ["setting", "method"]
    training = written["parameters"]["projected_ppo"]
    assert training["lr"] == study.training.lr
    assert training["gradient"] == "paper"
    assert summarise(folder, plan)[:3] == (5, 3, 2)  # a cell without a record has failed
