"""One process at a time, on one host and on two."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.results import lock
from sport_ray.experiments.results.lock import LEASE, STALE_SECONDS, FolderLock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


def leave(root: Path, pid: int = 7, host: str = "elsewhere", silent: float = 0.0) -> Path:
    """The lease of another driver, renewed so many seconds ago."""
    root.mkdir(exist_ok=True)
    path = root / LEASE
    fields = {"pid": pid, "host": host, "mode": "lease", "token": "t", "duration": STALE_SECONDS}
    lines = ["filelock/2", *(f"{name}={value}" for name, value in fields.items())]
    path.write_text("\n".join(lines) + "\n")
    then = time.time() - silent
    os.utime(path, (then, then))
    return path


def test_taken_let_go_and_taken_again(root: Path) -> None:
    for _ in range(2):
        held = FolderLock(root)
        process = f"process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(UserError, match=rf"is running already .{process}.: wait for it"):
            FolderLock(root)
        held.close()
        held.close()  # twice is once
        assert not (root / LEASE).exists()


def test_after_a_kill_it_is_free_at_once(root: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from sport_ray.experiments.results.lock import FolderLock\n"
        "held = FolderLock(Path(sys.argv[1]))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=False)
    assert (root / LEASE).exists()
    FolderLock(root).close()


def test_a_driver_on_another_host(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.1)
    leave(root)
    with pytest.raises(UserError, match=r"process 7 on elsewhere.*heard of 0 s ago"):
        FolderLock(root)
    leave(root, silent=STALE_SECONDS + 1.0)
    FolderLock(root).close()


def test_a_living_process_of_this_host_is_never_taken_for_dead(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been stopped for longer than its lease lasts; once it has ended it counts not."""
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        leave(root, other.pid, socket.gethostname(), silent=10 * STALE_SECONDS)
        with pytest.raises(UserError, match=f"process {other.pid} on "):
            FolderLock(root)
        other.communicate(b"\n")
    FolderLock(root).close()


def test_of_two_that_remove_a_silent_lease_the_last_wins(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(root, silent=STALE_SECONDS + 1.0)

    def another_comes(_: float) -> None:
        (root / LEASE).unlink()
        leave(root, 8, "third")

    monkeypatch.setattr(time, "sleep", another_comes)
    with pytest.raises(UserError, match="process 8 on third"):
        FolderLock(root)
    assert (root / LEASE).exists()  # the winner's


def test_a_driver_shows_that_it_is_alive(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.05)
    held = FolderLock(root)
    path = root / LEASE
    os.utime(path, (0, 0))
    while path.stat().st_mtime == 0:
        time.sleep(0.02)
    held.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written: "):
        FolderLock(tmp_path / "file" / "results")
