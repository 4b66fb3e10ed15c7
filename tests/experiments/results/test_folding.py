"""A ledger that has grown is folded; what is told of it stays the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sport_ray.experiments.results import folding
from sport_ray.experiments.results.folding import FOLDED, fold
from sport_ray.experiments.results.ledger import Ledger, parse_line, read_ledger, sweep_ledger
from sport_ray.experiments.results.process import process_identity
from sport_ray.experiments.results.status import read_status

KINDS = ("projected_ppo", "unconstrained")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A study of ten cells: five are finished, of two the record has gone, three are to be done."""
    cells = [f"{i:016x}" for i in range(10)]
    plan = {
        "cells": cells,
        "jobs": [{"kind": KINDS[i % 2], "cells": [cell]} for i, cell in enumerate(cells)],
    }
    (tmp_path / "study.json").write_text('{"name": "small"}')
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    for cell in cells[:5]:
        record = {"cell_id": cell, "status": "finished", "source": "projected_ppo"}
        path = tmp_path / "cells" / cell / "record.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**record, "alpha": 1.5, "horizon": 25, "seed": 0}))
    write_history(tmp_path / "ledger.jsonl", cells)
    return tmp_path


def write_history(path: Path, cells: list[str]) -> None:
    """Forty sweeps that were killed, each after retries and a failure; one that was interrupted."""
    ledger = Ledger(path)
    for sweep in range(41):
        ledger.append("sweep started", **process_identity(), planned=10, study="d" * 64)
        about = {"kind": KINDS[sweep % 2], "job": f"job-{sweep}"}
        for cell in (cells[sweep % 7], cells[7], cells[8]):
            ledger.append("cell started", cell, **about)
        ledger.append("record set aside", cells[8])
        ledger.append("cell retried", cells[7], **about)
        ledger.append("cell failed", cells[7], **about, reason="of the machine")
        ledger.append("cell finished", cells[sweep % 7], **about, seconds=1.5 * sweep + 0.1)
    ledger.append("sweep ended", outcome="interrupted")
    ledger.close()


def status_of(root: Path) -> dict[str, Any]:
    return read_status(root, now=datetime.now(UTC) + timedelta(days=1)).to_json()


def test_status_and_time_left_are_the_same(root):
    path = root / "ledger.jsonl"
    before, size = status_of(root), path.stat().st_size
    assert before["seconds_left"] > 0.0
    assert len(before["lost_records"]) == 2
    assert fold(path, parse_line, limit=0)
    assert status_of(root) == before
    assert path.stat().st_size < size / 2
    entries = read_ledger(path).entries
    assert [one["event"] for one in entries[:3]] == ["sweep started", FOLDED, "sweep started"]
    assert [one["event"] for one in entries].count(FOLDED) == 40  # all but the last sweep's
    assert entries[1]["counts"] == {
        "cell started": 3,
        "record set aside": 1,
        "cell retried": 1,
        "cell failed": 1,
        "cell finished": 1,
    }


def test_folded_again_it_is_what_it_was(root):
    path = root / "ledger.jsonl"
    fold(path, parse_line, limit=0)
    once = path.read_bytes()
    fold(path, parse_line, limit=0)
    assert path.read_bytes() == once


def test_lines_that_are_none_are_kept(root):
    path = root / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{damaged\n", *lines[3:], b'{"torn": ']))
    before = status_of(root)
    fold(path, parse_line, limit=0)
    found = path.read_bytes()
    assert b"{damaged\n" in found
    assert found.endswith(b'\n{"torn": ')
    after = status_of(root)
    assert len(before.pop("damaged_ledger_lines")) == len(after.pop("damaged_ledger_lines")) == 1
    assert after == before


@pytest.mark.parametrize(
    "altered",
    [
        {"finished": {"ppo": [["cell"]]}},
        {"finished": {"ppo": [["cell", "1"]]}},
        {"finished": {"ppo": 1}},
        {"finished": []},
        {"counts": {"cell started": "3"}},
        {"counts": None},
        {"counts": {"cell started": True}, "finished": {"ppo": [["cell", None]]}},
    ],
)
def test_an_altered_line_is_reported_and_fatal_nowhere(root, altered):
    path = root / "ledger.jsonl"
    fold(path, parse_line, limit=0)
    lines = path.read_bytes().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **altered}).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert read_ledger(path).damaged == [2]
    assert read_status(root).damaged_ledger_lines == [2]


def test_a_sweep_folds_what_has_grown_and_leaves_the_rest(root, monkeypatch):
    path = root / "ledger.jsonl"
    before = path.read_bytes()
    with sweep_ledger(path, planned=10, study="d"):
        pass
    assert path.read_bytes().startswith(before)
    monkeypatch.setattr(folding, "LIMIT", 1024)
    with sweep_ledger(path, planned=10, study="d"):
        pass
    entries = read_ledger(path).entries
    assert [one["event"] for one in entries].count(FOLDED) == 41
    assert [one["event"] for one in entries[-4:]] == ["sweep started", "sweep ended"] * 2


def test_one_sweep_is_not_folded_and_a_link_is_not_followed(tmp_path):
    path, link = tmp_path / "one.jsonl", tmp_path / "ledger.jsonl"
    with sweep_ledger(path, planned=1, study="d") as ledger:
        ledger.append("cell started", "c", kind="ppo", job="j")
    assert not fold(path, parse_line, limit=0)
    assert not fold(tmp_path / "none.jsonl", parse_line, limit=0)
    link.symlink_to(path)
    assert not fold(link, parse_line, limit=0)


KILLED = """
import os, signal, sys
from pathlib import Path
from sport_ray import canonical
from sport_ray.experiments.results.folding import fold
from sport_ray.experiments.results.ledger import parse_line
calls = []
def killed(name):
    real = getattr(os, name)
    def call(*words, **more):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **more)
    setattr(os, name, call)
killed("fsync"), killed("replace")
fold(Path(sys.argv[1]), parse_line, limit=0)
"""


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_killed_in_the_middle_nothing_is_lost(root, at):
    """Before the new file is on the device, and before it has the name."""
    path = root / "ledger.jsonl"
    before, told = path.read_bytes(), status_of(root)
    done = subprocess.run([sys.executable, "-c", KILLED, path, at], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == before
    assert status_of(root) == told
    fold(path, parse_line, limit=0)
    assert status_of(root) == told


def test_a_full_disk_leaves_it_alone(root, monkeypatch):
    path = root / "ledger.jsonl"
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert not fold(path, parse_line, limit=0)
    assert path.read_bytes() == before
    assert sorted(one.name for one in root.glob(".*")) == []
