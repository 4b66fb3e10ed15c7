"""Lakes of ice as tables: what each action does in each cell, and exact violation probabilities.

A map is rows of letters: S start, G goal, F thick ice, H a hole, T thin ice. An action goes where
it was meant to with probability ``success_rate``, else to either side alike, and stays where the
map ends: gymnasium's FrozenLake-v1. Whoever enters a hole is in the water, and whoever enters a
cell of thin ice with probability ``break_rate``. Goal and water are the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError

Array = NDArray[np.float64]
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""Rows and columns of the actions 0 left, 1 down, 2 right, 3 up, as FrozenLake numbers them."""
LETTERS = "SGFHT"


class Lake(NamedTuple):
    """n cells, row by row, and as state n the water.

    start and goal: their cells. chances: (n + 1, 4, n + 1), of the next state, by state and action.
    distance: (n + 1,), the least number of steps to the goal on ice of any kind; 0 in the water.
    """

    start: int
    goal: int
    chances: Array
    distance: Array

    @property
    def water(self) -> int:
        """The state of whoever broke through."""
        return len(self.chances) - 1

    @property
    def undecided(self) -> list[int]:
        """The states in which something is to be done still."""
        stays = self.chances[:, 0].diagonal() == 1.0
        ends = stays & (self.chances[:, 2].diagonal() == 1.0)
        return np.flatnonzero(~ends).tolist()

    @classmethod
    def of(cls, rows: Sequence[str], success_rate: float, break_rate: float) -> Lake:
        """The lake of a map.

        Raises:
            UserError: a map that is no rectangle of these letters with one S and one G, or whose
                G cannot be reached; a rate that is no probability.
        """
        for name, rate in (("success_rate", success_rate), ("break_rate", break_rate)):
            if not 0.0 <= rate <= 1.0:
                raise UserError(f"{name} is {rate!r}: expected a probability")
        letters = "".join(rows)
        wrong = set(letters) - set(LETTERS)
        if wrong or len({len(row) for row in rows}) != 1 or not letters:
            raise UserError(f"the map is {list(rows)}: expected equally long rows of {LETTERS}")
        if (letters.count("S"), letters.count("G")) != (1, 1):
            raise UserError(f"the map is {list(rows)}: expected one S and one G")
        cells, width = len(letters), len(rows[0])
        breaks = np.array([{"H": 1.0, "T": break_rate}.get(one, 0.0) for one in letters])
        after = np.empty((cells, 4), dtype=np.int64)
        for cell in range(cells):
            for action, (down, right) in enumerate(MOVES):
                row = min(max(cell // width + down, 0), len(rows) - 1)
                column = min(max(cell % width + right, 0), width - 1)
                after[cell, action] = row * width + column
        chances = np.zeros((cells + 1, 4, cells + 1))
        side = (1.0 - success_rate) / 2.0
        for cell, letter in enumerate(letters):
            for action in range(4):
                if letter in "GH":
                    chances[cell, action, cell] = 1.0
                    continue
                for turn, chance in ((-1, side), (0, success_rate), (1, side)):
                    entered = after[cell, (action + turn) % 4]
                    dry = 1.0 if entered == cell else 1.0 - breaks[entered]
                    chances[cell, action, entered] += chance * dry
                    chances[cell, action, cells] += chance * (1.0 - dry)
        chances[cells, :, cells] = 1.0
        found = cls(letters.index("S"), letters.index("G"), chances, np.zeros(cells + 1))
        return found._replace(distance=_distances(found.goal, after, breaks < 1.0))


def _distances(goal: int, after: NDArray[np.int64], dry: NDArray[np.bool_]) -> Array:
    """Of each state to the goal: breadth first, from the goal backwards; holes keep 0.

    Raises:
        UserError: a dry cell from which there is no way.
    """
    found = np.full(len(after), np.inf)
    found[goal], left = 0.0, deque([goal])
    while left:
        cell = left.popleft()
        for before in np.flatnonzero((after == cell).any(axis=1) & dry).tolist():
            if found[before] > found[cell] + 1.0:
                found[before] = found[cell] + 1.0
                left.append(before)
    if np.isinf(found[dry]).any():
        raise UserError("the map has ice from which no way leads to G: open one")
    return np.append(np.where(dry, found, 0.0), 0.0)


def violation_probability(lake: Lake, policy: Array, horizon: int) -> float:
    """P(the goal is not reached within T = ``horizon`` steps, or the water is first), exactly.

    policy: probabilities of the actions by state, (n + 1, 4); by step, too, (T, n + 1, 4). By
    dynamic programming: V_T(s) = 1 outside the goal, and
    V_t(s) = Σ_a π_t(a | s) Σ_z P(z | s, a) V_{t+1}(z), with V = 0 in the goal and 1 in the water.
    """
    value = _undone(lake)
    for law in np.broadcast_to(policy, (horizon, *lake.chances.shape[:2]))[::-1]:
        value = _settled(lake, np.einsum("sa,saz,z->s", law, lake.chances, value, optimize=True))
    return float(value[lake.start])


def least_violation(lake: Lake, horizon: int) -> float:
    """The smallest violation probability within T steps that any policy has."""
    value = _undone(lake)
    for _ in range(horizon):
        value = _settled(lake, (lake.chances @ value).min(axis=1))
    return float(value[lake.start])


def mean_steps(lake: Lake, policy: Array, horizon: int) -> float:
    """Mean number of steps to the goal, over the episodes that satisfy within T, exactly.

    policy: (n + 1, 4), or (T, n + 1, 4). NaN where none does.
    """
    mass = np.zeros(len(lake.chances))
    mass[lake.start] = 1.0
    reached, steps = 0.0, 0.0
    for now, law in enumerate(np.broadcast_to(policy, (horizon, *lake.chances.shape[:2]))):
        mass = np.einsum("s,sa,saz->z", mass, law, lake.chances, optimize=True)
        reached, steps = reached + mass[lake.goal], steps + (now + 1) * mass[lake.goal]
        mass[[lake.goal, lake.water]] = 0.0
    return steps / reached if reached else np.nan


def _undone(lake: Lake) -> Array:
    found: Array = (np.arange(len(lake.chances)) != lake.goal).astype(np.float64)
    return found


def _settled(lake: Lake, value: Array) -> Array:
    value[lake.goal], value[lake.water] = 0.0, 1.0
    return value
