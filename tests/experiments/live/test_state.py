"""What a live page says of a folder, at every moment of a study's life."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sport_ray.experiments.live.present import FILE, Present, read_stage
from sport_ray.experiments.live.state import read_state, records_signature, signature
from sport_ray.experiments.results.process import process_identity
from sport_ray.tracking.results.folder import ResultFolder
from tests.tracking.conftest import write_study


def ledger(folder: Path, *entries: dict[str, object]) -> None:
    lines = [{"time": "2026-03-02T10:00:00+00:00", "cell_id": None, **one} for one in entries]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "ledger.jsonl").write_text(text)


def started() -> dict[str, object]:
    return {"event": "sweep started", **process_identity(), "planned": 48, "study": "s"}


def test_a_folder_that_is_not_there_yet_waits(tmp_path: Path) -> None:
    state = read_state(tmp_path / "none")
    assert (state.phase, state.sentence) == ("waiting", "nothing has begun here yet")
    assert signature(tmp_path / "none") == signature(tmp_path / "none")


def test_a_stage_before_the_cells_is_told(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"name": "mine"}')
    present = Present(tmp_path, "certify: scenarios", 10_000)
    state = read_state(tmp_path)
    assert (state.phase, state.study) == ("starting", "mine")
    assert state.sentence == "starting: certify: scenarios 0 of 10,000"
    present._last = 0.0
    present.tell(2_500)
    stage = read_stage(tmp_path)
    assert stage is not None
    assert (stage.done, stage.alive) == (2_500.0, True)
    state = read_state(tmp_path)
    assert state.news == "starting: certify: scenarios 2,500 of 10,000"
    assert state.step == "starting: certify: scenarios"
    present.end()
    assert read_stage(tmp_path) is None
    assert [*tmp_path.iterdir()] == [tmp_path / "study.json"]


def test_a_stage_whose_process_died_is_gone(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"name": "mine"}')
    Present(tmp_path, "certify: scenarios", 10)
    found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(found | {"started": "another", "pid": 2**22}))
    state = read_state(tmp_path)
    assert state.phase == "gone"
    assert state.sentence == "the run is gone: certify: scenarios 0 of 10"


def test_a_sweep_that_runs_has_counts_failures_and_the_last_change(tmp_path: Path) -> None:
    folder = write_study(tmp_path)
    cells = ResultFolder(folder).recorded()
    (folder / "plan.json").write_text(json.dumps({"cells": [*cells, "f" * 16], "jobs": []}))
    ledger(
        folder,
        started(),
        {"event": "cell started", "cell_id": "f" * 16, "kind": "projected_ppo", "job": "a"},
    )
    state = read_state(folder)
    assert state.phase == "live"
    failed = len(state.failed)
    assert failed == 1
    assert state.finished == len(cells) - failed
    assert state.sentence.startswith(
        f"live: {state.finished} of {len(cells) + 1} cells, 1 failed, 1 running"
    )
    assert state.failed[0]["reason"] == "worker died: out of memory"
    assert "α = 10" in state.failed[0]["where"]
    assert state.changed is not None
    json.dumps(state.to_json(), allow_nan=False)


def test_how_it_ended_is_told(tmp_path: Path) -> None:
    folder = write_study(tmp_path)
    ledger(folder, started(), {"event": "sweep ended", "outcome": "finished"})
    assert read_state(folder).phase == "ended"
    ledger(folder, started(), {"event": "sweep ended", "outcome": "failed", "reason": "no disk"})
    state = read_state(folder)
    assert state.phase == "gone"
    assert state.sentence.startswith("the sweep failed (no disk): ")
    ledger(folder, started() | {"pid": 2**22, "started": "another"})
    assert read_state(folder).sentence.startswith("the run died without a word: ")


def test_a_signature_changes_with_a_record_and_with_nothing_else_there(tmp_path: Path) -> None:
    folder = write_study(tmp_path)
    before = records_signature(folder)
    assert len(before) == len(ResultFolder(folder).recorded())
    (folder / "cells" / before[0][0] / "training.json").write_text("{}")
    assert records_signature(folder) == before
    os.utime(folder / "cells" / before[0][0] / "record.json", (1, 1))
    assert records_signature(folder) != before
