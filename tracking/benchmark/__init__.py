"""The benchmark of certified risk: its result folders as scores, and these as a leaderboard.

``manifest``: what `sport-ray bench` ran. ``folder``, ``judge``, ``mixed``, ``scores``: each
policy's share of the unconstrained gain where its bound allows it.
``aggregates``, ``tables``: over tasks. ``page``, ``figure``, ``publishing``: shown and kept.
"""

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:  # `sport-ray bench` reads the manifest's model, and needs no figures for it
    from sport_ray.tracking.benchmark.publishing import publish
    from sport_ray.tracking.benchmark.write import write_leaderboard

__all__ = ["publish", "write_leaderboard"]

__getattr__ = names_from(__name__, {"publish": ".publishing", "write_leaderboard": ".write"})
