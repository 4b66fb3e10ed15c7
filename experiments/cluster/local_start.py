"""How Ray starts on this machine: on loopback alone, and without waiting for what nobody needs.

Ray has no options for these: each block changes one private name of Ray's, and puts it back.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_AGENTS = (
    "dashboard_agent_listen_port",
    "metrics_agent_port",
    "metrics_export_port",
    "runtime_env_agent_port",
)
_PORTS = range(20_000, 32_000)


@contextmanager
def local_start(nodes: list[Any]) -> Iterator[None]:
    """A Ray that is started in the block starts so; nodes: takes its node once there is one."""
    with _on_loopback(), _without_watchers(), ports_ahead(), ports_written(nodes):
        yield


@contextmanager
def _on_loopback() -> Iterator[None]:
    """What Ray starts meanwhile listens on 127.0.0.1 alone, and not on every interface.

    With the switch by which Ray itself does so on macOS and Windows. Elsewhere it replaces
    127.0.0.1 by an address that other machines can reach, also where ``_node_ip_address`` says so.
    Its environment variable is read when Ray is imported, which is long before this.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _without_watchers() -> Iterator[None]:
    """Ray starts no process that only watches: autoscaler's monitor, log monitor, usage statistics.

    Each imports Ray, and the start waits for the last one. Nobody would read what they say: there
    is nothing to scale here, no dashboard is asked for, and logs are not sent to the driver.
    """
    from ray._private.node import Node

    def start_nothing(*_: object, **__: object) -> None:
        return

    watchers = ("start_monitor", "start_log_monitor", "start_api_server")
    before = {name: getattr(Node, name) for name in watchers if hasattr(Node, name)}
    for name in before:
        setattr(Node, name, start_nothing)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


@contextmanager
def ports_ahead() -> Iterator[None]:
    """Ray's agents are told where to listen, so that its start does not wait until they say.

    They import Ray for a second first. The ports are free now, and outside the range from which
    the system gives ports that nobody asked for.
    """
    from ray._private.parameter import RayParams

    before = RayParams.__init__

    def told(params: RayParams, *args: object, **options: object) -> None:
        before(params, *args, **options)
        for name, port in zip(_AGENTS, _free_ports(len(_AGENTS)), strict=False):
            setattr(params, name, port)

    RayParams.__init__ = told
    try:
        yield
    finally:
        RayParams.__init__ = before


@contextmanager
def ports_written(nodes: list[Any], step: str = "start_head_processes") -> Iterator[None]:
    """Where the agents listen is written down before the raylet starts, and not by the agents.

    step: of Ray's node, before which it is done; one without a head has no such step.

    The raylet waits 15 s for those files, whatever it was told, and then ends itself. On a busy
    machine an agent imports for longer before it writes them.
    """
    from ray._private.node import Node

    names: Any = import_module("ray._raylet")  # compiled

    before = getattr(Node, step)
    ports = {
        "dashboard_agent_listen_port": "DASHBOARD_AGENT_LISTEN_PORT_NAME",
        "metrics_agent_port": "METRICS_AGENT_PORT_NAME",
        "metrics_export_port": "METRICS_EXPORT_PORT_NAME",
        "runtime_env_agent_port": "RUNTIME_ENV_AGENT_PORT_NAME",
    }

    def written(node: Any, *given: Any, **options: Any) -> None:
        nodes.append(node)
        with contextlib.suppress(AttributeError, OSError):  # then Ray waits, as it always did
            for port, name in ports.items():
                number = getattr(node._ray_params, port)
                names.persist_port(
                    node.get_session_dir_path(), node.node_id, getattr(names, name), number
                )
        before(node, *given, **options)

    setattr(Node, step, written)
    try:
        yield
    finally:
        setattr(Node, step, before)


def _free_ports(count: int) -> list[int]:
    """Different ports of loopback on which nothing listens."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, 100 * count):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found
