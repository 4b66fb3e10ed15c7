"""The density ratio of a task policy to the base: the exact projection of that policy.

With weights w_j = t(a_j)/b(a_j) the choice p_j = min(k·w_j, α/M) is, as M grows, the law closest in
KL to the task policy t among *all* laws within the ratio, not only Gaussians.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.store import network_from_bytes
from sport_ray.rollouts.behaviour import Steps
from sport_ray.samplers import BaseSampler, PolicySampler
from sport_ray.selection.score import Array, Score


class TaskDensity(Score):
    """Log t(a)/b(a) of a Gaussian task policy t; base: b, once it is bound to its sampler."""

    name: ClassVar[str] = "task_density"

    def __init__(self, task: PolicyNetwork, base: FrozenPolicy | None = None) -> None:
        self.network = task
        self._task = FrozenPolicy(task)
        self._base = base

    def bound_to(self, sampler: BaseSampler, constraint: Constraint) -> TaskDensity:
        """With the base's density.

        Raises:
            UserError: a base without one, or another action mapping or size.
        """
        if not isinstance(sampler, PolicySampler):
            raise UserError(
                "score 'task_density' needs the base's density, and this base can only be "
                "sampled: learn a critic (task_policies: [critic])"
            )
        ours, theirs = self._task.spec, sampler.policy.spec
        if (ours.action_mapping, ours.observation_size) != (
            theirs.action_mapping,
            theirs.observation_size,
        ):
            raise UserError(
                "score 'task_density': task policy and base differ in action mapping or "
                "observation size, so they have no density ratio"
            )
        return TaskDensity(self.network, sampler.policy)

    def log_weights(
        self, observation: Array, candidates: Array, limits: Array, taken: Steps
    ) -> Array:
        """Log t/b of every candidate, nats."""
        assert self._base is not None
        task, base = self._task.distribution(observation), self._base.distribution(observation)
        return task[:, None].log_ratio(base[:, None], candidates)

    def to_json(self) -> dict[str, Any]:
        """The task policy's architecture."""
        return {"spec": self.network.spec.model_dump(mode="json")}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its weights."""
        return {name: value.detach().numpy() for name, value in self.network.state_dict().items()}

    @classmethod
    def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From architecture and weights."""
        spec = PolicySpec.model_validate(fields["spec"])
        weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        with torch.random.fork_rng(devices=[]):  # reading a file is not a draw
            return cls(network_from_bytes(spec, save(weights)))
