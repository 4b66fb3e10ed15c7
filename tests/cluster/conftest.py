"""Ray clusters of several nodes on this machine, each node a ``ray start`` of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
SPORT_RAY = [sys.executable, "-m", "sport_ray.experiments.cli.main"]
TIMES = ("finished_at", "train_seconds", "eval_seconds")
STUDY: dict[str, Any] = {
    "name": "cluster",
    "certificate": {"num_scenarios": 2500, "beta": 1e-3, "max_horizon": 30},
    "sweep": {"alphas": [1.5], "horizons": [25], "seeds": [0, 1, 2], "methods": ["projected_ppo"]},
    "training": {
        "env_steps": 512,
        "warmup_env_steps": 256,
        "lr": 1e-3,
        "train_batch_size": 256,
        "minibatch_size": 64,
        "num_envs": 8,
    },
    "evaluation": {"num_scenarios": 100, "beta": 1e-3},
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class LocalCluster:
    """Nodes of one Ray, with a folder for temporary files and a token of their own.

    The folder lies on a short path, because sockets are made in it. Its name is in the environment
    of every process that the cluster starts, and in nobody else's: that is how they are found and
    ended.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.dashboard = free_port()
        self.host = ""
        self.nodes = 0
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
            "RAY_TMPDIR": str(folder),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start_node(
        self, *arguments: str, prefix: Sequence[str] = (), **env: str
    ) -> subprocess.Popen[bytes]:
        """One node, in the background; ``prefix`` is a command that runs it somewhere else."""
        common = [
            "--block",
            "--object-store-memory=100000000",
            "--min-worker-port=0",  # several nodes on one address must not hand out the same ports
            "--max-worker-port=0",
            f"--dashboard-agent-listen-port={free_port()}",
            "--disable-usage-stats",
            # Nodes that start at the same time would take each other's sockets.
            f"--temp-dir={self.folder / str(self.nodes)}",
        ]
        self.nodes += 1
        return subprocess.Popen(
            [*prefix, *RAY, "start", *common, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "start.log").open("a"),
            start_new_session=True,
            env=self.env | env,
        )

    def start_head(self, *arguments: str, prefix: Sequence[str] = (), **env: str) -> None:
        """The head, without work; returns when its control store answers.

        Nodes that are started before it does would give up.
        """
        self.start_node(
            "--head",
            "--num-cpus=0",
            f"--port={self.port}",
            *(arguments or ["--include-dashboard=false"]),
            prefix=prefix,
            **env,
        )
        probe = f"import socket; socket.create_connection(({self.host!r}, {self.port}), 1).close()"
        while self.run(sys.executable, "-c", probe, prefix=prefix).returncode:
            time.sleep(0.2)

    def run(
        self, *command: object, prefix: Sequence[str] = (), timeout: float = 280.0
    ) -> subprocess.CompletedProcess[str]:
        """A command as a user of the cluster gives it."""
        return subprocess.run(
            [*prefix, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.env | {"COLUMNS": "200"},
        )

    def ask(self, expression: str, prefix: Sequence[str] = ()) -> Any:
        """The value (JSON) of an expression over ``ray`` in a driver of the cluster."""
        script = (
            "import json, logging, ray\n"
            f"ray.init({self.address!r}, log_to_driver=False, logging_level=logging.ERROR)\n"
            f"print(json.dumps({expression}))\n"
        )
        done = self.run(sys.executable, "-c", script, prefix=prefix)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def wait_for_cpus(self, cpus: int, prefix: Sequence[str] = ()) -> None:
        """Until so many CPUs have joined."""
        script = (
            "import logging, time, ray\n"
            f"ray.init({self.address!r}, log_to_driver=False, logging_level=logging.ERROR)\n"
            f"while ray.cluster_resources().get('CPU', 0) < {cpus}: time.sleep(0.1)\n"
        )
        while self.run(sys.executable, "-c", script, prefix=prefix).returncode:
            time.sleep(0.5)

    def log(self) -> str:
        return (self.folder / "start.log").read_text()

    def processes(self) -> list[int]:
        """Everything that runs with this cluster's folder in its environment."""
        mark = f"RAY_TMPDIR={self.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def stop(self) -> None:
        """End every process of the cluster."""
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)


@contextmanager
def local_cluster() -> Iterator[LocalCluster]:
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    cluster = LocalCluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A cluster without nodes, and whatever a test starts in it ended afterwards."""
    with local_cluster() as found:
        yield found


def numbers(folder: Path) -> dict[str, dict[str, Any]]:
    """Every record without its times."""
    found = {}
    for path in folder.glob("cells/*/record.json"):
        record = json.loads(path.read_text())
        found[path.parent.name] = {k: v for k, v in record.items() if k not in TIMES}
    return found


def require_the_same(folder: Path, reference: Path) -> None:
    """Certificate, records and policies, to the last bit."""
    for name in ("certificate.json", "pareto.csv"):
        if (folder / name).exists():  # a sweep alone makes no table
            assert (folder / name).read_bytes() == (reference / name).read_bytes(), name
    assert numbers(folder) == numbers(reference)
    assert {record["status"] for record in numbers(folder).values()} == {"finished"}
    policies = {path.name for path in (reference / "policies").iterdir()}
    assert {path.name for path in (folder / "policies").iterdir()} == policies


def certified_copy(reference: Path, folder: Path) -> Path:
    """A result folder with the reference's certificate and no cell yet."""
    keep_out = shutil.ignore_patterns(
        "cells", "policies", "ml*", ".tune", "ledger*", "plan.json", "*.csv", "*.html", "figures"
    )
    return Path(shutil.copytree(reference, folder / "results", ignore=keep_out))


def write_study(folder: Path, **sections: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | sections))
    return path


@pytest.fixture(scope="session")
def one_machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the study on this machine alone, without any cluster."""
    root = tmp_path_factory.mktemp("one_machine")
    done = subprocess.run(
        [*SPORT_RAY, "run", str(write_study(root)), "--results", str(root / "results")],
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "results"
