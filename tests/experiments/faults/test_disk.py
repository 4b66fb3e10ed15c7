"""Disks that fill up while a sweep runs: under results, and under Ray's own files."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sport_ray.experiments.results.status import read_status
from tests.experiments.faults.harness import (
    CELLS,
    certified_copy,
    finished_and_running,
    numbers,
    records,
    require_as_undisturbed,
    resume,
    sport_ray,
    sweeping,
    wait_until,
    write_study,
)

Mount = Callable[[Path], None]


@pytest.fixture
def small_disk() -> Iterator[Mount]:
    """Puts a disk of 64 MiB under an empty folder; skips where this process may not."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no small disk to be had (mount: {done.stderr.strip()})")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing more goes in; the file that takes all the room."""
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as handle:
        for size in (2**20, 2**12, 1):
            while True:
                try:
                    if handle.write(b"\0" * size) < size:
                        break
                except OSError:
                    break
    free = os.statvfs(folder)
    assert free.f_bavail == 0
    return filler


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    ["", "cells", "policies", ".tune"],
    ids=lambda place: place or "all of it",
)
def test_no_room_for_results(
    place: str, small_disk: Mount, undisturbed: Path, tmp_path: Path
) -> None:
    """The sweep stops and says why; no cell is recorded as failed; with room it resumes."""
    write_study(tmp_path / "study.yaml")
    if place == "":
        small_disk(tmp_path / "small")
        folder = certified_copy(undisturbed, tmp_path / "small")
        write_study(tmp_path / "small" / "study.yaml")
    else:
        folder = certified_copy(undisturbed, tmp_path)
        small_disk(folder / place)
    with sweeping(folder) as driver:
        wait_until(driver, lambda: finished_and_running(folder))
        filler = fill(folder / place)
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 2, out + err
    assert err.strip().splitlines()[-1].startswith("sport-ray: no room on the disk of "), out + err
    # Tune shows why a trial could not save: that is its own file, and all there is to show.
    assert place == ".tune" or "Traceback" not in out + err
    kept = numbers(folder)
    assert 1 <= len(kept) < CELLS
    assert {record["status"] for record in records(folder).values()} == {"finished"}
    assert kept.items() <= numbers(undisturbed).items()
    assert read_status(folder).failed == []
    # As long as there is no room:
    again = sport_ray("sweep", folder.parent / "study.yaml", "--results", folder, status=2)
    assert "no room on the disk of" in again or "cannot be written" in again
    filler.unlink()
    resume(folder)
    require_as_undisturbed(folder, undisturbed)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """One whose name is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="ray") as own:
        yield Path(own)


@pytest.mark.slow
@pytest.mark.fault
def test_no_room_for_the_files_of_ray(
    short_folder: Path, small_disk: Mount, certified: Path, undisturbed: Path
) -> None:
    """Its sockets are there and its logs find no room: the sweep goes on."""
    small_disk(short_folder)
    with sweeping(certified, env={"RAY_TMPDIR": str(short_folder)}) as driver:
        wait_until(driver, lambda: finished_and_running(certified))
        fill(short_folder)
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    require_as_undisturbed(certified, undisturbed)
