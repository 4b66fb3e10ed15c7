"""What a cohort samples from: K cells with n copies of their environment each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Cells = NDArray[np.intp]
Errors = dict[int, Exception]


class CohortStep(NamedTuple):
    """One step of some cells: (A, n, O), (A, n), three times (A, n) bool; what went wrong in whom.

    ``violated``: whose violation was settled with it; False where nobody tells. What stands in the
    row of a cell with an error means nothing.
    """

    observation: NDArray[np.floating]
    reward: NDArray[np.floating]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    violated: NDArray[np.bool_]
    errors: Errors


class CohortEnvironment(Protocol):
    """K cells of n copies; the step after an end only resets (NEXT_STEP).

    A cell's numbers are those of its own training environment: neither the other cells nor how
    many there are, nor which of them are stepped, changes a bit of them.
    """

    observation_space: spaces.Box
    """Of one copy, with what is left of a budget."""
    action_space: spaces.Box
    """Of one copy: what the policies' samples are."""

    def reset(self, seeds: Sequence[int | None]) -> tuple[NDArray[np.floating], Errors]:
        """Start all cells, each from its seed: observations (K, n, O)."""

    def step(self, cells: Cells, actions: NDArray[np.floating]) -> CohortStep:
        """Step some cells with actions (A, n, D), under a budget (A, n, D + 1), the cost last."""

    def take_violations(self) -> list[int | None]:
        """Each cell's episodes with a violation since the last call; None where none is told."""

    def close(self) -> None:
        """Let go of what it holds."""
