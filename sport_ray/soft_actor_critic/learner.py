"""RLlib's learner for SAC, its losses untouched, with many gradients in one call."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core.learner.learner import Learner
from ray.rllib.utils.metrics import TD_ERROR_KEY
from torch import Tensor

from sport_ray.soft_actor_critic.module import CRITICS, SoftActorCriticModule


class SoftActorCriticLearner(SACTorchLearner):
    """RLlib's SAC, whose targets follow their critics after every gradient."""

    def build(self) -> None:
        """As RLlib's, with an entropy target that need not be a whole number."""
        super().build()
        target = torch.tensor(self.config.entropy_target[0], device=self._device)
        self.target_entropy = dict.fromkeys(self.module.keys(), target)

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam for the actor, each critic and the temperature, under RLlib's names."""
        module: SoftActorCriticModule = self._module[module_id].unwrapped()
        config = self.config.get_config_for_module(module_id)
        for name, parameters, rate in (
            ("qf", list(module.critics[CRITICS[0]].parameters()), config.critic_lr),
            ("qf_twin", list(module.critics[CRITICS[1]].parameters()), config.critic_lr),
            ("policy", list(module.actor.parameters()), config.actor_lr),
            ("alpha", [self.curr_log_alpha[module_id]], config.alpha_lr),
        ):
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=torch.optim.Adam(parameters, fused=True),
                params=parameters,
                lr_or_lr_schedule=rate,
            )

    def compute_loss_for_module(self, *, module_id: str, **kwargs: Any) -> Tensor:
        """RLlib's; its error of each row is for a prioritised memory, which this is not."""
        loss: Tensor = super().compute_loss_for_module(module_id=module_id, **kwargs)
        self.metrics.stats[module_id].pop(TD_ERROR_KEY, None)
        return loss

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """None is clipped.

        Raises:
            ArithmeticError: a gradient that is not finite, which RLlib would take for 0.
        """
        norms = torch._foreach_norm(list(gradients_dict.values()))
        if not torch.isfinite(torch.stack(norms)).all():
            raise ArithmeticError("training diverged: a gradient is not finite")
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """One step of each optimiser, then target ← (1 − τ)·target + τ·critic."""
        for reference, gradient in gradients_dict.items():
            self._params[reference].grad = gradient
        for module_id in self._module_optimizers:
            for _, optimizer in self.get_optimizers_for_module(module_id):
                optimizer.step()
            module: SoftActorCriticModule = self._module[module_id].unwrapped()
            with torch.no_grad():
                targets: list[Tensor] = list(module.targets.parameters())
                critics: list[Tensor] = list(module.critics.parameters())
                torch._foreach_lerp_(targets, critics, self.config.tau)

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """As every learner's: the targets have followed already."""
        Learner.after_gradient_based_update(self, timesteps=timesteps)
