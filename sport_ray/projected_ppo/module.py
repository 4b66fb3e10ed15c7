"""The RLModule: a task network whose forward passes for acting return the projected policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor

from sport_ray.constraints import Constraint, Unconstrained, constraint_from_json
from sport_ray.families import Distribution
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.policies.store import network_from_bytes
from sport_ray.projected_ppo.acting import OneActor
from sport_ray.projected_ppo.distribution import (
    ActionDistribution,
    LearnedActions,
    action_distribution,
    learned_actions,
)
from sport_ray.projected_ppo.streams import critic_of, first_weights

POLICY_INPUTS = "policy_inputs"
"""Column (n, 2P) beside each action: the base's numbers and the task's, as they were projected.

``Distribution.numbers``: parameters of a Gaussian, log weights of a categorical, as float64."""


class ProjectedPPOModule(TorchRLModule, InferenceOnlyAPI, ValueFunctionAPI):
    """Actor, critic and frozen base policy.

    The actor parametrises the unconstrained task policy π_task. Acting (exploration *and*
    inference) returns its projection onto the constraint around the base policy; training
    returns π_task itself (the paper's gradient, METHOD §5) or, with
    ``gradient="through_projection"``, the projection with its derivative.

    ``model_config``: ``spec`` (architecture), ``task_weights`` and ``base_weights`` (safetensors
    bytes or None), ``constraint`` (JSON), ``gradient``, ``seed`` (of first weights; None or
    absent for fresh entropy).

    Source: arXiv 2504.06386, Projected PPO.
    """

    def setup(self) -> None:
        """Build the networks. The base is no submodule: no optimiser and no state sees it."""
        self.spec = PolicySpec.model_validate(self.model_config["spec"])
        self.family = self.spec.family
        self.action_size = self.spec.law_size
        self.constraint: Constraint = constraint_from_json(
            self.model_config["constraint"], run_module=True
        )
        # The environment appends what is left of a budget; the base policy does not see it.
        self.base_inputs = self.spec.observation_size - self.constraint.num_features
        self.through_projection = self.model_config["gradient"] == "through_projection"
        self.constrained = not isinstance(self.constraint, Unconstrained)
        seed, task_weights = self.model_config.get("seed"), self.model_config["task_weights"]
        if task_weights is None:
            with first_weights(seed, "actor"):
                self.actor = PolicyNetwork(self.spec).float()
        else:
            self.actor = network_from_bytes(self.spec, task_weights)
        self._acting = OneActor(self.actor)
        self.critic = critic_of(self.spec, seed)
        self.draw_from(np.random.default_rng())
        self.base: FrozenPolicy | None = None
        if self.constrained:
            spec = self.spec.model_copy(update={"observation_size": self.base_inputs})
            if (own := self.model_config.get("base_spec")) is not None:
                spec = PolicySpec.model_validate(own)
            self.base = FrozenPolicy(network_from_bytes(spec, self.model_config["base_weights"]))

    def get_non_inference_attributes(self) -> list[str]:
        """Only the critic stays behind on the learner."""
        return ["critic"]

    def get_exploration_action_dist_cls(self) -> type[ActionDistribution]:
        """The family's own, over its parameters."""
        return action_distribution(self.family)

    get_inference_action_dist_cls = get_exploration_action_dist_cls

    def get_train_action_dist_cls(self) -> type[LearnedActions]:
        """The family's own, over what a loss is computed from."""
        return learned_actions(self.family)

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        # RLlib's fallback for all three passes: sampling from it would be unprojected.
        raise RuntimeError("Projected PPO has no shared forward pass")

    def _forward_exploration(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        with torch.no_grad():
            return self._drawn(self.act(batch[Columns.OBS]))

    def _forward_inference(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        with torch.no_grad():
            return self._drawn(self.act(batch[Columns.OBS]))

    def _drawn(self, out: dict[str, Tensor]) -> dict[str, Tensor]:
        """The action is drawn here: RLlib would draw from torch's global generator."""
        parameters = out[Columns.ACTION_DIST_INPUTS]
        action = self.sample(parameters)
        out[Columns.ACTIONS] = action
        out[Columns.ACTION_LOGP] = self.drawn_from(parameters).log_prob(action)
        if self.constraint.state_size:
            out[Columns.ACTIONS_FOR_ENV] = torch.from_numpy(self.for_environment(out, action))
        return out

    def draw_from(self, noise: np.random.Generator) -> None:
        """Draw actions from this generator from now on: a runner's own, else fresh entropy."""
        self._noise = noise

    def sample(self, parameters: Tensor) -> Tensor:
        """Actions (n, D) of parameters (n, P), in their dtype: one call for the noise of all rows.

        Summed in float64 and rounded once. The index is exact: a categorical's parameters are
        float64.
        """
        noise = self.family.draw_noise(self._noise, len(parameters), self.action_size)
        action = self.family.from_parameters(parameters).sample(noise)
        return torch.from_numpy(action).to(parameters)

    def for_environment(self, out: dict[str, Tensor], action: Tensor) -> NDArray[np.floating]:
        """What the environment is given: the actions (n, D), under a budget also their cost."""
        drawn = action.cpu().numpy()
        if not self.constraint.state_size:
            return drawn
        exact = drawn.astype(np.float64)
        base, _ = self.came_from(out[POLICY_INPUTS])
        step = self.family.from_parameters(out[Columns.ACTION_DIST_INPUTS])
        cost = self.constraint.cost(step, base, exact)
        return np.concatenate([exact, cost[:, None]], axis=1)

    def act(self, observation: Tensor) -> dict[str, Tensor]:
        """The projected parameters (n, P) at observations (n, O), and what they came from."""
        task = self._acting(observation) if observation.is_cpu else self.actor(observation.float())
        if self.base is None:
            return {Columns.ACTION_DIST_INPUTS: task.parameters}
        base = self.base.distribution(observation[..., : self.base_inputs].cpu().numpy())
        base = base.to(task.parts[0])
        step = self.constraint.project(base, task, self.limits(observation))
        return {
            Columns.ACTION_DIST_INPUTS: step.parameters,
            POLICY_INPUTS: torch.cat([base.numbers, task.numbers], dim=-1),
        }

    def drawn_from(self, parameters: Tensor) -> torch.distributions.Distribution:
        """The law of actions, for parameters (..., P): for log densities."""
        return self.family.from_parameters(parameters).torch_distribution()

    def learned(self, given: Tensor) -> torch.distributions.Distribution:
        """What the loss takes likelihoods of, of what ``_forward_train`` gives."""
        return self.family.learned_law(given)

    def came_from(self, inputs: Tensor) -> tuple[Distribution, Distribution]:
        """The base's and the task's distributions of a column POLICY_INPUTS (..., 2P)."""
        base, task = inputs.chunk(2, dim=-1)
        return self.family.from_numbers(base), self.family.from_numbers(task)

    def limits(self, observation: Tensor) -> Tensor | float:
        """How far a step may go at observations (n, O): a number, or (n,) under a budget."""
        return self.constraint.feature_limits(observation[..., self.base_inputs :])

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        step = self.actor(batch[Columns.OBS])
        if self.through_projection and self.constrained:
            base, _ = self.came_from(batch[POLICY_INPUTS])
            step = self.constraint.project(base, step, self.limits(batch[Columns.OBS]))
        return {Columns.ACTION_DIST_INPUTS: step.learned}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """The critic's values (n,) at the batch's observations."""
        found: Tensor = self.critic(self.actor.normalized(batch[Columns.OBS])).squeeze(-1)
        return found
