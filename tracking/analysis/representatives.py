"""Which certified setting speaks for a level of risk: chosen by its promise, never by its results.

A setting that was picked because it did best looks better than it is (the winner's curse), and the
more so the more settings there are. So the choice looks at nothing that was measured: at each
level, for each method, the most permissive setting whose prior bound keeps to the level.
"""

from __future__ import annotations

import pandas as pd

from sport_ray.constraints.constraint import LAST
from sport_ray.tracking.results.kinds import is_base, is_paper, order_of
from sport_ray.tracking.results.task_policies import series_of


def representatives(certified: pd.DataFrame, level: float) -> pd.DataFrame:
    """The rows of `candidates` by prior bound that speak for a level, with a column `paper`.

    One per series (method and source of its task policy) under the paper's constant ratio, and one
    under another constraint: the last of the kinds in order (what they allow at the same promise
    grows with it; those without an order of their own come last), in it the largest α, then the
    prior bound nearest to the level, then the longest T, then the table's order.
    The base itself (α = 1) only where nothing else is certified. In a fixed order: the paper's
    constraint first, Projected PPO before other methods.
    """
    allowed = certified[certified["prior_bound"] <= level]
    rows = allowed.assign(
        paper=is_paper(allowed),
        series=series_of(allowed),
        base=is_base(allowed),
        freedom=allowed["constraint"].map(lambda kind: order_of(kind) % LAST),
        place=range(len(allowed)),
    )
    ranked = rows.sort_values(
        ["base", "freedom", "alpha", "risk", "horizon", "place"],
        ascending=[True, False, False, False, False, True],
        na_position="last",
    )
    chosen = ranked.drop_duplicates(["series", "paper"], keep="first")
    chosen = chosen.assign(
        first=~chosen["paper"].to_numpy(bool), other=chosen["series"] != "projected_ppo"
    )
    helpers = ["base", "freedom", "place", "first", "other", "series"]
    return chosen.sort_values(["base", "first", "other", "place"]).drop(columns=helpers)
