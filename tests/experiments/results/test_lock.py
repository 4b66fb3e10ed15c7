"""One process at a time, on one host and on two, with locks and without."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.results import lock
from sport_ray.experiments.results.ledger import Ledger
from sport_ray.experiments.results.lock import DRIVER, STALE_SECONDS, FolderLock


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "results" / "ledger.jsonl"


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a share that has none; there is no such file system to be had in a test."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.1)


def leave(ledger: Path, **who: object) -> Path:
    """What another driver wrote."""
    ledger.parent.mkdir(exist_ok=True)
    path = ledger.parent / DRIVER
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "began": None, **who}))
    return path


def test_taken_let_go_and_taken_again(ledger: Path) -> None:
    for _ in range(2):
        held = FolderLock(ledger)
        with pytest.raises(UserError, match=f"is running already .process {os.getpid()} on "):
            FolderLock(ledger)
        held.close()
        held.close()  # twice is once
        assert not (ledger.parent / DRIVER).exists()


def test_after_a_kill_it_is_free_at_once(ledger: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from sport_ray.experiments.results.lock import FolderLock\n"
        "held = FolderLock(Path(sys.argv[1]))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(ledger)], check=False)
    assert (ledger.parent / DRIVER).exists()
    FolderLock(ledger).close()


@pytest.mark.parametrize("locks", [True, False])
def test_a_driver_on_another_host(
    locks: bool, ledger: Path, request: pytest.FixtureRequest
) -> None:
    """A lock may be a matter of each host alone: what is written there counts as well."""
    if not locks:
        request.getfixturevalue("without_locks")
    path = leave(ledger)
    with pytest.raises(UserError, match=r"process 7 on elsewhere.*heard of 0 s ago"):
        FolderLock(ledger)
    long_ago = time.time() - STALE_SECONDS - 1.0
    os.utime(path, (long_ago, long_ago))
    FolderLock(ledger).close()


def test_without_locks_a_living_process_counts_and_a_dead_one_does_not(
    ledger: Path, without_locks: None
) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    leave(ledger, pid=other.pid, host=socket.gethostname())
    with pytest.raises(UserError, match=f"process {other.pid} on "):
        FolderLock(ledger)
    other.communicate(b"\n")
    FolderLock(ledger).close()


def test_without_locks_the_one_that_wrote_last_wins(
    ledger: Path, without_locks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: leave(ledger, token="other"))
    with pytest.raises(UserError, match="process 7 on elsewhere"):
        FolderLock(ledger)
    assert (ledger.parent / DRIVER).exists()  # the winner's


def test_a_driver_shows_that_it_is_alive(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.05)
    held = FolderLock(ledger)
    path = ledger.parent / DRIVER
    os.utime(path, (0, 0))
    while path.stat().st_mtime == 0:
        time.sleep(0.02)
    held.close()


def test_a_link_is_not_followed(tmp_path):
    """A result folder from elsewhere must not make a file of this machine grow."""
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "ledger.jsonl").symlink_to(victim)
    for opened in (FolderLock, Ledger):
        with pytest.raises(UserError, match="it is a link, remove it"):
            opened(tmp_path / "results" / "ledger.jsonl")
    assert victim.read_text() == "mine"
