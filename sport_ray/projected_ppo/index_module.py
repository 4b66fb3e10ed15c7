"""The RLModule of Projected PPO over the index: categorical, around a uniform base."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from safetensors.torch import load
from torch import Tensor

from sport_ray.constraints import Constraint, Unconstrained, constraint_from_json
from sport_ray.families import Categorical
from sport_ray.projected_ppo.module import POLICY_INPUTS, ProjectedPPOModule
from sport_ray.projected_ppo.streams import critic_network
from sport_ray.selection.scores.preference import (
    PreferenceNetwork,
    PreferenceSpec,
    blank_preference,
)


class IndexModule(ProjectedPPOModule):
    """Log weights of candidates, a critic, and the uniform law that they are projected around.

    Observations are (O + M·D [+ what is left of a budget]), see ``CandidateVectorEnv``. Acting
    returns p_j = min(k·w_j, e^c/M); training log w_j normalised, or with ``gradient=
    "through_projection"`` log p_j with its derivative. The critic sees no candidates.

    ``model_config``: ``spec`` (of the preference), ``weights`` (safetensors), ``num_candidates``,
    ``constraint`` (JSON), ``gradient``, ``seed`` (of the critic's first weights).
    """

    actor: PreferenceNetwork  # type: ignore[assignment]

    def setup(self) -> None:
        """Build the networks."""
        self.preference = PreferenceSpec.model_validate(self.model_config["spec"])
        self.num_candidates: int = self.model_config["num_candidates"]
        self.family, self.action_size = Categorical, self.num_candidates
        self.constraint: Constraint = constraint_from_json(
            self.model_config["constraint"], run_module=True
        )
        self.state_inputs = self.preference.observation_size
        self.base_inputs = self.state_inputs + self.num_candidates * self.preference.action_size
        self.through_projection = self.model_config["gradient"] == "through_projection"
        self.constrained = not isinstance(self.constraint, Unconstrained)
        self.actor = blank_preference(self.preference)
        self.actor.load_state_dict(load(self.model_config["weights"]))
        critic_inputs = self.state_inputs + self.constraint.num_features
        sizes = (critic_inputs, *self.preference.hidden, 1)
        self.critic = critic_network(sizes, "relu", self.model_config.get("seed"))
        self.draw_from(np.random.default_rng())
        self.base = None

    def log_weights(self, observation: Tensor) -> Tensor:
        """The actor's at observations (n, ...), (n, M) float64; differentiable."""
        shape = (*observation.shape[:-1], self.num_candidates, self.preference.action_size)
        seen = observation[..., : self.state_inputs].float()
        candidates = observation[..., self.state_inputs : self.base_inputs].float().reshape(shape)
        limits = torch.as_tensor(self.limits(observation), device=seen.device)
        found: Tensor = self.actor(seen, candidates, limits.expand(shape[:-2]))
        return found.double()

    def _uniform(self, like: Tensor) -> Categorical:
        return Categorical.uniform(1, self.num_candidates).to(like)

    def act(self, observation: Tensor) -> dict[str, Tensor]:
        """Projected probabilities (n, M) on the grid, and the log weights they came from."""
        weights = self.log_weights(observation)
        task = Categorical.of_log_weights(weights)
        step = self.constraint.project(self._uniform(weights), task, self.limits(observation))
        return {Columns.ACTION_DIST_INPUTS: step.parameters, POLICY_INPUTS: weights}

    def came_from(self, inputs: Tensor) -> tuple[Categorical, Categorical]:
        """The uniform law and the task's, of log weights (..., M)."""
        return self._uniform(inputs), Categorical.of_log_weights(inputs)

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        weights = self.log_weights(batch[Columns.OBS])
        task = Categorical.of_log_weights(weights)
        if self.through_projection and self.constrained:
            limits = self.limits(batch[Columns.OBS])
            task = self.constraint.project(self._uniform(weights), task, limits)  # type: ignore[assignment]
        return {Columns.ACTION_DIST_INPUTS: task.learned}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """The critic's values (n,) of the states, whatever the candidates."""
        observation = batch[Columns.OBS]
        state, rest = observation[..., : self.state_inputs], observation[..., self.base_inputs :]
        state = self.actor.normalized(state)
        found: Tensor = self.critic(torch.cat([state, rest], dim=-1)).squeeze(-1)
        return found
