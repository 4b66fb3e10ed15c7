"""Starting and joining Ray: a token of its own, and a clear line where nothing answers."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.session import ray_session, require_answer


def test_a_dead_address_is_one_line_at_once():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        pytest.raises(UserError, match=f"127.0.0.1:{port}.*ray up cluster.yaml") as caught,
        ray_session(address=f"127.0.0.1:{port}"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_rays_own_names_are_not_probed():
    require_answer("auto")


LISTEN = "0A"
SCRIPT = """
import json, os, sys
import numpy as np
import ray
from sport_ray.experiments.cluster.session import ray_session
from tests_listening import listening

with ray_session(num_cpus=2):
    ones = ray.put(np.ones(10**6))  # in the object store, so that all of Ray is at work
    total = ray.get(ray.remote(lambda x: float(x.sum())).remote(ones))
    nodes = [node["NodeManagerAddress"] for node in ray.nodes()]
    print(json.dumps([total, nodes, listening(os.getpid())]))
"""


def listening(pid: int) -> list[str]:
    """Addresses on which a process and all below it listen for TCP, from /proc."""
    sockets = {}
    for family, name in ((4, "tcp"), (6, "tcp6")):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                sockets[fields[9]] = address(family, fields[1].partition(":")[0])
    found = []
    for process in family_of(pid):
        try:
            for handle in Path(f"/proc/{process}/fd").iterdir():
                try:
                    target = str(handle.readlink())
                except OSError:
                    continue
                inode = target.removeprefix("socket:[").removesuffix("]")
                if target.startswith("socket:[") and inode in sockets:
                    found.append(sockets[inode])
        except OSError:
            continue  # it has ended
    return found


def address(family: int, text: str) -> str:
    """An address of /proc/net/tcp: words of four bytes, each in the machine's order."""
    words = [text[i : i + 8] for i in range(0, len(text), 8)]
    raw = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    found = ipaddress.IPv4Address(raw) if family == 4 else ipaddress.IPv6Address(raw)
    return str(getattr(found, "ipv4_mapped", None) or found)


def family_of(pid: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def test_who_listens_is_seen() -> None:
    """The reader of /proc finds what this process opens, on every interface and on loopback."""
    before = listening(os.getpid())
    with socket.create_server(("127.0.0.1", 0)), socket.create_server(("0.0.0.0", 0)):
        found = listening(os.getpid())
    assert sorted(found) == sorted([*before, "127.0.0.1", "0.0.0.0"])


@pytest.mark.slow
def test_a_ray_of_ones_own_listens_on_loopback_alone() -> None:
    """GCS, raylet, object manager, workers, agents and the driver: no port for other machines."""
    script = SCRIPT.replace("tests_listening", Path(__file__).stem)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, env=env
    )
    assert done.returncode == 0, done.stderr
    total, nodes, found = json.loads(done.stdout.splitlines()[-1])
    assert (total, nodes) == (1e6, ["127.0.0.1"])
    assert len(found) >= 7  # Ray has at least so many servers
    assert all(ipaddress.ip_address(each).is_loopback for each in found), found


TOKEN = """
import os, sys
os.umask(0o022)
from sport_ray.experiments.cluster.session import keep_token_private
keep_token_private()
"""


def token_of(home: Path, **given: str) -> Path:
    """Where the token is, once a process with that home folder has looked after it."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}
    env |= {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3]), **given}
    subprocess.run([sys.executable, "-c", TOKEN], env=env, check=True)
    return home / ".ray" / "auth_token"


def test_the_token_that_lets_others_run_code_is_for_its_owner_alone(tmp_path):
    token = token_of(tmp_path / "new")
    assert len(token.read_text()) == 64
    assert token.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"]
    text = token.read_text()
    token.chmod(0o644)  # as Ray itself has written it before
    assert token_of(tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert token.read_text() == text
    assert not token_of(tmp_path / "off", RAY_AUTH_MODE="disabled").exists()
    own = tmp_path / "own"
    own.write_text("0" * 64)
    own.chmod(0o640)
    assert not token_of(tmp_path / "given", RAY_AUTH_TOKEN_PATH=str(own)).exists()
    assert own.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_ray_takes_that_token(tmp_path):
    script = """
import os
os.umask(0o022)
from sport_ray.experiments.cluster.session import ray_session
with ray_session(num_cpus=1):
    pass
"""
    env = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600


INTERRUPTED = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, as in a background
from sport_ray.experiments.cluster.session import ray_session
print("begins", flush=True)
try:
    with ray_session(num_cpus=1):
        sys.exit("it was up before the signal came")
except KeyboardInterrupt:
    sys.exit(130)
"""


def started_by(mark: str) -> list[str]:
    """Processes whose environment has the mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if mark.encode() in file.read_bytes():
                found.append(file.parent.name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.2, 0.4, 0.6, 0.8])
def test_ctrl_c_while_ray_starts_ends_it_and_nothing_is_left(part: float) -> None:
    """It ended in a segmentation fault, or never, in two of three of these moments."""
    mark = f"SPORT_RAY_TEST={uuid.uuid4()}"
    env = os.environ | dict([mark.split("=")])
    begun = time.monotonic()
    whole = INTERRUPTED.replace('sys.exit("it was up before the signal came")', "pass")
    subprocess.run([sys.executable, "-c", whole], check=True, timeout=300, env=env)
    seconds = 0.6 * (time.monotonic() - begun)  # without its imports and its end
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, env=env)
    assert process.stdout is not None
    process.stdout.readline()
    assert started_by(mark)
    time.sleep(part * seconds)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    process.stdout.close()
    assert started_by(mark) == []
