"""Room for a cell: waiting for nodes that are still to come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ray.util.placement_group import placement_group, remove_placement_group

from sport_ray.errors import UserError

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
