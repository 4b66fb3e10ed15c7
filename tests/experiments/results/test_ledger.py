"""The ledger: one writer, many readers, and lines that are cut off or altered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.results.ledger import Ledger, read_ledger, sweep_ledger
from sport_ray.experiments.results.process import is_alive, process_identity
from sport_ray.experiments.results.status import read_status

CELL = {"kind": "projected_ppo", "job": "c0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def fill(path: Path, cells: int = 3) -> None:
    with sweep_ledger(path, planned=cells, study="d" * 64) as ledger:
        for i in range(cells):
            ledger.append("cell started", f"c{i}", **CELL)
            ledger.append("cell finished", f"c{i}", **CELL, seconds=1.5)


def events(path: Path) -> list[str]:
    return [entry["event"] for entry in read_ledger(path).entries]


def test_a_sweep_from_start_to_end(path):
    fill(path, cells=1)
    entries, damaged = read_ledger(path)
    assert damaged == []
    assert [e["event"] for e in entries] == [
        "sweep started",
        "cell started",
        "cell finished",
        "sweep ended",
    ]
    assert entries[0]["pid"] == os.getpid()
    assert entries[0]["planned"] == 1
    assert entries[2]["cell_id"] == "c0"
    assert entries[2]["seconds"] == 1.5
    assert entries[3]["outcome"] == "finished"
    assert all(entry["time"].endswith("+00:00") for entry in entries)
    for line in path.read_text().splitlines():
        assert list(json.loads(line))[:3] == ["time", "event", "cell_id"]  # what people read first


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(KeyboardInterrupt(), "interrupted"), (OSError("no"), "failed"), (SystemExit(15), "killed")],
)
def test_how_a_sweep_ended(path, error, outcome):
    with (
        pytest.raises(type(error)),
        sweep_ledger(path, planned=1, study="d"),
    ):
        raise error
    assert read_ledger(path).entries[-1]["outcome"] == outcome


def test_no_ledger_is_no_history(path):
    assert read_ledger(path) == ([], [])


def test_every_cut_of_the_last_line_is_ignored_and_healed(path):
    fill(path, cells=1)
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        assert events(path) == ["sweep started", "cell started", "cell finished"]
        assert read_ledger(path).damaged == []
        ledger = Ledger(path)
        ledger.append("cell started", "c1", **CELL)
        ledger.close()
        entries, damaged = read_ledger(path)
        assert entries[-1]["cell_id"] == "c1"
        # Of a line that lacks its end alone nothing is lost: the end came with the next one.
        assert damaged == ([] if cut in (last, len(whole) - 1) else [4])


def test_an_altered_byte_is_fatal_nowhere(path):
    """What is no entry any more is reported; the lines around it are read."""
    fill(path, cells=1)
    lines = path.read_bytes().splitlines(keepends=True)
    (path.parent / "study.json").write_text('{"name": "small"}')
    for position in range(len(lines[2]) - 1):
        line = bytearray(lines[2])
        line[position] ^= 1
        if bytes(line).count(b"\n") != 1:
            continue
        path.write_bytes(b"".join([*lines[:2], bytes(line), *lines[3:]]))
        history = read_ledger(path)
        assert history.damaged in ([], [3])
        assert len(history.entries) + len(history.damaged) == 4
        read_status(path.parent)


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"\0" * 100, b'{"event": []}', b"[" * 100_000],
)
def test_a_line_of_something_else(path, line):
    fill(path, cells=1)
    head, _, tail = path.read_bytes().partition(b"\n")
    path.write_bytes(head + b"\n" + line + b"\n" + tail)
    history = read_ledger(path)
    assert history.damaged == [2]
    assert len(history.entries) == 4


def test_what_is_lost_when_the_disk_is_full(path):
    """/dev/full takes no byte: nothing is raised, and the loss is counted."""
    ledger = Ledger(path)
    ledger.append("cell started", "c0", **CELL)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, ledger._file)
    os.close(full)
    ledger.append("cell started", "c1", **CELL)
    ledger.close()
    assert ledger.lost == 1
    assert len(read_ledger(path).entries) == 1


def test_a_link_is_not_followed(tmp_path):
    """A result folder from elsewhere must not make a file of this machine grow."""
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    (tmp_path / "ledger.jsonl").symlink_to(victim)
    with pytest.raises(UserError, match="it is a link, remove it"):
        Ledger(tmp_path / "ledger.jsonl")
    assert victim.read_text() == "mine"


def test_readers_see_whole_lines_while_another_process_writes(path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sport_ray.experiments.results.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for i in range(3000):\n"
        "    ledger.append('cell started', str(i), kind='k', job='j' * (i % 500))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)]) as writer:
        seen, reads = 0, 0
        while writer.poll() is None:
            entries, damaged = read_ledger(path)
            assert damaged == []
            assert [e["cell_id"] for e in entries] == [str(i) for i in range(len(entries))]
            assert len(entries) >= seen
            seen, reads = len(entries), reads + 1
    assert writer.returncode == 0
    assert reads > 1
    assert len(read_ledger(path).entries) == 3000


def test_a_process_is_known_by_when_it_began():
    own = process_identity()
    assert is_alive(own) is True
    assert is_alive(own | {"started": "0:0"}) is False  # the pid was given to another
    assert is_alive(own | {"host": "elsewhere"}) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert is_alive(own | {"pid": child.pid}) is False


@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_what_never_ends_is_not_read(tmp_path, target):
    path = tmp_path / "ledger.jsonl"
    os.mkfifo(path) if target == "pipe" else path.symlink_to(target)
    with pytest.raises(UserError, match="cannot be read: no regular file"):
        read_ledger(path)
