"""``ray job submit``: to a head on this machine, stopped in the middle, resumed by another job."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import RAY, STUDY, LocalCluster, free_port, numbers, write_study

CELLS = 10


@pytest.mark.slow
@pytest.mark.fault
def test_a_job_is_stopped_and_resumed(
    cluster: LocalCluster, one_machine: Path, tmp_path: Path
) -> None:
    """As docs/cluster.md has it; the dashboard is on loopback and asks for the token."""
    cluster.host = "127.0.0.1"
    port = free_port()
    cluster.start_head(
        "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}"
    )
    cluster.start_node("--num-cpus=1", f"--address={cluster.address}")
    cluster.wait_for_cpus(1)
    server = ["--address", f"http://127.0.0.1:{port}"]
    # More cells than elsewhere: `ray job stop` takes seconds to begin.
    study = write_study(tmp_path, sweep=STUDY["sweep"] | {"seeds": list(range(CELLS))})
    results = tmp_path / "results"
    entry_point = [str(Path(sys.executable).parent / "sport-ray"), "run", study]
    entry_point += ["--address", "auto", "--results", results]

    def job(*arguments: object) -> str:
        done = cluster.run(*RAY, "job", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    job("submit", *server, "--no-wait", "--submission-id", "first", "--", *entry_point)
    while not any(results.glob("cells/*/record.json")):
        assert "FAILED" not in job("status", *server, "first")
    job("stop", *server, "first")  # returns when it has ended
    assert "Job 'first' was stopped" in job("status", *server, "first")
    kept = {p: p.stat().st_mtime_ns for p in results.glob("cells/*/record.json")}

    told = job("submit", *server, "--submission-id", "second", "--", *entry_point)
    assert "Job 'second' succeeded" in told
    assert f"{CELLS} of {CELLS} cells finished" in told  # the job's own output
    assert f"{CELLS} of {CELLS} cells finished" in job("logs", *server, "second")
    assert 1 <= len(kept) < CELLS, "stopped too late: nothing was left to resume"
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    alone, here = numbers(one_machine), numbers(results)
    assert {record["status"] for record in here.values()} == {"finished"}
    assert {cell: here[cell] for cell in alone} == alone

    cluster.env["RAY_AUTH_TOKEN_PATH"] = str(tmp_path / "another")
    Path(cluster.env["RAY_AUTH_TOKEN_PATH"]).write_text("0" * 64)
    refused = cluster.run(*RAY, "job", "status", *server, "second")
    assert refused.returncode != 0
    assert "succeeded" not in refused.stdout + refused.stderr
