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
from sport_ray.experiments.sweep.driver import pending_jobs, summarise
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
        ("quickstart", (54, 102, "23620774a21d194e62f595d470412647")),
        ("paper", (140, 270, "1300a99f105b9c2fa88286ccaae00b64")),
        ("comparators", (45, 135, "9df78add79a7c34a8435bc8965706835")),
        ("less_conservative", (115, 225, "a1d9dff99377c97025cfa1315bfe7ce4")),
        ("margin", (5, 35, "6599a6ac88066d53ba0086204b2633ec")),
        ("perturbed", (8, 8, "79fe1d88d8df41aa664fa840e536c982")),
        ("layouts", (24, 45, "2c2921c2f880b8cb3120c9f68f512dd4")),
    ],
)
def test_jobs_and_ids_of_shipped_studies_are_as_before_there_were_plans(study, expected):
    found = load_study(STUDIES / f"{study}.yaml")
    assert hashed(Plan.of(found, certificate())) == expected


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
            (80, 112, "739f76d105b71c40918316ccb0322857"),
            id="axes",
        ),
        pytest.param(
            {"sweep": SWEEP | {"hyperparameters": AXES}, "unconstrained_training": OWN},
            (18, 22, "f53c045baf6f805d97e3c164413a2b9e"),
            id="axes and an own section",
        ),
        pytest.param(
            {"unconstrained_training": OWN, "tuning": TUNED},
            (3, 5, "069cac25fdf88773fff8b18551b86f7b"),
            id="a tuned warm-up",
        ),
        pytest.param(
            {"resources": {"gpus_per_cell": 0.5, "env_runners_per_cell": 1}},
            (3, 5, "a0bc15b902b92ac54a760430321942ef"),
            id="a GPU and runners",
        ),
        pytest.param(
            {"task_policies": SOURCES, "sweep": SWEEP | KINDS | {"horizons": [25, 20]}},
            (16, 46, "d62c1e7b3f78e5c60c0f78ce978a287b"),
            id="four sources",
        ),
        pytest.param(
            {"task_policy": "scpo"}, (1, 3, "960c150d3cfc41aff2360866d917d395"), id="one source"
        ),
        pytest.param(
            {
                "deployment": {"alpha_p": 1.001},
                "sweep": SWEEP | {"methods": ["projected_at_deployment"]},
            },
            (1, 3, "0eacf737e37dd4dc4953f755afafc256"),
            id="a deployment",
        ),
    ],
)
def test_jobs_and_ids_of_every_kind_of_study_are_as_before(small_study, change, expected):
    study = Study.model_validate(small_study | change)
    assert hashed(Plan.of(study, certificate())) == expected


def test_records_call_source_and_projection_what_they_always_have(small_study):
    plan = Plan.of(Study.model_validate(small_study | {"task_policies": SOURCES}), certificate())
    called = {(cell.source, cell.projected): cell.method for cell in plan.cells.values()}
    assert called == {
        ("projected_ppo", True): "projected_ppo",
        ("unconstrained", False): "unconstrained",
        ("unconstrained", True): "projected_at_deployment",
        ("presa", False): "unprojected",
        ("presa", True): "projected_at_deployment",
        ("scpo", False): "unprojected",
        ("scpo", True): "projected_at_deployment",
    }


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
    assert pending_jobs(folder, plan) == list(plan.jobs)
    shared, *single = plan.jobs
    for cell in shared.cells:
        write_json(folder.record(cell.id), {"cell_id": cell.id, "status": "finished"})
    failed = single[0].cells[0].id
    write_json(folder.record(failed), {"cell_id": failed, "status": "failed"})
    assert folder.is_finished(shared.cells[0].id)
    assert not folder.is_finished(failed)
    assert pending_jobs(folder, plan) == single
    folder.write_plan(plan)
    written: dict[str, Any] = json.loads((folder.root / "plan.json").read_text())
    assert written["cells"] == list(plan.cells)
    assert [(one["kind"], len(one["cells"])) for one in written["jobs"]] == [
        ("unconstrained", 3), ("projected_ppo", 1), ("projected_ppo", 1),
    ]  # fmt: skip
    assert summarise(folder, plan)[:3] == (5, 3, 2)  # a cell without a record has failed
