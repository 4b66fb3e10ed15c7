"""Which process this is, and whether another one is still alive."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any


def process_identity() -> dict[str, Any]:
    """Host, pid and start of the running process (a pid alone is given again to others)."""
    pid = os.getpid()
    return {"pid": pid, "host": socket.gethostname(), "started": _start_time(pid)}


def is_alive(entry: dict[str, Any]) -> bool | None:
    """Whether the driver of a 'sweep started' line is running; None where it is another host's."""
    if entry["host"] != socket.gethostname():
        return None
    started = _start_time(entry["pid"])
    if started is None:  # no such process, or a system without /proc
        return not Path("/proc/self/stat").exists() and runs(entry["pid"])
    return entry.get("started") in (None, started)


def _start_time(pid: int) -> str | None:
    """Boot and clock ticks at which a process started; None where that cannot be known."""
    try:
        after_name = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        )
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()[:8]
    except (OSError, IndexError):
        return None
    return None if after_name[0] == "Z" else f"{boot}:{after_name[19]}"


def runs(pid: int) -> bool:
    """Whether there is a process of this number here, whoever's it is."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
