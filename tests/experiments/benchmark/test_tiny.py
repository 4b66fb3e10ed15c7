"""A part of the tiny suite by the command, from the beginning to the leaderboard."""

from __future__ import annotations

import json

import pytest

from tests.experiments.calling import called


@pytest.mark.slow
def test_a_part_of_the_tiny_suite_runs_goes_on_after_a_failure_and_resumes(tmp_path):
    arguments = "bench", "--tiny", "--tasks", "point_fixed,frozen_lake", "--seeds", 1
    in_the_way = tmp_path / "results/bench-tiny/frozen_lake/smooth_0/notes.txt"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("mine")

    first = called(*arguments, cwd=tmp_path)
    assert first.returncode == 1, first.stderr
    root = tmp_path / "results/bench-tiny"
    manifest = json.loads((root / "bench.json").read_text())
    assert list(manifest["failed"]) == ["frozen_lake/smooth_0"]
    why = manifest["failed"]["frozen_lake/smooth_0"]
    assert "bench-tiny/frozen_lake/smooth_0 is not empty and holds no study" in why
    assert str(tmp_path) not in why
    told = "sport-ray bench --tasks point_fixed,frozen_lake --seeds 1 --tiny"
    assert manifest["command"] == told
    assert "point_fixed" in (root / "leaderboard.md").read_text()
    times = {file: file.stat().st_mtime_ns for file in root.glob("point_fixed/*/cells/*/record.*")}
    assert times

    in_the_way.unlink()
    second = called(*arguments, "--publish", "kept", cwd=tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert {file: file.stat().st_mtime_ns for file in times} == times
    manifest = json.loads((root / "bench.json").read_text())
    assert not manifest["failed"]
    for folder in manifest["folders"]:
        cells = [json.loads(file.read_text()) for file in
                 (root / folder["folder"]).glob("cells/*/record.json")]  # fmt: skip
        assert {cell["status"] for cell in cells} == {"finished"}
        assert sum(cell["source"] == "base" for cell in cells) == 1
        assert sum(cell["source"] == "unconstrained" for cell in cells) >= 1
    assert (tmp_path / "kept/bench.json").is_file()
    assert str(tmp_path) not in (tmp_path / "kept/bench.json").read_text()
