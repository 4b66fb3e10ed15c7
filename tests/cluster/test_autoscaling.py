"""A cluster that has no worker yet: an autoscaler starts one when a sweep asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ray.autoscaler._private.util import validate_config

from tests.cluster.conftest import (
    SPORT_RAY,
    LocalCluster,
    certified_copy,
    require_the_same,
    write_study,
)


def autoscaling_config(cluster: LocalCluster) -> Path:
    """Ray's own provider for tests: a worker is a raylet on this machine."""
    head = "ray.head.default"  # the name that this provider knows
    commands = ("initialization", "setup", "head_setup", "worker_setup")
    starts = ("head_start_ray", "worker_start_ray")
    config = {
        "cluster_name": "fake",
        "max_workers": 2,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "provider": {"type": "fake_multinode", "gcs_address": cluster.address},
        "auth": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        **{f"{name}_commands": [] for name in (*commands, *starts)},
        "head_node_type": head,
        "available_node_types": {
            head: {"resources": {"CPU": 0}, "node_config": {}, "min_workers": 0, "max_workers": 0},
            "worker": {
                "resources": {"CPU": 1},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 2,
            },
        },
    }
    validate_config(config)
    path = cluster.folder / "autoscaling.json"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.slow
@pytest.mark.fault
def test_a_sweep_waits_for_the_autoscaler_if_it_is_told_to(
    cluster: LocalCluster, one_machine: Path, tmp_path: Path
) -> None:
    cluster.host = "127.0.0.1"
    cluster.start_head(
        "--include-dashboard=false",
        f"--autoscaling-config={autoscaling_config(cluster)}",
        RAY_FAKE_CLUSTER="1",
        AUTOSCALER_UPDATE_INTERVAL_S="1",
    )
    results = certified_copy(one_machine, tmp_path)
    arguments = ["sweep", tmp_path / "study.yaml", "--results", results]
    arguments += ["--address", cluster.address]

    write_study(tmp_path)
    done = cluster.run(*SPORT_RAY, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "asks for 1 CPUs on one node" in done.stderr
    assert "set resources.wait_for_nodes_seconds" in done.stderr
    assert list(results.glob("cells/*/record.json")) == []

    write_study(tmp_path, resources={"wait_for_nodes_seconds": 120})
    done = cluster.run(*SPORT_RAY, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    require_the_same(results, one_machine)
    assert cluster.ask("ray.cluster_resources().get('CPU')") >= 1
