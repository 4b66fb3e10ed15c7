"""Steps of many cells at once, each under its own constraint."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.families import Distribution
from sport_ray.families.family import Array
from sport_ray.projected_ppo.cohort.protocol import Cells

Rows = NDArray[np.intp]


class Projection:
    """The constraints of K cells, those that do the same with a step in one call.

    Rows are a cell's copies one after another: (A·n, …) for cells (A,).
    """

    def __init__(self, constraints: Sequence[Constraint], copies: int) -> None:
        self._copies = copies
        kinds: list[Hashable] = []
        self._members: list[Constraint] = []
        self._kind = np.empty(len(constraints), dtype=np.intp)
        for cell, one in enumerate(constraints):
            kind = one.step_kind()
            if kind not in kinds:
                kinds.append(kind)
                self._members.append(one)
            self._kind[cell] = kinds.index(kind)
        self._features = constraints[0].num_features
        self.charges = constraints[0].state_size > 0
        none = torch.empty((1, 0), dtype=torch.float32)
        self._fixed = (
            None
            if self._features
            else np.array([float(one.feature_limits(none)) for one in constraints])
        )

    def limits(self, cells: Cells, observation: NDArray[np.float32]) -> Array:
        """How far each row may go, (A·n,), at observations (A·n, O) with features last."""
        if self._fixed is not None:
            return np.repeat(self._fixed[cells], self._copies)
        found = np.empty(len(observation))
        features = torch.from_numpy(observation[:, -self._features :])
        for member, rows in self._groups(cells):
            found[rows] = torch.as_tensor(member.feature_limits(features[rows])).numpy()
        return found

    def project(
        self, cells: Cells, base: Distribution, task: Distribution, limits: Array
    ) -> Distribution:
        """The projections of the task policies' rows."""
        groups = self._groups(cells)
        if len(groups) == 1:
            return groups[0][0].project(base, task, torch.from_numpy(limits))
        whole = task.parameters.numpy().copy()
        for member, rows in groups:
            found = member.project(base[rows], task[rows], torch.from_numpy(limits[rows]))
            whole[rows] = found.parameters.numpy()
        return type(task).from_parameters(whole)

    def cost(self, cells: Cells, step: Distribution, base: Distribution, action: Array) -> Array:
        """What the actions (A·n, D) cost, (A·n,)."""
        found = np.empty(len(action))
        for member, rows in self._groups(cells):
            found[rows] = member.cost(step[rows], base[rows], action[rows])
        return found

    def _groups(self, cells: Cells) -> list[tuple[Constraint, Rows | slice]]:
        if len(self._members) == 1:
            return [(self._members[0], slice(None))]
        kinds = np.repeat(self._kind[cells], self._copies)
        return [
            (member, np.flatnonzero(kinds == kind))
            for kind, member in enumerate(self._members)
            if (kinds == kind).any()
        ]
