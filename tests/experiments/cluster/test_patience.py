"""A Ray that does not come up at once: tried again with patience, then one line that helps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.patience import PATIENCE, load, started_with_patience

BUSY = "The current node timed out during startup. This could happen because …\nand more"
NAME = "RAY_gcs_server_port_wait_time_s"


class Logs:
    """A node of Ray's, as far as a message needs it."""

    def get_logs_dir_path(self) -> str:
        return "/tmp/somewhere/logs"


def test_the_second_try_waits_longer_and_is_enough(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    seen: list[str | None] = []

    def start(nodes: list[Any]) -> None:
        seen.append(os.environ.get(NAME))
        if len(seen) == 1:
            raise RuntimeError(BUSY)

    started_with_patience(start)
    assert seen == [None, str(PATIENCE)]
    assert NAME not in os.environ


def test_what_the_user_has_set_is_kept(monkeypatch):
    monkeypatch.setenv(NAME, "7")
    seen: list[str | None] = []

    def start(nodes: list[Any]) -> None:
        seen.append(os.environ.get(NAME))
        if len(seen) == 1:
            raise RuntimeError(BUSY)

    started_with_patience(start)
    assert seen == ["7", "7"]
    assert os.environ[NAME] == "7"


def test_two_failures_are_one_line_with_load_log_and_the_ways_out():
    def start(nodes: list[Any]) -> None:
        nodes.append(Logs())
        raise RuntimeError(BUSY)

    with pytest.raises(UserError) as caught:
        started_with_patience(start)
    line = str(caught.value)
    assert "\n" not in line
    for part in ("tried twice", "timed out during startup", load().partition(" average")[0]):
        assert part in line
    for part in ("/tmp/somewhere/logs", "--address", "--no-ray", f"on {os.cpu_count()} CPUs"):
        assert part in line


@pytest.mark.parametrize("error", [ValueError("num_cpus"), PermissionError("/tmp/ray")])
def test_what_waiting_cannot_mend_is_not_tried_again(error):
    calls = []

    def start(nodes: list[Any]) -> None:
        calls.append(1)
        raise error

    with pytest.raises(UserError, match="does not start: ") as caught:
        started_with_patience(start)
    assert len(calls) == 1
    assert "\n" not in str(caught.value)


LATE = """
import sys, time
if any("dashboard/agent.py" in word for word in sys.orig_argv):
    time.sleep(25)
"""
SCRIPT = """
from sport_ray.experiments.cluster.session import ray_session
with ray_session(num_cpus=1):
    import ray
    print(ray.get(ray.remote(lambda: "up").remote()))
"""


@pytest.mark.slow
def test_an_agent_that_imports_for_long_does_not_end_the_raylet(tmp_path):
    """Ray's raylet gives up after 15 s where its agent has not written down its port by then."""
    (tmp_path / "sitecustomize.py").write_text(LATE)
    places = [str(tmp_path), str(Path(__file__).parents[3])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600, env=env
    )
    assert done.stdout.split()[-1:] == ["up"], done.stderr
    assert "trying again" not in done.stderr
