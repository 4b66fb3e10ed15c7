"""The reach-avoid property ``(!avoid) U reach`` on finite traces of real-valued signals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.errors import UserError

NEVER = -1


class Verdict(NamedTuple):
    """The verdict on n trajectories; arrays of shape (n,).

    robustness: ρ, in the signals' unit; negative iff violated.
    satisfied: ρ ≥ 0.
    satisfied_at: first step at which the property is satisfied for good, or NEVER (−1).
    violated_at: first step at which no continuation can satisfy it, or NEVER; a trajectory that
        ends undecided is violated with ``violated_at == NEVER`` (it ran out of time).
    reached_at: first step at which ``reach`` holds whatever came before, or NEVER.
    """

    robustness: NDArray[np.float64]
    satisfied: NDArray[np.bool_]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]
    reached_at: NDArray[np.int64]

    @property
    def violated(self) -> NDArray[np.bool_]:
        """The trajectories with ρ < 0."""
        return ~self.satisfied


@dataclass(frozen=True)
class ReachAvoid:
    """``(!avoid) U reach``: stay out of ``avoid`` until ``reach`` holds, within the trajectory.

    ρ(τ) = max_t min( reach_t, min_{t' < t} −avoid_t' ), with each proposition a signal that is
    positive where it holds. At exactly 0, where ρ = 0 satisfies, ``reach`` holds and ``avoid``
    does not; an environment may count the edge of ``avoid`` as inside (the point robot does) and
    end the episode there, which can only turn a success into a violation. A trajectory on which
    ``reach`` never holds violates the property: time running out is a violation.

    Source: arXiv 2504.06386 (reach-avoid on finite traces); robustness as in STL.
    """

    avoid: str = "hazard"
    reach: str = "goal"

    @property
    def formula(self) -> str:
        """The property in LTL on finite traces."""
        return f"(!{self.avoid}) U {self.reach}"

    @property
    def signal_names(self) -> tuple[str, str]:
        """The propositions that an environment must provide."""
        return (self.avoid, self.reach)

    def evaluate(
        self, signals: Mapping[str, ArrayLike], lengths: ArrayLike | None = None
    ) -> Verdict:
        """Judge n trajectories at once.

        Args:
            signals: for each proposition its values, shape (n, L) or (L,), state 0 first;
                infinite values are allowed.
            lengths: number of states of each trajectory, shape (n,), 1 … L; default all L. What
                lies beyond is ignored.

        Raises:
            ValueError: a missing signal, shapes that differ, lengths out of range, or a NaN
                inside a trajectory (a NaN has no verdict).
        """
        for name in self.signal_names:
            if name not in signals:
                raise ValueError(f"signal {name!r} is missing; got {sorted(signals)}")
        avoid = np.atleast_2d(np.asarray(signals[self.avoid], dtype=np.float64))
        reach = np.atleast_2d(np.asarray(signals[self.reach], dtype=np.float64))
        if avoid.shape != reach.shape or avoid.ndim != 2 or avoid.shape[1] < 1:
            raise ValueError(f"signals must share a shape (n, L), got {avoid.shape}, {reach.shape}")
        count, width = avoid.shape
        ends = np.full(count, width) if lengths is None else np.asarray(lengths)
        if ends.dtype.kind not in "iu" or ends.shape != (count,):
            raise ValueError(
                f"lengths must be integers of shape ({count},), got {ends.dtype} {ends.shape}"
            )
        if np.any(ends < 1) or np.any(ends > width):
            raise ValueError(f"lengths must lie in 1 … {width}, got {ends.min()} … {ends.max()}")
        inside = np.arange(width) < ends[:, None]
        if np.isnan(avoid[inside]).any() or np.isnan(reach[inside]).any():
            raise ValueError("signals hold NaN inside a trajectory")

        clear = np.full((count, width), np.inf)  # min over t' < t of -avoid: inf at t = 0
        clear[:, 1:] = np.minimum.accumulate(-avoid, axis=1)[:, :-1]
        value = np.where(inside, np.minimum(reach, clear), -np.inf)
        robustness = value.max(axis=1)
        satisfied = robustness >= 0.0
        satisfied_at = _first(value >= 0.0)
        violated_at = np.where(satisfied, NEVER, _first((avoid > 0.0) & inside))
        reached_at = _first((reach >= 0.0) & inside)
        return Verdict(robustness, satisfied, satisfied_at, violated_at, reached_at)


def _first(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First step (n,) at which each row of (n, L) holds, or NEVER."""
    return np.where(holds.any(axis=1), holds.argmax(axis=1), NEVER)


_NAME = r"[A-Za-z_]\w*"
_REACH_AVOID = re.compile(
    rf"(\(\s*!\s*(?P<inside>{_NAME})\s*\)\s*|!\s*(?P<bare>{_NAME})\s+)U\s+(?P<reach>{_NAME})",
    re.ASCII,
)


def parse_property(formula: str) -> ReachAvoid:
    """The property that a formula names; so far the reach-avoid form ``(!avoid) U reach``.

    Raises:
        UserError: any other formula.

    >>> parse_property("(!hazard) U goal").formula
    '(!hazard) U goal'
    """
    match = _REACH_AVOID.fullmatch(formula.strip())
    if match is None:
        raise UserError(
            f"property {formula!r} is not understood: write '(!avoid) U reach', "
            "for example '(!hazard) U goal'"
        )
    return ReachAvoid(avoid=match["inside"] or match["bare"], reach=match["reach"])
