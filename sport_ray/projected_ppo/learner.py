"""The learner: PPO's loss, a critic of its own, warm-up, and a check of every stored ratio."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from torch import Tensor

from sport_ray.projected_ppo.advantages import StandardiseAdvantages
from sport_ray.projected_ppo.distribution import MeanStdGaussian
from sport_ray.projected_ppo.module import POLICY_INPUTS, ProjectedPPOModule
from sport_ray.projection import kl_divergence, max_log_ratio


class ProjectedPPOLearner(PPOTorchLearner):
    """PPO's learner with the paper's two optimisers and warm-up, and the constraint's metrics."""

    warming_up = False

    def build(self) -> None:
        """As PPO's, with advantages standardised over the steps that were taken."""
        super().build()
        if self._learner_connector is not None:
            self._learner_connector.append(StandardiseAdvantages())

    def configure_optimizers_for_module(
        self, module_id: str, config: Any = None, **kwargs: Any
    ) -> None:
        """Adam for the actor (``lr``) and for the critic (``critic_lr``); none for the base."""
        module: ProjectedPPOModule = self._module[module_id].unwrapped()
        config = self.config.get_config_for_module(module_id)
        for name, network, rate in (
            ("actor", module.actor, config.lr),
            ("critic", module.critic, config.critic_lr),
        ):
            parameters = list(network.parameters())
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=torch.optim.Adam(parameters, eps=1e-5),
                params=parameters,
                lr_or_lr_schedule=rate,
            )

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Warm-up: until enough steps are sampled only the critic learns, under the base."""
        super().before_gradient_based_update(timesteps=timesteps)
        sampled = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
        self.warming_up = sampled <= self.config.warmup_env_steps

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> Tensor:
        """PPO's loss, or the critic's alone during warm-up."""
        mask = batch.get(Columns.LOSS_MASK)
        rows = slice(None) if mask is None else mask
        loss = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        module: ProjectedPPOModule = self.module[module_id].unwrapped()
        self._log_policies(module_id, module, batch, fwd_out, rows)
        if self.warming_up:
            error = module.compute_values(batch) - batch[Postprocessing.VALUE_TARGETS]
            return config.vf_loss_coeff * torch.mean(error[rows] ** 2)
        return loss

    def _log_policies(
        self,
        module_id: str,
        module: ProjectedPPOModule,
        batch: dict[str, Any],
        fwd_out: dict[str, Any],
        rows: Any,
    ) -> None:
        """Log how far apart base, projected and task policy are; refuse a ratio out of bounds."""
        with torch.no_grad():
            current = MeanStdGaussian.from_logits(fwd_out[Columns.ACTION_DIST_INPUTS][rows])
            logp = current.logp(batch[Columns.ACTIONS][rows])
            ratio = torch.exp(logp - batch[Columns.ACTION_LOGP][rows])
            clipped = (ratio - 1.0).abs() > self.config.clip_param
            values = {"clip_fraction": clipped.float().mean()}
            if module.constrained:
                mean, std = batch[Columns.ACTION_DIST_INPUTS][rows].chunk(2, dim=-1)
                inputs = batch[POLICY_INPUTS][rows].chunk(4, dim=-1)
                base_mean, base_std, task_mean, task_std = inputs
                log_ratio = max_log_ratio(mean, std, base_mean, base_std)
                worst = log_ratio.max().item()
                if not worst <= module.constraint.log_ratio_limit:
                    raise ArithmeticError(
                        f"a stored action distribution has log ratio {worst} nats, above "
                        f"{module.constraint.log_ratio_limit}: it was not sampled as projected"
                    )
                projected = ((mean != task_mean) | (std != task_std)).any(dim=-1)
                values |= {
                    "projected_share": projected.float().mean(),
                    "mean_log_ratio": log_ratio.mean(),
                    "kl_to_base": kl_divergence(mean, std, base_mean, base_std).mean(),
                    "task_distance": kl_divergence(mean, std, task_mean, task_std).mean(),
                }
                self.metrics.log_value((module_id, "max_log_ratio"), worst, reduce="max")
            self.metrics.log_dict(values, key=module_id, reduce="mean", window=64)
