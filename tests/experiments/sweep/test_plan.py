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
        ("quickstart", (30, 78, "c5182426ab094cc5b76ba52213effdd3")),
        ("paper", (140, 270, "78f74946b1a244bb21d2c99c30a91d4b")),
        ("comparators", (45, 135, "c08f84b0a66bdd67323e7a77b7d26c92")),
        ("less_conservative", (115, 225, "76cb435c775c93714e3434a9fd3e6585")),
        ("margin", (5, 35, "75056bea19e60002b3e5d24a4786b2bf")),
        ("perturbed", (8, 8, "fc0f3a67ea7625c880f94190517083a5")),
        ("layouts", (24, 45, "05d1e7985dda37bd235e28bb47833e03")),
    ],
)
def test_jobs_and_ids_of_shipped_studies_stay(study, expected):
    found = load_study(STUDIES / f"{study}.yaml").model_copy(update={"engine": "single"})
    assert hashed(Plan.of(found, certificate())) == expected


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("quickstart", "c2f4cce5eec6033e68ae6ab96b467aff"),
        ("paper", "62a2e0cd038572f724fa3c8ebb56d704"),
        ("comparators", "16325569e7f1801cac7e84dd913c7a87"),
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
            (80, 112, "11ef2bd6203bb802a6471251de552960"),
            id="axes",
        ),
        pytest.param(
            {"sweep": SWEEP | {"hyperparameters": AXES}, "unconstrained_training": OWN},
            (18, 22, "1b83d09b97f8272b844631369b11b2ea"),
            id="axes and an own section",
        ),
        pytest.param(
            {"unconstrained_training": OWN, "tuning": TUNED},
            (3, 5, "0b054575917f3611f1e2eccdecf1fc83"),
            id="a tuned warm-up",
        ),
        pytest.param(
            {"resources": {"gpus_per_cell": 0.5, "env_runners_per_cell": 1}},
            (3, 5, "53bca159e6b10d99631b2d755c1b49a6"),
            id="a GPU and runners",
        ),
        pytest.param(
            {"task_policies": SOURCES, "sweep": SWEEP | KINDS | {"horizons": [25, 20]}},
            (16, 46, "d895bc6ce6cc0eb795ce843da530d7bd"),
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
            (1, 3, "00a50a2639ce0eb06a7aa46ebb5ad289"),
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
    assert summarise(folder, plan)[:3] == (5, 3, 2)  # a cell without a record has failed
