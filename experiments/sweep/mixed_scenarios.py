"""Fresh scenarios of what is mixed: each cell once, and every mixture by which part it draws."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds import scenario_bound
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.evaluation import evaluation_plan, task_steps
from sport_ray.experiments.sweep.mixtures import Mixed
from sport_ray.rollouts import Outcomes, ScenarioPlan
from sport_ray.rollouts.seeding import part_numbers
from sport_ray.rollouts.streaming import portions_here
from sport_ray.samplers import BaseFile
from sport_ray.selection import load_task_policy, task_behaviour


class Fresh(NamedTuple):
    """What scenarios 0 … n − 1 of a policy came to: steps of the task (n,), violated (n,)."""

    steps: NDArray[np.int64]
    violated: NDArray[np.bool_]


class FreshScenarios:
    """Scenarios that no cell was evaluated on, of each cell that is asked for; kept by cell.

    Those of one T and seed have the same streams for every policy. Which part of a mixture a
    scenario plays is drawn from a stream of its own (``part_numbers``), so that a mixture's outcome
    is that of the part's policy: it need not be run again.

    count: scenarios of each cell.
    """

    def __init__(self, folder: StudyFolder, base: BaseFile, count: int) -> None:
        self.folder, self.base, self.count = folder, base, count
        self._known: dict[str, Fresh] = {}

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those that have not run yet, each once."""
        return [cell for cell in {one.id: one for one in cells}.values()
                if cell.id not in self._known]  # fmt: skip

    def of(self, cell: Cell) -> Fresh:
        """A cell's policy under its constraint, as it was evaluated, on fresh scenarios.

        Raises:
            UserError: a policy that is not there, or that does not fit.
        """
        if cell.id not in self._known:
            self._known[cell.id] = self._run(cell)
        return self._known[cell.id]

    def _plan(self, cell: Cell) -> ScenarioPlan:
        plan = evaluation_plan(self.folder.study, cell.horizon, cell.seed)
        return plan.model_copy(update={"purpose": "mix"})

    def _run(self, cell: Cell) -> Fresh:
        record = self.folder.read_record(cell.id)
        assert record is not None
        policy = load_task_policy(self.folder.policy(str(record["policy_digest"]))).policy
        behaviour = task_behaviour(self.base, policy, cell.constraint, run_module=True)
        plan = self._plan(cell)
        with closing(portions_here(plan, behaviour, self.count)) as parts:
            outcomes = Outcomes.concatenate([found for found, _ in parts])
        steps = task_steps(plan, behaviour, outcomes)
        assert steps is not None  # its record has them
        return Fresh(steps, ~outcomes.satisfied_by(cell.horizon))

    def mixed(self, mixed: Mixed, base: dict[int, Cell]) -> list[dict[str, Any]]:
        """What a mixture came to, by seed; base: the cell of each seed that is the base itself.

        Each seed mixes its own policies. The posterior bound is of a policy that was picked on
        other scenarios: these were looked at by nobody.
        """
        beta, found = self.folder.study.evaluation.beta, []
        for seed, slow in base.items():
            cells = [setting.cells[seed] for setting in mixed.settings]
            plan = self._plan(cells[0])
            numbers = part_numbers(plan.root_seed, plan.purpose, np.arange(self.count))
            part, rows = mixed.mixture.drawn(numbers), np.arange(self.count)
            each = [self.of(cell) for cell in cells]
            steps = np.stack([one.steps for one in each])[part, rows]
            violated = np.stack([one.violated for one in each])[part, rows]
            found.append(
                {
                    "seed": seed,
                    "num_scenarios": self.count,
                    "num_violations": int(violated.sum()),
                    "posterior_beta": beta,
                    "posterior_bound": scenario_bound(self.count, int(violated.sum()), beta),
                    "mean_task_steps": float(steps.mean()),
                    "base_task_steps": float(self.of(slow).steps.mean()),
                }
            )
        return found
