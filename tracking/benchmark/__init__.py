"""The benchmark of certified risk: its result folders as scores, and these as a leaderboard.

``manifest``: what `sport-ray bench` ran. ``folder``, ``judge``, ``mixed``, ``scores``: each
policy's share of the unconstrained gain where its bound allows it.
``aggregates``, ``tables``: over tasks. ``page``, ``figure``, ``publishing``: shown and kept.
"""

from sport_ray.tracking.benchmark.publishing import publish
from sport_ray.tracking.benchmark.write import write_leaderboard

__all__ = ["publish", "write_leaderboard"]
