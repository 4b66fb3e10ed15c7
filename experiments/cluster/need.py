"""Ray for a stage that may not need it: started when it is first asked for, or never."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from types import TracebackType

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.session import ray_session, started_here

START_SECONDS = 10.0
"""What it takes until workers of a Ray that is yet to be started are at work, about."""
IMPORT_SECONDS = 4.0
"""The same where Ray is there."""


class RayWhenNeeded:
    """A context manager like ``ray_session``, of which nothing happens before ``need``.

    address: of a cluster to join. never: one process does all, and whoever needs Ray is refused.
    May be entered several times, one in another; what is started ends with the outermost.
    """

    def __init__(self, address: str | None = None, *, never: bool = False) -> None:
        self.address, self.never = address or os.environ.get("RAY_ADDRESS") or None, never
        self._stack, self._depth = ExitStack(), 0

    def __enter__(self) -> RayWhenNeeded:
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._stack.close()

    @property
    def is_up(self) -> bool:
        """Whether this process has a Ray now, whoever started it."""
        ray = sys.modules.get("ray")
        return ray is not None and bool(ray.is_initialized())

    @property
    def elsewhere(self) -> bool:
        """Whether Ray is, or would be, one that was not started here: others' machines count."""
        return not self.never and (not started_here() if self.is_up else self.address is not None)

    def cpus(self) -> int:
        """CPUs that Ray has, or would have here."""
        if self.is_up and not self.never:
            import ray

            return max(int(ray.cluster_resources().get("CPU", 1)), 1)
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def worth_workers(self, seconds: float, workers: int) -> bool:
        """Whether so many workers, once they are there, are done before this process alone.

        seconds: that this process needs.
        """
        start = IMPORT_SECONDS if self.is_up else START_SECONDS
        return seconds > start + seconds / workers

    def need(self) -> None:
        """Have Ray from here on, until the block ends.

        Raises:
            UserError: see ``ray_session``; Ray is not to be used.
        """
        if self.never:
            raise UserError("this needs Ray, and was started with --no-ray: leave that out")
        if not self._depth:
            raise RuntimeError("Ray is needed outside of the block that ends it")
        if not self.is_up:
            self._stack.enter_context(ray_session(self.address))
