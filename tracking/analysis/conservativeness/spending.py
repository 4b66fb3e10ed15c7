"""How much of the allowed log ratio the policies used: the 'artificial probability mass'.

Under a ratio bound the theorem reckons with α·π_base in place of the policy. Its mass is α, the
policy's is 1: the share 1 − 1/α of it at each step, 1 − α^{−T} over a path, belongs to no policy.
How near the policy comes to the bound where it acts is seen from the log ratios in evaluation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.table import plain_rows

SPENDING = {
    "step_limit": "nats: log α, or an even share B/T of a budget",
    "path_limit": "nats: T·log α, or the budget B",
    "mean_allowed_share": "mean over steps of the largest log ratio over actions / step_limit",
    "max_allowed_share": "the largest of that over all evaluated steps / step_limit",
    "mean_realised_share": "mean log ratio of the actions that were drawn / step_limit",
    "path_share": "the largest log ratio that any prefix of a path realised / path_limit",
    "log10_granted": "path_limit as powers of ten: the factor the bound pays for",
    "log10_unused": "powers of ten of it that not even the likeliest path had",
    "artificial_mass": "1 − 1/α: share of α·π_base that is no policy's, per step; empty: a budget",
    "log10_path_mass": "T·log10 α: the mass that the bound reckons with over a path, a policy's is "
    "1; empty: a budget",
}
"""Columns of `spending_table` beside those of a setting, cell_id and seed, and what they mean."""


def spending_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per finished cell under a ratio above 1 or a budget of the path; see `SPENDING`.

    Mean-shift budgets bound no log ratio, and α = 1 allows none: neither is in the table.
    """
    done = plain_rows(frame[frame["status"] == "finished"])
    rows = [one for row in done if (one := _spending(row)) is not None]
    table = pd.DataFrame(rows, columns=[*SETTING, "cell_id", "seed", *SPENDING])
    table[list(SPENDING)] = table[list(SPENDING)].astype(np.float64)
    return table


def _spending(row: dict[str, Any]) -> dict[str, Any] | None:
    horizon, budget = int(row["horizon"]), row.get("log_budget")
    log_alpha = None if row.get("alpha") is None else row.get("log_alpha")
    if log_alpha is not None:
        path_limit = horizon * log_alpha
    elif budget is not None:
        path_limit = budget
    else:
        return None
    if not path_limit > 0.0:
        return None
    step_limit = path_limit / horizon

    def share(name: str, limit: float) -> float:
        value = row.get(name)
        return math.nan if value is None else value / limit

    path_share = share("max_prefix_log_ratio", path_limit)
    return {
        **{key: row.get(key) for key in SETTING},
        "cell_id": row["cell_id"],
        "seed": row["seed"],
        "step_limit": step_limit,
        "path_limit": path_limit,
        "mean_allowed_share": share("mean_log_ratio", step_limit),
        "max_allowed_share": share("max_log_ratio", step_limit),
        "mean_realised_share": share("mean_realised_log_ratio", step_limit),
        "path_share": path_share,
        "log10_granted": path_limit / math.log(10),
        "log10_unused": (1.0 - path_share) * path_limit / math.log(10),
        "artificial_mass": None if log_alpha is None else -math.expm1(-log_alpha),
        "log10_path_mass": None if log_alpha is None else path_limit / math.log(10),
    }
