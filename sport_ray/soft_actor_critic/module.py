"""The RLModule: a policy of this package as the actor, two critics and their targets."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.sac.sac_learner import QF_PREDS, QF_TWIN_PREDS
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, QNetAPI, TargetNetworkAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor, nn

from sport_ray.families import Gaussian
from sport_ray.families.gaussian.squashed import reparameterised, squashed_log_density
from sport_ray.policies.network import PolicyNetwork, PolicySpec, mlp
from sport_ray.projected_ppo.acting import OneActor
from sport_ray.projected_ppo.distribution import ActionDistribution, action_distribution
from sport_ray.projected_ppo.streams import first_weights
from sport_ray.random_streams import stream

CRITICS = ("first", "second")


class SoftActorCriticModule(TorchRLModule, InferenceOnlyAPI, TargetNetworkAPI, QNetAPI):
    """Actor over samples u, critics over (observation, tanh(u)).

    ``model_config``: ``spec`` (architecture) and ``seed`` (of first weights and noise; None for
    fresh entropy). The columns are those that RLlib's learner for SAC reads.

    Source: arXiv 1812.05905, algorithm 1.
    """

    def setup(self) -> None:
        """Build the networks; critics have the actor's hidden layers."""
        self.spec = PolicySpec.model_validate(self.model_config["spec"])
        seed = self.model_config.get("seed")
        with first_weights(seed, "actor"):
            self.actor = PolicyNetwork(self.spec).float()
        self._acting = OneActor(self.actor)
        sizes = (self.spec.observation_size + self.spec.action_size, *self.spec.hidden, 1)
        with first_weights(seed, "critic"):
            networks = {name: mlp(sizes, self.spec.activation).float() for name in CRITICS}
        self.critics = nn.ModuleDict(networks)
        self.draw_from(np.random.default_rng())
        self._reparameterised = stream(seed, "reparameterised noise")
        self.uniform = False

    def make_target_networks(self) -> None:
        """Copies of the critics that no gradient reaches."""
        self.targets = deepcopy(self.critics).requires_grad_(False)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """(critic, target) of both."""
        return [(self.critics[name], self.targets[name]) for name in CRITICS]

    def get_non_inference_attributes(self) -> list[str]:
        """The critics stay behind on the learner."""
        return ["critics", "targets"] if hasattr(self, "targets") else ["critics"]

    def get_exploration_action_dist_cls(self) -> type[ActionDistribution]:
        """Gaussians of mean and std."""
        return action_distribution(Gaussian)

    get_inference_action_dist_cls = get_exploration_action_dist_cls
    get_train_action_dist_cls = get_exploration_action_dist_cls

    # What a runner of arrays calls.

    def draw_from(self, noise: np.random.Generator) -> None:
        """Draw actions from this generator from now on: a runner's own, else fresh entropy."""
        self._noise = noise

    def act(self, observation: Tensor) -> dict[str, Tensor]:
        """The Gaussian's parameters (n, P) at observations (n, O)."""
        found = self._acting(observation) if observation.is_cpu else self.actor(observation)
        return {Columns.ACTION_DIST_INPUTS: found.parameters}

    def sample(self, parameters: Tensor) -> Tensor:
        """Samples u (n, D) of parameters (n, P); while ``uniform``, tanh(u) is uniform instead."""
        noise = Gaussian.draw_noise(self._noise, len(parameters), self.spec.action_size)
        if self.uniform:
            share = torch.special.ndtr(torch.from_numpy(noise))  # uniform on (0, 1)
            return torch.logit(share, eps=1e-6).mul(0.5).to(parameters)  # atanh(2·share − 1)
        action = Gaussian.from_parameters(parameters).sample(noise)
        return torch.from_numpy(action).to(parameters)

    def for_environment(self, out: dict[str, Tensor], action: Tensor) -> NDArray[np.floating]:
        """What the environment is given, (n, D): it squashes by itself."""
        return action.cpu().numpy()

    def drawn_from(self, parameters: Tensor) -> torch.distributions.Distribution:
        """The law of u, for parameters (..., P)."""
        return Gaussian.from_parameters(parameters).torch_distribution()

    # What the learner calls.

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        with torch.no_grad():
            return self.act(batch[Columns.OBS])

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        observation, following = batch[Columns.OBS], batch[Columns.NEXT_OBS]
        known = torch.cat([self.actor.normalized(observation), batch[Columns.ACTIONS].tanh()], -1)
        values = [self.critics[name](known).squeeze(-1) for name in CRITICS]
        action, log_density = self._drawn(observation)
        self.critics.requires_grad_(False)  # the actor's loss moves the actor alone
        value = self.compute_q_values({Columns.OBS: observation, Columns.ACTIONS: action})
        self.critics.requires_grad_(True)
        with torch.no_grad():
            next_action, next_log_density = self._drawn(following)
            inputs = {Columns.OBS: following, Columns.ACTIONS: next_action}
            next_value = self.forward_target(inputs)
        return {
            QF_PREDS: values[0],
            QF_TWIN_PREDS: values[1],
            "q_curr": value,
            "logp_resampled": log_density,
            "q_target_next": next_value,
            "logp_next_resampled": next_log_density,
        }

    def _drawn(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Samples u (n, D) at observations (n, O), and the log densities (n,) of tanh(u), nats."""
        law = self.actor(observation)
        shape = (len(observation), self.spec.action_size)
        noise = torch.from_numpy(self._reparameterised.standard_normal(shape, dtype=np.float32))
        noise = noise.to(observation)
        return reparameterised(law, noise), squashed_log_density(law, noise)

    def compute_q_values(self, batch: dict[str, Any]) -> Tensor:
        """The lesser of both critics (n,) at samples u."""
        return self._least(self.critics, batch)

    def forward_target(self, batch: dict[str, Any]) -> Tensor:
        """The lesser of both targets (n,) at samples u."""
        return self._least(self.targets, batch)

    def _least(self, networks: nn.ModuleDict, batch: dict[str, Any]) -> Tensor:
        squashed = batch[Columns.ACTIONS].tanh()
        inputs = torch.cat([self.actor.normalized(batch[Columns.OBS]), squashed], dim=-1)
        first, second = (networks[name](inputs).squeeze(-1) for name in CRITICS)
        return torch.minimum(first, second)
