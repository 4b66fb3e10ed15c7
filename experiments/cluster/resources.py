"""Room for a cell: what it asks for, nodes that are too small, nodes that are still to come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0


def wait_for_room(
    check: Callable[[], None], bundles: list[dict[str, float]], seconds: float
) -> None:
    """Return once ``check`` raises nothing, after at most ``seconds``.

    Ray does not tell a driver which nodes an autoscaler could start, so the cluster is asked for
    the bundles (a placement group, taken back at the end) and the nodes are looked at again. That
    makes an autoscaler start nodes, and does no harm where there is none.

    check: raises UserError while there is no room; bundles: resources of one cell, each bundle on
    one node.

    Raises:
        UserError: what ``check`` said last, once the time is up.
    """
    try:
        check()
        return
    except UserError as error:
        if seconds <= 0.0:
            raise UserError(
                f"{error} (if nodes are still to come, set resources.wait_for_nodes_seconds)"
            ) from None
        logger.warning("waiting up to %g s for nodes: %s", seconds, error)
    end = time.monotonic() + seconds
    demand = placement_group(bundles)
    try:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                check()
                return
            except UserError as error:
                if time.monotonic() >= end:
                    raise UserError(f"{error} (waited {seconds:g} s for nodes)") from None
    finally:
        remove_placement_group(demand)


def bundles(study: Study) -> list[dict[str, float]]:
    """What one cell asks of Ray: its own process, then its environment runners."""
    resources = study.resources
    runners = [{"CPU": 1.0}] * resources.env_runners_per_cell
    own = {"CPU": float(resources.cpus_per_cell)}
    if resources.gpus_per_cell:  # the learner is in the cell's own process
        own["GPU"] = resources.gpus_per_cell
    return [own, *runners]


def require_resources(needs: list[dict[str, float]]) -> None:
    """As ``require_room``, with the nodes that Ray has now."""
    nodes: dict[str, dict[str, float]] = {}
    for node in ray.nodes():
        if node["Alive"]:
            name = node["NodeManagerAddress"]
            if name in nodes:  # several nodes on one machine have one address
                name += f", node {node['NodeID'][:8]}"
            nodes[name] = node["Resources"]
    require_room(needs, nodes)


def require_room(bundles: list[dict[str, float]], nodes: dict[str, dict[str, float]]) -> None:
    """Refuse bundles that the nodes can never hold: Tune would wait for ever.

    nodes: resources by address of the node. Each bundle must lie on one node, and all of a cell's
    at once on the nodes together.

    Raises:
        UserError: naming the largest node.
    """
    cpus = {address: has.get("CPU", 0.0) for address, has in nodes.items()}
    largest = max(cpus, key=lambda address: cpus[address], default=None)
    remedy = "lower resources.cpus_per_cell or resources.env_runners_per_cell"
    one = max(bundle["CPU"] for bundle in bundles)
    if largest is None:
        raise UserError(f"a cell asks for {one:g} CPUs on one node, there is no node: {remedy}")
    if one > cpus[largest]:
        raise UserError(
            f"a cell asks for {one:g} CPUs on one node, the largest node ({largest}) has "
            f"{cpus[largest]:g}: {remedy}"
        )
    wanted, available = sum(bundle["CPU"] for bundle in bundles), sum(cpus.values())
    if wanted > available:
        raise UserError(
            f"a cell asks for {wanted:g} CPUs, all nodes together have {available:g} "
            f"(the largest, {largest}, {cpus[largest]:g}): {remedy}"
        )
    for bundle in bundles:
        if bundle.get("GPU"):
            _require_gpu(bundle, nodes)


def _require_gpu(bundle: dict[str, float], nodes: dict[str, dict[str, float]]) -> None:
    """Refuse a bundle for which no node has the GPU, or not beside as many CPUs."""
    gpu, cpus = bundle["GPU"], bundle["CPU"]
    with_gpu = [has for has in nodes.values() if has.get("GPU", 0.0) >= gpu]
    if not with_gpu:
        most = max((has.get("GPU", 0.0) for has in nodes.values()), default=0.0)
        has = f"the node with most has {most:g}" if most else "no node has one"
        raise UserError(
            f"a cell asks for {gpu:g} GPU on one node, {has}: lower resources.gpus_per_cell, or "
            "start Ray with --num-gpus where it finds none"
        )
    most = max(has.get("CPU", 0.0) for has in with_gpu)
    if most < cpus:
        raise UserError(
            f"a cell asks for {gpu:g} GPU and {cpus:g} CPUs on one node, the nodes with a GPU have "
            f"at most {most:g} CPUs: lower resources.cpus_per_cell"
        )
