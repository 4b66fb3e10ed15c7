"""A study on several nodes: what is computed does not depend on where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import SPORT_RAY, LocalCluster, require_the_same, write_study

WORKERS = 3
ADDRESSES = "{n['NodeID']: n['NodeManagerAddress'] for n in ray.nodes()}"


def workers_of_cells(results: Path) -> list[tuple[int, str]]:
    """Process and address of the worker that ran each job, as Tune noted them."""
    (state,) = results.glob(".tune/tune/experiment_state-*.json")
    trials = json.loads(state.read_text())["trial_data"]
    last = [json.loads(runtime)["last_result"] for _, runtime in trials]
    return [(result["pid"], result["node_ip"]) for result in last]


def nodes_of_cells(cluster: LocalCluster, results: Path) -> set[str]:
    """The nodes that ran cells: a node's folder has the logs of its own workers."""
    found = set()
    for pid, _ in workers_of_cells(results):
        logs = cluster.folder.glob(f"*/session_*/logs/worker-*-{pid}.out")  # also session_latest
        (node,) = {log.relative_to(cluster.folder).parts[0] for log in logs}
        found.add(node)
    return found


def run_study(cluster: LocalCluster, folder: Path, prefix: tuple[str, ...] = ()) -> Path:
    """``sport-ray run`` as a user of the cluster gives it."""
    study, results = write_study(folder), folder / "results"
    arguments = ["run", study, "--results", results, "--address", cluster.address]
    done = cluster.run(*SPORT_RAY, *arguments, prefix=prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    return results


@pytest.mark.slow
def test_placement_changes_no_number(
    cluster: LocalCluster, one_machine: Path, tmp_path: Path
) -> None:
    """A head without work and three workers of one CPU each, with token authentication."""
    cluster.host = "127.0.0.1"
    cluster.start_head()
    for _ in range(WORKERS):
        cluster.start_node("--num-cpus=1", f"--address={cluster.address}")
    cluster.wait_for_cpus(WORKERS)
    results = run_study(cluster, tmp_path)
    require_the_same(results, one_machine)
    used = nodes_of_cells(cluster, results)
    assert len(used) >= 2, used
    assert "0" not in used  # the head does no work


def ip(*arguments: str, inside: str | None = None) -> None:
    command = ["ip", *(["-n", inside] if inside else []), *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def networks() -> Iterator[list[tuple[str, str]]]:
    """Name and address of four network namespaces that reach one another through a bridge.

    The bridge is in a namespace of its own, so that the machine's own network stays as it is. The
    addresses are of the range that RFC 2544 keeps for such things.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    mark = f"sport{os.getpid()}"
    hub = f"{mark}hub"
    names = [f"{mark}n{i}" for i in range(WORKERS + 1)]
    try:
        try:
            ip("netns", "add", hub)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        ip("link", "add", "bridge", "type", "bridge", inside=hub)
        ip("link", "set", "bridge", "up", inside=hub)
        found = []
        for i, name in enumerate(names):
            address = f"198.18.0.{i + 1}"
            ip("netns", "add", name)
            ip("link", "add", f"to{i}", "type", "veth", "peer", "name", "net", "netns", name,
               inside=hub)  # fmt: skip
            ip("link", "set", f"to{i}", "master", "bridge", "up", inside=hub)
            ip("address", "add", f"{address}/24", "dev", "net", inside=name)
            ip("link", "set", "net", "up", inside=name)
            ip("link", "set", "lo", "up", inside=name)
            found.append((name, address))
        yield found
    finally:
        for name in [*names, hub]:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.mark.slow
@pytest.mark.fault
def test_nodes_with_addresses_of_their_own(
    networks: list[tuple[str, str]], cluster: LocalCluster, one_machine: Path, tmp_path: Path
) -> None:
    """As above, every node behind a network of its own; the driver is on the head."""
    inside = [("ip", "netns", "exec", name) for name, _ in networks]
    cluster.host = networks[0][1]
    cluster.start_head(
        "--include-dashboard=false", f"--node-ip-address={cluster.host}", prefix=inside[0]
    )
    for prefix, (_, address) in zip(inside[1:], networks[1:], strict=True):
        cluster.start_node(
            "--num-cpus=1",
            f"--address={cluster.address}",
            f"--node-ip-address={address}",
            prefix=prefix,
        )
    cluster.wait_for_cpus(WORKERS, prefix=inside[0])
    results = run_study(cluster, tmp_path, prefix=inside[0])
    require_the_same(results, one_machine)
    addresses = cluster.ask(ADDRESSES, prefix=inside[0])
    assert sorted(addresses.values()) == sorted(address for _, address in networks)
    used = {address for _, address in workers_of_cells(results)}
    assert len(used) >= 2, used
    assert used <= set(addresses.values()) - {cluster.host}  # the head does no work
    assert len(nodes_of_cells(cluster, results)) == len(used)
