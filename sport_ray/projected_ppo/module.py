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
from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import GaussianNetwork, PolicySpec, mlp
from sport_ray.policies.store import network_from_bytes
from sport_ray.projected_ppo.distribution import MeanStdGaussian

POLICY_INPUTS = "policy_inputs"
"""Column (n, 4D) beside each action: base mean, base std, task mean, task std, as projected."""


class ProjectedPPOModule(TorchRLModule, InferenceOnlyAPI, ValueFunctionAPI):
    """Actor, critic and frozen base policy.

    The actor parametrises the unconstrained task policy π_task. Acting (exploration *and*
    inference) returns its projection onto the constraint around the base policy; training
    returns π_task itself (the paper's gradient, METHOD §5) or, with
    ``gradient="through_projection"``, the projection with its derivative.

    ``model_config``: ``spec`` (architecture), ``task_weights`` and ``base_weights`` (safetensors
    bytes or None), ``constraint`` (JSON), ``gradient``.

    Source: arXiv 2504.06386, Projected PPO.
    """

    def setup(self) -> None:
        """Build the networks. The base is no submodule: no optimiser and no state sees it."""
        self.spec = PolicySpec.model_validate(self.model_config["spec"])
        self.constraint: Constraint = constraint_from_json(self.model_config["constraint"])
        # The environment appends what is left of a budget; the base policy does not see it.
        self.base_inputs = self.spec.observation_size - self.constraint.num_features
        self.through_projection = self.model_config["gradient"] == "through_projection"
        self.constrained = not isinstance(self.constraint, Unconstrained)
        task_weights = self.model_config["task_weights"]
        self.actor = (
            GaussianNetwork(self.spec)
            if task_weights is None
            else network_from_bytes(self.spec, task_weights)
        )
        self.critic = mlp((self.spec.observation_size, *self.spec.hidden, 1), self.spec.activation)
        self.base: FrozenGaussian | None = None
        if self.constrained:
            spec = self.spec.model_copy(update={"observation_size": self.base_inputs})
            self.base = FrozenGaussian(network_from_bytes(spec, self.model_config["base_weights"]))

    def get_non_inference_attributes(self) -> list[str]:
        """Only the critic stays behind on the learner."""
        return ["critic"]

    def get_exploration_action_dist_cls(self) -> type[MeanStdGaussian]:
        """The Gaussian over (mean, std)."""
        return MeanStdGaussian

    get_inference_action_dist_cls = get_exploration_action_dist_cls
    get_train_action_dist_cls = get_exploration_action_dist_cls

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
        """Under a budget the action is drawn here, since its cost goes with it."""
        if self.constraint.state_size:
            current = MeanStdGaussian.from_logits(out[Columns.ACTION_DIST_INPUTS])
            action = current.sample()
            out[Columns.ACTIONS] = action
            out[Columns.ACTION_LOGP] = current.logp(action)
            out[Columns.ACTIONS_FOR_ENV] = torch.from_numpy(self.for_environment(out, action))
        return out

    def for_environment(self, out: dict[str, Tensor], action: Tensor) -> NDArray[np.floating]:
        """What the environment is given: the actions (n, D), under a budget also their cost."""
        drawn = action.cpu().numpy()
        if not self.constraint.state_size:
            return drawn
        inputs = torch.cat([out[Columns.ACTION_DIST_INPUTS], out[POLICY_INPUTS]], dim=-1)
        mean, std, base_mean, base_std, _, _ = inputs.cpu().double().chunk(6, dim=-1)
        exact = drawn.astype(np.float64)
        cost = self.constraint.cost(
            mean.numpy(), std.numpy(), base_mean.numpy(), base_std.numpy(), exact
        )
        return np.concatenate([exact, cost[:, None]], axis=1)

    def act(self, observation: Tensor) -> dict[str, Tensor]:
        """The projected Gaussian (n, 2D) at observations (n, O), and what it came from."""
        task_mean, task_std = self.actor(observation.float())
        if self.base is None:
            return {Columns.ACTION_DIST_INPUTS: torch.cat([task_mean, task_std], dim=-1)}
        arrays = self.base.distribution(observation[..., : self.base_inputs].cpu().numpy())
        base_mean, base_std = (torch.from_numpy(array).to(task_mean) for array in arrays)
        limits = self.limits(observation)
        mean, std = self.constraint.project(base_mean, base_std, task_mean, task_std, limits)
        return {
            Columns.ACTION_DIST_INPUTS: torch.cat([mean, std], dim=-1),
            POLICY_INPUTS: torch.cat([base_mean, base_std, task_mean, task_std], dim=-1),
        }

    def limits(self, observation: Tensor) -> Tensor | float:
        """How far a step may go at observations (n, O): a number, or (n,) under a budget."""
        return self.constraint.feature_limits(observation[..., self.base_inputs :])

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        mean, std = self.actor(batch[Columns.OBS])
        if self.through_projection and self.constrained:
            base_mean, base_std, _, _ = batch[POLICY_INPUTS].chunk(4, dim=-1)
            limits = self.limits(batch[Columns.OBS])
            mean, std = self.constraint.project(base_mean, base_std, mean, std, limits)
        return {Columns.ACTION_DIST_INPUTS: torch.cat([mean, std], dim=-1)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """The critic's values (n,) at the batch's observations."""
        return self.critic(self.actor.normalized(batch[Columns.OBS])).squeeze(-1)
