"""How a property's risk goes with the horizon T: what a verdict on states 0 … T says of later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sport_ray.properties.automaton import Automaton


def kept_from(automaton: Automaton, longest: int) -> int | None:
    """The smallest T ≥ 1 from which "satisfied within T steps" is satisfied for good.

    For every T' ≥ T: if states 0 … T' satisfy the property, every continuation does. None where
    that is so of no T up to ``longest`` (steps).
    """
    undecided = automaton.accepts & ~automaton.good
    reached = np.ones(len(automaton.accepts), dtype=np.bool_)  # by 0 or more letters
    for letters in range(1, longest + 2):  # T steps are T + 1 states
        after = _successors(automaton, reached)
        if not (after & undecided).any():
            return max(letters - 1, 1)
        if np.array_equal(after, reached):
            return None
        reached = after
    return None


def is_never_mended(automaton: Automaton) -> bool:
    """Whether what is violated within T steps stays violated: then the risk cannot fall with T."""
    everywhere = np.ones(len(automaton.accepts), dtype=np.bool_)
    open_still = ~automaton.accepts & ~automaton.bad
    return not (_successors(automaton, everywhere) & open_still).any()


def _successors(automaton: Automaton, states: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The states that one more letter leads to from those of a set."""
    after = np.zeros_like(states)
    after[automaton.table[states, :-1].ravel()] = True
    return after
