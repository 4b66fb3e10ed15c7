"""RLlib's learner of a cohort: the updates of all cells, and whom they fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.utils.framework import get_device
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from sport_ray.errors import UserError
from sport_ray.policies.threads import one_thread
from sport_ray.projected_ppo.cohort.protocol import Errors
from sport_ray.projected_ppo.cohort.rollout import CohortSample
from sport_ray.projected_ppo.cohort.update import Learning, Schedule
from sport_ray.projected_ppo.learner import ProjectedPPOLearner

CELLS = "cells"
"""Among the timesteps: the steps that each cell has taken in all; in results: its metrics."""
ERRORS = "errors"


class CohortLearner(ProjectedPPOLearner):
    """Holds stacks of actors and critics in place of an RLModule, and updates them by cells."""

    def build(self) -> None:
        """The stacks, on the learner's device."""
        config = self.config
        self._device = get_device(config, config.num_gpus_per_learner)
        schedule = Schedule(
            config.minibatch_size,
            config.num_epochs,
            config.shuffle_batch_per_epoch,
            config.gradient == "through_projection",
        )
        spec = config.cohort[0].start.spec
        self.learning = Learning(config.cohort, spec, schedule, self._device, config.base)
        self._is_built = True

    def update(
        self, *, training_data: Any, timesteps: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """One update of every cell with what the runners sampled: metrics and errors by cell.

        A cell whose update fails (numbers that are not finite, a stored ratio above its limit)
        ends; the others do not notice.
        """
        samples: Sequence[CohortSample] = training_data.episodes
        metrics: dict[int, dict[str, float]] = {}
        errors: Errors = {}
        self._weights_seq_no += 1
        with one_thread():
            for cell, sampled in enumerate(timesteps[CELLS]):
                fragments = [one.fragments[cell] for one in samples]
                whole = [one for one in fragments if one is not None]
                if len(whole) < len(samples):
                    continue  # it ended before, or while it was sampled
                try:
                    metrics[cell] = self.learning.update(cell, whole, sampled)
                except (ArithmeticError, ValueError, UserError) as error:
                    errors[cell] = error
        return {CELLS: metrics, ERRORS: errors}

    def get_state(self, *args: Any, inference_only: bool = False, **kwargs: Any) -> dict[str, Any]:
        """The weights of all cells: the actors' alone for runners."""
        module = {"actors": self.learning.actors.flat.cpu().numpy()}
        if not inference_only:
            module["critics"] = self.learning.critics.flat.cpu().numpy()
        return {COMPONENT_RL_MODULE: module, WEIGHTS_SEQ_NO: self._weights_seq_no}
