"""Nodes: too small for a cell, or lost while they run one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.resources import require_room
from tests.experiments.faults.harness import (
    descendants,
    end,
    events_of,
    finished_and_running,
    require_as_undisturbed,
    sweeping,
    wait_until,
    workers_below,
)


def test_what_no_single_node_can_hold_is_refused_at_once() -> None:
    cpus = {"10.0.0.1": 2.0, "10.0.0.2": 4.0, "10.0.0.3": 0.0}
    nodes = {address: {"CPU": has} for address, has in cpus.items()}
    require_room([{"CPU": 4.0}, {"CPU": 1.0}, {"CPU": 1.0}], nodes)
    with pytest.raises(UserError, match=r"5 CPUs on one node, the largest node \(10.0.0.2\) has 4"):
        require_room([{"CPU": 5.0}], nodes)
    with pytest.raises(UserError, match=r"asks for 7 CPUs, all nodes together have 6"):
        require_room([{"CPU": 4.0}, *[{"CPU": 1.0}] * 3], nodes)
    with pytest.raises(UserError, match="there is no node"):
        require_room([{"CPU": 1.0}], {})


@pytest.mark.slow
@pytest.mark.fault
def test_two_small_nodes_are_not_one_large_node(undisturbed: Path, tmp_path: Path) -> None:
    """On a real cluster of two nodes with one CPU each: Tune would wait for ever."""
    study = yaml.safe_load((undisturbed.parent / "study.yaml").read_text())
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump(study | {"resources": {"cpus_per_cell": 2}})
    )
    script = """
import sys
from pathlib import Path
from ray.cluster_utils import Cluster
import ray
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.sweep.driver import run_sweep
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError

results = Path(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
folder = StudyFolder(results, load_study(results.parent / "study.yaml"))
try:
    run_sweep(folder, Plan.of(folder.study, load_certificate(folder.certificate)))
except UserError as error:
    print("refused:", error)
finally:
    ray.shutdown()
    cluster.shutdown()
"""
    shutil.copytree(
        undisturbed, tmp_path / "results", ignore=shutil.ignore_patterns("cells", "ml*", ".tune")
    )
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    # A folder of its own (and a short one: sockets lie in it), or else a Ray that another test
    # starts meanwhile would join this cluster.
    with tempfile.TemporaryDirectory(prefix="ray") as own:
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "results")],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | settings | {"RAY_TMPDIR": own},
        )
    assert "refused: a cell asks for 2 CPUs on one node, the largest node (" in done.stdout, (
        done.stdout + done.stderr
    )
    assert ") has 1: lower resources.cpus_per_cell" in done.stdout


CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster

small = {"object_store_memory": 100 * 1024**2}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
sys.stdin.read()
cluster.shutdown()
"""
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",  # on loopback
    "RAY_USAGE_STATS_ENABLED": "0",
    # A lost node is noticed after 1.5 s instead of 15.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


@pytest.fixture
def cluster() -> Iterator[dict[str, Any]]:
    """A head without CPUs and two nodes with one each, in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="ray") as own:
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | SETTINGS | {"RAY_TMPDIR": own},
        )
        started: dict[int, str] = {}
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            started |= descendants(process.pid)
            yield ready
        finally:
            started |= descendants(process.pid)
            try:
                process.communicate("", timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            end(started)


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("what", ["its raylet alone", "everything on it"])
def test_a_node_is_lost(
    what: str, cluster: dict[str, Any], certified: Path, undisturbed: Path
) -> None:
    """Its job begins anew on the other node. Workers that outlive their raylet do no harm."""
    raylet = cluster["raylets"][0]
    with sweeping(certified, "--address", cluster["address"], env=SETTINGS) as driver:
        wait_until(driver, lambda: finished_and_running(certified))
        wait_until(driver, lambda: workers_below(raylet, b"Trainable.train") != [])
        lost = {} if what == "its raylet alone" else descendants(raylet)
        os.kill(raylet, signal.SIGKILL)
        end(lost)
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    assert events_of(certified, "cell retried") != []
    assert events_of(certified, "cell failed") == []
    require_as_undisturbed(certified, undisturbed)
