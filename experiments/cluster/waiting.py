"""Wait until the nodes of a cluster have joined: ``python -m … ADDRESS NODES``."""

from __future__ import annotations

import logging
import sys
import time

from sport_ray.errors import UserError

PATIENCE = 240.0
"""Seconds, after which a sweep begins with the nodes that are there."""


def wait_for_nodes(address: str, nodes: int, patience: float = PATIENCE) -> int:
    """How many nodes are there once all are, or after ``patience`` seconds.

    Raises:
        UserError: a cluster that does not answer.
    """
    import ray

    deadline = time.monotonic() + patience
    while True:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            break
        except (ConnectionError, RuntimeError) as error:  # the head may have to start again
            if time.monotonic() > deadline:
                raise UserError(f"Ray at {address} does not answer: {error}") from None
            time.sleep(1.0)
    try:
        while True:
            there = sum(1 for node in ray.nodes() if node["Alive"])
            if there >= nodes or time.monotonic() > deadline:
                return there
            time.sleep(0.2)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    wanted = int(sys.argv[2])
    try:
        found = wait_for_nodes(sys.argv[1], wanted)
    except UserError as error:
        sys.exit(f"sport-ray: {error}")
    sys.stderr.write(f"{found} of {wanted} nodes\n")
