"""``ray start`` with patience: ``python -m … OPTIONS``, for nodes that are slow to import Ray.

A file system that many nodes read at once is as slow as a busy machine, and Ray gives up after
15 s and 30 s, for which it has no options (docs/reliability.md, traps).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from sport_ray.experiments.cluster.local_start import ports_ahead, ports_written
from sport_ray.experiments.cluster.patience import PATIENCE, WAITS, waiting_for_raylet


def main() -> None:
    """What ``ray start`` does with the options on the command line."""
    for name, value in WAITS.items():
        os.environ.setdefault(name, str(value))
    from ray.scripts.scripts import start

    nodes: list[Any] = []
    with (
        ports_ahead(),
        ports_written(nodes, "start_ray_processes"),
        waiting_for_raylet(nodes, PATIENCE),
    ):
        start(sys.argv[1:])


if __name__ == "__main__":
    main()
