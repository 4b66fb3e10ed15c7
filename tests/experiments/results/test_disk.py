"""A full disk is known by its error, however deep, and by trying."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from ray.exceptions import RayTaskError

from sport_ray.experiments.results.disk import DiskFull, is_disk_full, require_space

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_the_error_and_what_it_came_from() -> None:
    wrapped = RuntimeError("cannot save")
    wrapped.__cause__ = FULL
    assert is_disk_full(wrapped)
    assert is_disk_full(RayTaskError("step", "traceback", wrapped))
    assert is_disk_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(ValueError("No space left on device"))


def test_a_loop_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert not is_disk_full(one)


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    require_space(tmp_path, tmp_path / "not there")
    assert list(tmp_path.iterdir()) == []
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if (done := subprocess.run(mount, capture_output=True, text=True)).returncode != 0:
        pytest.skip(f"no small disk to be had (mount: {done.stderr.strip()})")
    try:
        with pytest.raises(DiskFull, match=f"no room on the disk of {small}: "):
            require_space(tmp_path, small)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
