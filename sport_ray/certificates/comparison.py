"""Rows of outcome tables side by side: the same to the bit, the same story, or another one."""

from __future__ import annotations

import numpy as np

from sport_ray.properties import NEVER
from sport_ray.rollouts.outcomes import Outcomes, unpack_verdicts

LAST_BITS = 1e-6
"""Relative difference up to which two numbers may be one, computed on two processors."""


def same_bits(one: Outcomes, other: Outcomes) -> bool:
    """Whether two rows are one, in every column."""
    mine, theirs = one.to_arrays(), other.to_arrays()
    return all(np.array_equal(mine[name], theirs[name]) for name in mine)


def described(row: Outcomes, horizon: int) -> str:
    """One row in words."""
    verdict = "satisfied" if row.satisfied_by(horizon)[0] else "violated"
    return (
        f"{verdict} after {row.length[0]} steps (robustness {row.robustness[0]:.9g}, "
        f"reward {row.total_reward[0]:.9g})"
    )


def contradicts(fresh: Outcomes, certified: Outcomes, horizon: int) -> str | None:
    """In what a row that was run for T steps differs from the certified one cut at T, or None.

    Robustness and reward must agree but for the last bits where the episode ended within T steps;
    of a longer one they cannot be told.
    """
    length = int(min(certified.length[0], horizon))
    if fresh.length[0] != length:
        return f"it takes {fresh.length[0]} steps, not {length}"
    mine, theirs = (unpack_verdicts(rows.verdicts, horizon)[0] for rows in (fresh, certified))
    if not np.array_equal(mine, theirs):
        step = int(np.flatnonzero(mine != theirs)[-1]) + 1
        is_, was = ("satisfied" if of[step - 1] else "violated" for of in (mine, theirs))
        return f"within {step} steps it is {is_}, not {was}"
    for name in ("satisfied_at", "violated_at"):
        at = int(getattr(certified, name)[0])
        wanted = at if at <= horizon else NEVER
        if getattr(fresh, name)[0] != wanted:
            return f"{name} is {getattr(fresh, name)[0]}, not {wanted}"
    if certified.length[0] <= horizon:
        for name in ("robustness", "total_reward"):
            is_, was = getattr(fresh, name)[0], getattr(certified, name)[0]
            if not np.isclose(is_, was, rtol=LAST_BITS, atol=LAST_BITS, equal_nan=True):
                return f"{name} is {is_:.9g}, not {was:.9g}"
    return None
