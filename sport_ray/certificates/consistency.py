"""Whether the columns of an outcome table agree with each other."""

from __future__ import annotations

import numpy as np

from sport_ray.properties import NEVER
from sport_ray.rollouts.outcomes import Outcomes, unpack_verdicts


def contradiction(part: Outcomes, horizon: int) -> str | None:
    """The first row of a base's table whose columns do not tell one story, in words; or None.

    Verdicts by step, robustness, length and the times at which the verdict was fixed say the same
    thing in different ways, and the base policy has no ratio to itself.
    """
    verdicts = unpack_verdicts(part.verdicts, horizon)
    steps = np.arange(1, horizon + 1)
    settled = (part.satisfied_at != NEVER)[:, None] & (steps >= part.satisfied_at[:, None])
    lost = (part.violated_at != NEVER)[:, None] & (steps >= part.violated_at[:, None])
    over = steps >= part.length[:, None]
    wrong = {
        "a verdict contradicts satisfied_at": (settled & ~verdicts).any(axis=1),
        "a verdict contradicts violated_at": (lost & verdicts).any(axis=1),
        "a verdict changes after the last step": (over & (verdicts != verdicts[:, -1:])).any(
            axis=1
        ),
        "the robustness contradicts the verdict": (part.robustness >= 0) != verdicts[:, -1],
        "the length is out of range": (part.length < 1) | (part.length > horizon),
        "the base policy has a ratio to itself": (part.max_log_ratio != 0)
        | (part.sum_realised_log_ratio != 0),
    }
    for what, rows in wrong.items():
        if rows.any():
            return f"scenario {part.index[rows.argmax()]}: {what}"
    return None
