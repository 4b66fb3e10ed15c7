"""RLlib's runner of a cohort: samples from all cells' projected policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray
from gymnasium.vector.utils import batch_space
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.threads import one_thread
from sport_ray.projected_ppo.acting import Actors
from sport_ray.projected_ppo.cohort.environment import cohort_environment
from sport_ray.projected_ppo.cohort.networks import actors_of
from sport_ray.projected_ppo.cohort.rollout import CohortSample, Rollout


class CohortRunner(EnvRunner):
    """Holds the actors of all cells, the frozen base and the environments; no critic."""

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self._spaces: dict[str, Any] = kwargs.get("spaces") or {}
        cells = self.config.cohort
        self.base = None if self.config.base is None else FrozenPolicy(self.config.base)
        self.actors = Actors(cells[0].start.spec, actors_of(cells))
        self._weights_seq_no = 0
        self._rollout: Rollout | None = None
        if self.worker_index or not self.config.num_env_runners:
            self.make_env()

    def make_env(self) -> None:
        """The environments of all cells."""
        copies = self.config.num_envs_per_env_runner
        self.env = cohort_environment(self.config.contexts(), copies)
        self._rollout = Rollout(
            self.config.cohort,
            self.base,
            self.actors,
            self.env,
            copies,
            self.worker_index or 0,
        )
        single = self.env.observation_space, self.env.action_space
        self._spaces = {
            INPUT_ENV_SPACES: tuple(batch_space(space, copies) for space in single),
            INPUT_ENV_SINGLE_SPACES: single,
            DEFAULT_MODULE_ID: single,
        }

    def sample(self, *, dropped: Sequence[int] = (), **kwargs: Any) -> CohortSample:
        """Steps of all cells but those that were dropped: the batch, or this runner's share."""
        assert self._rollout is not None, "this runner has no environment"
        self._rollout.drop(dropped)
        length = self.config.get_rollout_fragment_length(self.worker_index or 0)
        with one_thread():
            return self._rollout.sample(length * self.config.num_envs_per_env_runner)

    def get_spaces(self) -> dict[str, Any]:
        """Of one copy of one cell's environment, which all have alike."""
        return self._spaces

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The actors' weights."""
        return {
            COMPONENT_RL_MODULE: {"actors": self.actors.stack.flat.numpy()},
            WEIGHTS_SEQ_NO: self._weights_seq_no,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take the actors' weights, where there are any."""
        module = state.get(COMPONENT_RL_MODULE)
        if module is None:
            return
        if isinstance(module, ray.ObjectRef):
            module = ray.get(module)
        np.copyto(self.actors.stack.flat.numpy(), module["actors"])
        self._weights_seq_no = state.get(WEIGHTS_SEQ_NO, 0)

    def base_fingerprint(self) -> str:
        """sha256 of the base policy's weights; "" without a base."""
        return "" if self.base is None else self.base.fingerprint()

    def assert_healthy(self) -> None:
        """Whether the constructor came to its end.

        Raises:
            AssertionError: it did not.
        """
        if self._rollout is None and not self.config.num_env_runners:
            raise AssertionError("this runner has no environment")

    def stop(self) -> None:
        """Close the environments."""
        if self.env is not None:
            self.env.close()
