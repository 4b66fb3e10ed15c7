"""Train many cells as one batch, each as its own configuration says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sport_ray.experiments.task_policies._training import Trained, recorded, require_finite
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort import ProjectedPPOCohort, ProjectedPPOCohortConfig

Progress = Callable[[int], None]


class CohortRun:
    """A cohort's training that goes on in portions, so that it can be told how far it is.

    configs: of one ``cohort_key``; each is the whole of what its cell's single training would be.
    env_steps: of every cell, at least.
    """

    def __init__(self, configs: Sequence[ProjectedPPOConfig], env_steps: int) -> None:
        self.size = len(configs)
        self.target = env_steps
        self.env_steps = 0
        self.algorithm: ProjectedPPOCohort = (
            ProjectedPPOCohortConfig().cells(list(configs)).build_algo()
        )
        self._base = self.algorithm.base_fingerprint()
        self._results: list[dict[str, Any]] = []
        self._seconds = 0.0

    @property
    def done(self) -> bool:
        """Whether no cell has anything left to train: all are there, or have failed."""
        return self.env_steps >= self.target or self._all_failed()

    def _all_failed(self) -> bool:
        return all(self.algorithm.error(cell) is not None for cell in range(self.size))

    def advance(self) -> int:
        """Train one iteration; the steps that every cell has sampled then."""
        started = time.monotonic()  # building is no training
        try:
            self._results = self.algorithm.train()["cells"]
        except Exception:
            if not self._all_failed():
                raise
            return self.env_steps
        self._seconds += time.monotonic() - started
        self.env_steps = max(_env_steps(one) for one in self._results)
        return self.env_steps

    def trained(self) -> list[Trained | Exception]:
        """Each cell's task policy as it is now, or why it has none.

        Seconds are the cell's share of the cohort's: all have the same.

        Raises:
            ArithmeticError: a base policy that has changed.
        """
        if self.algorithm.base_fingerprint() != self._base:
            raise ArithmeticError("the base policy's weights changed during training")
        return [self._trained(cell) for cell in range(self.size)]

    def _trained(self, cell: int) -> Trained | Exception:
        if (stopped := self.algorithm.error(cell)) is not None:
            return stopped
        policy, result = self.algorithm.policy(cell), self._results[cell]
        try:
            require_finite(policy.state_dict().values())
        except ArithmeticError as error:
            return error
        return Trained(policy, _env_steps(result), self._seconds / self.size, recorded(result))

    def stop(self) -> None:
        """End the run and let go of its workers."""
        self.algorithm.stop()


def _env_steps(result: dict[str, Any]) -> int:
    return int(result["num_env_steps_sampled_lifetime"])


def run_cohort(
    configs: Sequence[ProjectedPPOConfig], env_steps: int, progress: Progress | None = None
) -> list[Trained | Exception]:
    """Train until each cell has sampled ``env_steps`` steps; its policy, or why it has none.

    progress: called with the steps of every cell after each iteration.

    Raises:
        Exception: what befell the cohort as a whole, such as an environment that raises.
    """
    run = CohortRun(configs, env_steps)
    try:
        while not run.done:
            steps = run.advance()
            if progress is not None:
                progress(steps)
        return run.trained()
    finally:
        run.stop()
