"""What was seen, as arrays: the last transitions, to draw batches from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sport_ray.projected_ppo.fragment import Fragment


class ReplayMemory:
    """The last ``capacity`` transitions (s, u, r, s', terminated).

    RLlib's buffers keep episode objects, which a batch of arrays would be cut from and made to
    again at every update.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity} must be at least 1")
        self.capacity = capacity
        self._columns: dict[str, NDArray[np.generic]] = {}
        self._next = 0
        self._size = 0

    def __len__(self) -> int:
        """The number of transitions that are kept."""
        return self._size

    def add(self, fragment: Fragment) -> None:
        """Keep the steps that were taken, in order of time; the oldest give way."""
        taken = fragment.taken
        self._keep(
            {
                "obs": fragment.observations[:-1][taken],
                "new_obs": fragment.observations[1:][taken],
                "actions": fragment.actions[taken],
                "rewards": fragment.rewards[taken].astype(np.float32),
                "terminateds": fragment.terminated[taken],
            }
        )

    def _keep(self, rows: dict[str, NDArray[np.generic]]) -> None:
        rows = {name: column[-self.capacity :] for name, column in rows.items()}
        if not self._columns:
            self._columns = {
                name: np.zeros((self.capacity, *column.shape[1:]), dtype=column.dtype)
                for name, column in rows.items()
            }
        count = len(rows["rewards"])
        at = (self._next + np.arange(count)) % self.capacity
        for name, column in rows.items():
            self._columns[name][at] = column
        self._next = (self._next + count) % self.capacity
        self._size = min(self._size + count, self.capacity)

    def draw(self, count: int, generator: np.random.Generator) -> dict[str, NDArray[np.generic]]:
        """``count`` transitions, each uniform among those kept, with replacement.

        Raises:
            ValueError: nothing is kept yet.
        """
        if not self._size:
            raise ValueError("the replay memory is empty")
        chosen = generator.integers(0, self._size, size=count)
        return {name: column[chosen] for name, column in self._columns.items()}
