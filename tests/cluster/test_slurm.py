"""`sport-ray slurm` on a real Slurm: its controller and two nodes, in a network of their own.

The daemons run in a network namespace that has nothing but its loopback, with an address per node:
nothing outside reaches them. Linux, root and Debian's slurmctld, slurmd and munge.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import SPORT_RAY, require_the_same, write_study

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "nsenter", "ip")
CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=localhost NodeAddr=192.0.2.1 Port=16821 CPUs=2
NodeName=n2 NodeHostname=localhost NodeAddr=192.0.2.2 Port=16822 CPUs=2
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace and munged take root"),
    pytest.mark.skipif(
        any(shutil.which(one) is None for one in PROGRAMS),
        reason="not installed: slurmctld slurmd slurm-client munge",
    ),
]


class Slurm:
    """A controller and two nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        outside = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == outside:
            time.sleep(0.01)

    def __call__(self, *words: object, cwd: Path | None = None) -> str:
        """What a command prints in there."""
        prefix = ["nsenter", "--target", str(self.holder.pid), "--net"]
        done = subprocess.run(
            [*prefix, *map(str, words)],
            cwd=cwd, env=self.env, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def start(self) -> None:
        folder = self.folder
        self("ip", "link", "set", "lo", "up")
        for last in (1, 2):
            self("ip", "address", "add", f"192.0.2.{last}/32", "dev", "lo")
        (folder / "state").mkdir()
        (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "key").write_bytes(secrets.token_bytes(1024))
        (folder / "key").chmod(0o400)
        munge = {"key-file": "key", "socket": "munge.sock", "pid-file": "munge.pid"}
        munge |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        self("munged", "--force", *(f"--{name}={folder / file}" for name, file in munge.items()))
        self("slurmctld", "-i", "-c")
        for node in ("n1", "n2"):
            self("slurmd", "-N", node)
        while self("sinfo", "--noheader", "--format=%D %t") != "2 idle":
            time.sleep(0.2)

    def state(self, job: str) -> str:
        return self("scontrol", "show", "job", job).partition("JobState=")[2].split()[0]

    def wait(self, job: str) -> str:
        """The state in which a job ended."""
        while (state := self.state(job)) in {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"}:
            time.sleep(0.5)
        return state

    def stop(self) -> None:
        for name in ("slurmd-n1", "slurmd-n2", "slurmctld", "munge"):
            pid = self.folder / f"{name}.pid"
            if pid.exists():
                os.kill(int(pid.read_text()), signal.SIGTERM)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    folder.chmod(0o755)  # munged's wish
    found = Slurm(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        time.sleep(1)  # they write their state
        shutil.rmtree(folder, ignore_errors=True)


def sockets() -> set[Path]:
    return set(Path("/tmp").glob("ray-??????"))


def test_a_study_is_interrupted_and_resumed_on_two_nodes(
    slurm: Slurm, one_machine: Path, tmp_path: Path
) -> None:
    study = write_study(tmp_path)
    before = sockets()
    write = [*SPORT_RAY, "slurm", study, "--nodes", "2", "--cpus", "1", "--time", "60"]
    subprocess.run([*map(str, write), "--results", "results"], cwd=tmp_path, check=True)

    # Cancelled once cells run, as before a time limit; the batch script hears it.
    first = slurm("sbatch", "--parsable", "cluster.sbatch", cwd=tmp_path)
    results = tmp_path / "results"
    while not list(results.glob("cells/*")):
        assert slurm.state(first) in {"PENDING", "RUNNING"}, log(tmp_path, first)
        time.sleep(0.2)
    slurm("scancel", "--batch", "--signal=TERM", first)
    assert slurm.wait(first) == "FAILED"  # the study is not done
    assert "2 of 2 nodes" in log(tmp_path, first)
    assert sockets() <= before  # nothing stays behind on the nodes

    second = slurm("sbatch", "--parsable", "cluster.sbatch", cwd=tmp_path)
    assert slurm.wait(second) == "COMPLETED", log(tmp_path, second)
    require_the_same(results, one_machine)
    assert sockets() <= before
    token = "RAY_AUTH_TOKEN"
    assert token not in log(tmp_path, second)
    assert sys.executable in (tmp_path / "cluster.sbatch").read_text()


def log(folder: Path, job: str) -> str:
    return (folder / f"sport-ray-cluster-{job}.log").read_text()
