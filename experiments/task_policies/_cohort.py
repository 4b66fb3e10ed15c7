"""Train many cells as one batch, each as its own configuration says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.experiments.task_policies._training import Trained, recorded, require_finite
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort import ProjectedPPOCohort, ProjectedPPOCohortConfig


class CohortRun:
    """A cohort's training that goes on in portions, so that it can be told how far it is.

    A cell's policy is taken as it is once its own steps are done, as a run of its own would end:
    batches are not of one size to the step, and what the others still need must not matter to it.

    configs: of one ``cohort_key``; each is the whole of what its cell's single training would be.
    env_steps: of every cell, at least.
    """

    def __init__(self, configs: Sequence[ProjectedPPOConfig], env_steps: int) -> None:
        self.size = len(configs)
        self.target = env_steps
        self.algorithm: ProjectedPPOCohort = (
            ProjectedPPOCohortConfig().cells(list(configs)).build_algo()
        )
        self._base = self.algorithm.base_fingerprint()
        self._found: dict[int, Trained | Exception] = {}
        self._seconds = 0.0
        first = configs[0]
        self._running = first.num_envs_per_env_runner * max(first.num_env_runners, 1)
        self._recorders = [CurveRecorder() for _ in configs]

    @property
    def done(self) -> bool:
        """Whether all cells have their steps, or have failed."""
        return len(self._found) == self.size

    def advance(self) -> int:
        """Train one iteration; the steps of the cell that has the fewest, ``env_steps`` at most.

        Raises:
            Exception: what befell the cohort as a whole.
        """
        started = time.monotonic()  # building is no training
        results: list[dict[str, Any]] | None = None
        try:
            results = self.algorithm.train()["cells"]
        except Exception:
            if any(self.algorithm.error(cell) is None for cell in self._open):
                raise
        self._seconds += time.monotonic() - started
        fewest = self.target
        for cell in self._open:
            if (error := self.algorithm.error(cell)) is not None:
                self._found[cell] = error
                continue
            assert results is not None
            steps = int(results[cell]["num_env_steps_sampled_lifetime"])
            begun = int(results[cell]["num_episodes_lifetime"] or 0) + self._running
            self._recorders[cell].add_result(results[cell], begun)
            fewest = min(fewest, steps)
            if steps >= self.target:
                self._found[cell] = self._taken(cell, steps, results[cell])
        return fewest

    @property
    def _open(self) -> list[int]:
        return [cell for cell in range(self.size) if cell not in self._found]

    def _taken(self, cell: int, steps: int, result: dict[str, Any]) -> Trained | Exception:
        policy = self.algorithm.policy(cell)
        try:
            require_finite(policy.state_dict().values())
        except ArithmeticError as error:
            return error
        curves = self._recorders[cell].curves()
        assert curves is not None  # of at least the iteration that has just ended
        return Trained(policy, steps, 0.0, recorded(result), curves.begun, curves)

    def trained(self) -> list[Trained | Exception]:
        """Each cell's task policy, or why it has none, once all is done.

        Seconds are the cell's share of the cohort's: all have the same.

        Raises:
            ArithmeticError: a base policy that has changed.
        """
        if self.algorithm.base_fingerprint() != self._base:
            raise ArithmeticError("the base policy's weights changed during training")
        share = self._seconds / self.size
        found = (self._found[cell] for cell in range(self.size))
        return [one._replace(seconds=share) if isinstance(one, Trained) else one for one in found]

    def stop(self) -> None:
        """End the run and let go of its workers."""
        self.algorithm.stop()
