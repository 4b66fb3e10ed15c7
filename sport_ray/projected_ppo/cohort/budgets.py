"""The budgets of K cells: what is left of each, charged as the single algorithm charges them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.projected_ppo.budget_environment import charged
from sport_ray.projected_ppo.cohort.protocol import Cells, Errors


class Budgets:
    """The states (K, n, S) of cells whose constraints have features.

    Cells with equal constraints are charged in one call.
    """

    def __init__(self, constraints: Sequence[Constraint], copies: int) -> None:
        self._constraints = list(constraints)
        first = constraints[0]
        self.num_features = first.num_features
        self._state = np.stack([one.start(copies) for one in constraints])
        kinds: list[Constraint] = []
        self._kind = np.empty(len(constraints), dtype=np.intp)
        for cell, one in enumerate(constraints):
            if one not in kinds:
                kinds.append(one)
            self._kind[cell] = kinds.index(one)
        self._kinds = kinds

    def restart(self, cells: Cells, over: NDArray[np.bool_]) -> None:
        """A whole budget for the copies (A, n) of cells (A,) whose episode is over."""
        for row, copy in np.argwhere(over).tolist():
            cell = cells[row]
            self._state[cell, copy] = self._constraints[cell].start(1)[0]

    def spend(self, cells: Cells, running: NDArray[np.bool_], cost: NDArray[np.floating]) -> Errors:
        """Charge the costs (A, n) of the running copies (A, n); what a cell could not pay for."""
        errors: Errors = {}
        for constraint, rows in self._groups(cells):
            try:
                self._charge(constraint, cells[rows], running[rows], cost[rows])
            except ArithmeticError:
                for row in rows.tolist():
                    try:
                        self._charge(constraint, cells[[row]], running[[row]], cost[[row]])
                    except ArithmeticError as error:
                        errors[int(cells[row])] = error
        return errors

    def _charge(
        self,
        constraint: Constraint,
        cells: Cells,
        running: NDArray[np.bool_],
        cost: NDArray[np.floating],
    ) -> None:
        state = self._state[cells]
        state[running] = constraint.spend(state[running], charged(cost[running]))
        self._state[cells] = state

    def features(self, cells: Cells) -> NDArray[np.float32]:
        """What policies see of their budgets, (A, n, F)."""
        copies = self._state.shape[1]
        found = np.empty((len(cells), copies, self.num_features), dtype=np.float32)
        for constraint, rows in self._groups(cells):
            state = self._state[cells[rows]].reshape(-1, self._state.shape[2])
            found[rows] = constraint.features(state).reshape(len(rows), copies, -1)
        return found

    def _groups(self, cells: Cells) -> list[tuple[Constraint, NDArray[np.intp]]]:
        """The kinds of constraint among cells, each with the rows that have it."""
        kinds = self._kind[cells]
        return [
            (constraint, np.flatnonzero(kinds == kind))
            for kind, constraint in enumerate(self._kinds)
            if (kinds == kind).any()
        ]
