"""The configuration of a cohort: those of its cells, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sport_ray.errors import UserError
from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.learner import CohortLearner
from sport_ray.projected_ppo.cohort.runner import CohortRunner
from sport_ray.projected_ppo.cohort.sharing import SHARED, cohort_key


class ProjectedPPOCohortConfig(ProjectedPPOConfig):
    """Configuration of :class:`ProjectedPPOCohort`: ``.cells([config_0, config_1, …])``.

    Each of them is a :class:`ProjectedPPOConfig`, as the single algorithm takes it: what a cell
    is *is* its single configuration.
    """

    def __init__(self, algo_class: type | None = None) -> None:
        if algo_class is None:
            from sport_ray.projected_ppo.cohort.algorithm import ProjectedPPOCohort

            algo_class = ProjectedPPOCohort
        super().__init__(algo_class=algo_class)
        self.cohort: tuple[Cell, ...] = ()
        self.lockstep: bool | None = None
        """Whether all cells take each step together, on the learner's device; None: on a GPU."""

    def cells(self, configs: Sequence[ProjectedPPOConfig]) -> Self:
        """Set the cells, and with them all that they share.

        Raises:
            UserError: no cell, one that can be in no cohort, or two that do not share what a
                cohort must.
        """
        if not configs:
            raise UserError("a cohort needs at least one cell, got none")
        ready: list[ProjectedPPOConfig] = []
        first = ""
        for config in configs:
            one = config.copy(copy_frozen=False)
            key = cohort_key(one)
            if ready and key != first:
                raise UserError(
                    f"cell {len(ready)} of the cohort has another base, architecture, environment "
                    "or batch than cell 0: only cells with the same cohort_key go together"
                )
            first = key
            one.validate()
            ready.append(one)
        shared = ready[0]
        self.cohort = tuple(Cell.of(one) for one in ready)
        for name in ("base", "task", "constraint", "env", "env_config", *SHARED):
            setattr(self, name, getattr(shared, name))
        return self

    def validate(self) -> None:
        """Refuse what would void the certificate, and a cohort without cells.

        Raises:
            UserError: no cells.
        """
        if not self.cohort:
            raise UserError("a cohort needs its cells: call .cells([config, …])")
        self.env_runner_cls = None
        super().validate()
        self.env_runner_cls = CohortRunner
        # There are no connectors whose states runners could share.
        self.merge_env_runner_states = False
        self.broadcast_env_runner_states = False
        self._dont_auto_sync_env_runner_states = True

    def get_default_learner_class(self) -> type[CohortLearner]:
        """The learner of all cells."""
        return CohortLearner

    def contexts(self) -> list[dict[str, Any]]:
        """What each cell's training environments are told."""
        return [
            {**self.env_config, "constraint": cell.constraint.to_json()} for cell in self.cohort
        ]
