"""Patience with a Ray that starts on a busy machine: a second try that waits longer."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sport_ray.errors import UserError

logger = logging.getLogger(__name__)

PATIENCE = 240
"""Seconds that each part of Ray's start may take at the second try; at the first Ray's own 30."""
_ALWAYS = {"RAY_worker_register_timeout_seconds": 3_600}
"""At both tries: ``ray.init`` waits for the first workers, and for ever where one came later than
Ray's 60 s, by which time the raylet has given it up (seen in Ray 2.60)."""
WAITS = _ALWAYS | {
    "RAY_gcs_server_port_wait_time_s": PATIENCE,
    "RAY_gcs_rpc_server_connect_timeout_s": PATIENCE,
    "RAY_py_gcs_connect_timeout_s": PATIENCE,
    "RAY_raylet_client_num_connect_attempts": PATIENCE,  # a second apart
    "RAY_agent_register_timeout_ms": 1_000 * PATIENCE,
}
"""Ray's own variables, by which its processes wait for one another; a user's are kept."""
_POLL = 0.2


def started_with_patience(start: Callable[[list[Any]], None]) -> None:
    """Start Ray here; where it does not come up in time, once more with more patience.

    start: is given a list that it puts Ray's node in as soon as there is one.

    Raises:
        UserError: neither try brings it up; names the load, the log and the ways out.
    """
    began = time.monotonic()
    nodes: list[Any] = []
    try:
        with ended_if_stopped(nodes), _variables(_ALWAYS), waiting_for_raylet(nodes, 0.0):
            start(nodes)
        return
    except Exception as error:
        if not _may_come(error):
            raise _refused(error, nodes) from None
        _end(nodes)
        logger.warning("%s; trying again, up to %d s", _first_line(error), PATIENCE)
    nodes = []
    try:
        with ended_if_stopped(nodes), _variables(WAITS), waiting_for_raylet(nodes, PATIENCE):
            start(nodes)
    except Exception as error:
        _end(nodes)
        waited = time.monotonic() - began
        raise UserError(
            f"Ray does not start on this machine, tried twice in {waited:.0f} s: "
            f"{_first_line(error)} ({load()}; its log is in {_logs(nodes)}). Wait until the "
            "machine is less busy, join a Ray that runs with --address, or use --no-ray"
        ) from None


def load() -> str:
    """How busy the machine is, in words."""
    cpus = os.cpu_count() or 1
    try:
        averages = " ".join(f"{one:.1f}" for one in os.getloadavg())
    except OSError:  # not on Windows
        return f"{cpus} CPUs"
    return f"load average {averages} on {cpus} CPUs"


def _may_come(error: Exception) -> bool:
    """Whether waiting may help: not where a value or a file is what Ray cannot use."""
    wrong = isinstance(error, ValueError | TypeError | ImportError | OSError)
    return not wrong or isinstance(error, TimeoutError | ConnectionError)


def _refused(error: Exception, nodes: list[Any]) -> UserError:
    _end(nodes)
    where = f" (its log is in {_logs(nodes)})" if nodes else ""
    return UserError(f"Ray at this machine does not start: {_first_line(error)}{where}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _logs(nodes: list[Any]) -> str:
    for node in nodes:
        with contextlib.suppress(AttributeError):
            return str(node.get_logs_dir_path())
    return "session_latest/logs below RAY_TMPDIR, or /tmp/ray"


def _end(nodes: list[Any]) -> None:
    """End what a start left behind, so that the next one does not compete with it."""
    import ray

    with contextlib.suppress(Exception):
        ray.shutdown()
    for node in nodes:
        with contextlib.suppress(Exception):
            node.kill_all_processes(check_alive=False, allow_graceful=False)


@contextmanager
def ended_if_stopped(nodes: list[Any]) -> Iterator[None]:
    """Ctrl-C or SIGTERM in the block ends what has started of Ray before it goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        _end(nodes)
        raise


@contextmanager
def _variables(values: dict[str, int]) -> Iterator[None]:
    """Processes that Ray starts meanwhile are told so, unless the user told them."""
    own = {name: str(value) for name, value in values.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)


@contextmanager
def waiting_for_raylet(nodes: list[Any], seconds: float) -> Iterator[None]:
    """The driver waits so much longer for its raylet than Ray's 30 s, and not for one that ended.

    There is no option for that time in Ray 2.60.
    """
    from ray._private import services

    before = services.get_node

    def get_node(*given: Any, **options: Any) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return before(*given, **options)
            except RuntimeError:
                if any(_has_ended(node) for node in nodes):
                    raise ConnectionError(
                        "the raylet, Ray's process for this machine, ended during its start"
                    ) from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)

    services.get_node = get_node
    try:
        yield
    finally:
        services.get_node = before


def _has_ended(node: Any) -> bool:
    started = getattr(node, "all_processes", {}).get("raylet", [])
    return any(one.process.poll() is not None for one in started)
