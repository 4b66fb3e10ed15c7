"""Artefacts: whole, where people look, and sent again only when they have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.comparators.simplex import Switch
from sport_ray.policies import PolicyNetwork, save_policy
from sport_ray.policies.network import PolicySpec
from sport_ray.selection import Selector
from sport_ray.selection.scores import TaskDensity
from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow import artefacts as mlflow_artefacts
from sport_ray.tracking.mlflow.artefacts import ARTEFACTS_TAG, POLICY_TAG
from sport_ray.tracking.mlflow.client import artifact_folder, default_uri
from sport_ray.tracking.mlflow.note import NOTE_TAG
from sport_ray.tracking.mlflow.uploads import Uploads, artefacts_of
from tests.tracking.mlflow.test_log import names_of, one_file, parent_and_cells

SMALL: dict[str, Any] = {"alphas": (1.0, 1.1), "horizons": (21,), "seeds": (0,)}


@pytest.fixture
def folder(make_results: Any, tmp_path: Path) -> Path:
    """All cells with one small policy."""
    network = PolicyNetwork(PolicySpec(observation_size=3, action_size=2, hidden=(4,)))
    digest = save_policy(tmp_path / "policy", network, {"made": "by a test"})
    made = make_results(change=lambda record: record | {"policy_digest": digest}, **SMALL)
    (made / "policies").mkdir()
    (tmp_path / "policy").rename(made / "policies" / digest[:16])
    return made


def uploads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is sent from now on."""
    sent: list[str] = []
    real = Uploads.file

    def watch(self: Uploads, run_id: str, file: Path, under: str | None = None) -> None:
        sent.append(file.name)
        real(self, run_id, file, under)

    monkeypatch.setattr(Uploads, "file", watch)
    return sent


def test_each_cell_has_its_policy_beside_its_record(folder: Path) -> None:
    log_sweep(folder)
    _, cells = parent_and_cells(folder)
    for cell, run in cells.items():
        assert names_of(folder, run) == ["policy", "record.json"]
        assert names_of(folder, run, "policy") == ["policy.json", "policy.safetensors"]
        assert run.data.tags[POLICY_TAG] == "policy"
        record = json.loads((folder / "cells" / cell / "record.json").read_text())
        for name in ("policy.json", "policy.safetensors"):
            (original,) = folder.glob(f"policies/{record['policy_digest'][:16]}/{name}")
            copy = artefacts_of(artifact_folder(folder), run.info.run_id) / "policy" / name
            assert copy.read_bytes() == original.read_bytes()


NETWORK = PolicyNetwork(PolicySpec(observation_size=3, action_size=2, hidden=(4,)))
LAW = PolicySpec(
    observation_size=4, action_size=1, squash="index", action_low=(0.0,), action_high=(1.0,)
)


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        (Selector(8, TaskDensity(NETWORK)), "selector"),
        (Switch(NETWORK, PolicyNetwork(LAW), 20, 0.1, 0.5), "switch"),
    ],
    ids=["selector", "switch"],
)
def test_other_kinds_are_sent_whole_or_not_at_all(
    policy: Any, kind: str, make_results: Any, tmp_path: Path
) -> None:
    """A way of choosing among samples is a task policy as any other, and so is a switch."""
    digest = policy.save(tmp_path / "policy", {})
    made = make_results(change=lambda record: record | {"policy_digest": digest}, **SMALL)
    place = made / "policies" / digest[:16]
    place.parent.mkdir()
    (tmp_path / "policy").rename(place)
    log_sweep(made)
    names = [f"{kind}.json", f"{kind}.safetensors"]
    for run in parent_and_cells(made)[1].values():
        assert names_of(made, run, "policy") == names
    weights = place / f"{kind}.safetensors"
    assert mlflow_artefacts._is_whole(place, digest)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert not mlflow_artefacts._is_whole(place, digest)


def test_a_large_policy_lies_once_under_the_parent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_artefacts, "MAX_POLICY_BYTES", 100)
    sent = uploads(monkeypatch)
    log_sweep(folder)
    parent, cells = parent_and_cells(folder)
    (name,) = names_of(folder, parent, "policies")
    assert len(names_of(folder, parent, f"policies/{name}")) == 2
    assert sent.count("policy.safetensors") == 1
    assert {run.data.tags[POLICY_TAG] for run in cells.values()} == {
        f"policies/{name} of the parent run"
    }


def test_a_policy_that_is_not_the_recorded_one_is_not_sent(folder: Path) -> None:
    (weights,) = folder.glob("policies/*/policy.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    log_sweep(folder)
    _, cells = parent_and_cells(folder)
    for run in cells.values():
        assert run.data.tags[POLICY_TAG] == "damaged when the cell was logged"
        assert names_of(folder, run) == ["record.json"]


def test_only_what_changed_is_sent_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "report.html").write_text("<p>first</p>")
    (folder / "cells.parquet").write_bytes(b"PAR1")
    (folder / "figures").mkdir()
    (folder / "figures" / "risk.svg").write_text("<svg/>")
    log_sweep(folder)
    parent, _ = parent_and_cells(folder)
    wanted = ["cells.parquet", "certificate.json", "figures", "report.html"]
    assert names_of(folder, parent) == [*wanted, "study.json", "study.yaml"]
    assert names_of(folder, parent, "figures") == ["risk.svg"]
    sent = uploads(monkeypatch)
    log_sweep(folder)
    assert sent == []
    (folder / "report.html").write_text("<p>second</p>")
    (folder / "figures" / "animation.gif").write_bytes(b"GIF89a")
    log_sweep(folder)
    assert sorted(sent) == ["animation.gif", "report.html", "risk.svg"]
    parent, _ = parent_and_cells(folder)
    page = artefacts_of(artifact_folder(folder), parent.info.run_id) / "report.html"
    assert page.read_text() == "<p>second</p>"
    assert len(parent.data.tags[ARTEFACTS_TAG]) < 1000


def test_the_parent_says_what_the_study_found(folder: Path) -> None:
    (folder / "report.html").write_text("<p></p>")
    log_sweep(folder)
    parent, _ = parent_and_cells(folder)
    note = parent.data.tags[NOTE_TAG]
    assert note.startswith("**One seed cannot show whether a certified setting")
    run = f"#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}/artifacts"
    assert f"[report.html]({run}/report.html?workflowType=machine_learning)" in note
    assert parent.data.params["property"] == "(!hazard) U goal"
    assert parent.data.params["certificate_num_scenarios"] == "10000"


def test_a_note_follows_the_results_unless_somebody_wrote_another(folder: Path) -> None:
    for file in folder.glob("cells/*/record.json"):
        if json.loads(file.read_text())["alpha"] is not None:
            file.rename(file.with_name("kept"))
    log_sweep(folder)
    first = parent_and_cells(folder)[0]
    assert "nothing is certified" in first.data.tags[NOTE_TAG]
    for file in folder.glob("cells/*/kept"):
        file.rename(file.with_name("record.json"))
    log_sweep(folder)
    assert "One seed cannot show" in parent_and_cells(folder)[0].data.tags[NOTE_TAG]
    store = MlflowClient(default_uri(folder))
    store.set_tag(first.info.run_id, NOTE_TAG, "my own words")
    one = one_file(folder, alpha=1.1, source="projected_ppo")
    one.write_text(json.dumps(json.loads(one.read_text()) | {"train_return": 1.25}))
    log_sweep(folder)
    assert parent_and_cells(folder)[0].data.tags[NOTE_TAG] == "my own words"


def test_a_study_whose_cells_all_failed_is_logged(make_results: Any) -> None:
    def failed(record: dict[str, Any]) -> dict[str, Any]:
        return record | {"status": "failed", "reason": "no memory"}

    folder = make_results(change=failed, **SMALL)
    log_sweep(folder)
    parent, _ = parent_and_cells(folder)
    assert parent.info.status == "FAILED"
    note = parent.data.tags[NOTE_TAG]
    assert note.startswith("**0 of 5 planned cells are finished: 5 failed (no memory).")
