"""A cluster whose nodes have no folder in common but what the store holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sport_ray.experiments.storage.place import Place
from tests.cluster.conftest import SPORT_RAY, local_cluster
from tests.experiments.storage.test_resume import require_as_undisturbed, undisturbed

__all__ = ["undisturbed"]

HIDDEN = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$HIDE" && exec "$@"', "sh")
"""Runs a command that sees an empty folder in the place of another."""


def may_mount() -> bool:
    probe = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return os.geteuid() == 0 and subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_workers_that_do_not_see_the_drivers_folder(
    place: Place, undisturbed: Path, tmp_path: Path
) -> None:
    """The driver's cache is hidden from the one node that has CPUs."""
    driver, node = tmp_path / "driver", tmp_path / "node"
    driver.mkdir()
    with local_cluster() as cluster:
        cluster.host = "127.0.0.1"
        cluster.start_head(SPORT_RAY_CACHE=str(driver))
        cluster.start_node(
            "--num-cpus=2",
            f"--address={cluster.address}",
            prefix=HIDDEN,
            HIDE=str(driver),
            SPORT_RAY_CACHE=str(node),
        )
        cluster.wait_for_cpus(2)
        study = undisturbed.parent / "study.yaml"
        words = [*SPORT_RAY, "run", study, "--results", place, "--address", cluster.address]
        cluster.env["SPORT_RAY_CACHE"] = str(driver)
        done = cluster.run(*words, timeout=850)
    assert done.returncode == 0, done.stdout + done.stderr
    require_as_undisturbed(place, undisturbed)
    made = {path.parent.name for path in node.glob("*/node-*/results/cells/*/record.json")}
    assert made == {path.name for path in (undisturbed / "cells").iterdir()}
    (copy,) = driver.glob("*/driver/results")
    assert {path.parent.name for path in copy.glob("cells/*/record.json")} == made
    assert len([*copy.glob("cells/*/samples.npz")]) == len(made)  # fetched for the report
