"""The learner: PPO's loss, a critic of its own, warm-up, and a check of every stored ratio."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.minibatch_utils import MiniBatchCyclicIterator
from torch import Tensor

from sport_ray.families import Gaussian
from sport_ray.projected_ppo.advantages import StandardiseAdvantages
from sport_ray.projected_ppo.checks import checked
from sport_ray.projected_ppo.entropy import EntropyTarget
from sport_ray.projected_ppo.fragment import Fragment, training_batch
from sport_ray.projected_ppo.minibatches import CLIP_WINDOW, cut
from sport_ray.projected_ppo.module import ProjectedPPOModule
from sport_ray.projected_ppo.objective import Surrogate
from sport_ray.projected_ppo.pursued import Pursued
from sport_ray.projected_ppo.streams import minibatch_generator

OLD_LAWS = "old_laws"
"""Column (n, P) of the policy's numbers as the batch was sampled, for an objective's own loss."""


class ProjectedPPOLearner(PPOTorchLearner):
    """PPO's learner with the paper's two optimisers and warm-up, and the constraint's metrics."""

    warming_up = False

    def build(self) -> None:
        """As PPO's, with advantages standardised over the steps that were taken."""
        super().build()
        self._permutations = minibatch_generator(self.config.seed)
        objective = self.config.objective
        self._pursued = Pursued(objective, self.config.base)
        self._surrogate = None if objective is None else objective.surrogate
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
                optimizer=torch.optim.Adam(parameters, eps=1e-5, fused=True),
                params=parameters,
                lr_or_lr_schedule=rate,
            )
        self._entropy: EntropyTarget | None = None
        if self.config.entropy_target is not None:
            self._entropy = EntropyTarget(self.config.entropy_target[0], self.config.seed)
            adapted = list(self._entropy.to(self._device).parameters())
            self.register_optimizer(
                module_id=module_id,
                optimizer_name="entropy_coefficient",
                optimizer=torch.optim.Adam(adapted, eps=1e-5),
                params=adapted,
                lr_or_lr_schedule=self.config.entropy_lr,
            )

    def postprocess_gradients_for_module(
        self,
        *,
        module_id: str,
        config: Any = None,
        module_gradients_dict: dict[Any, Tensor],
    ) -> dict[Any, Tensor]:
        """Clip each optimiser's gradient by its norm, as RLlib does but in a few calls.

        Raises:
            ArithmeticError: a gradient that is not finite, which RLlib would take for 0.
        """
        clips = config.grad_clip and config.grad_clip_by == "global_norm"
        limit = float(config.grad_clip) if clips else math.inf
        for name, optimizer in self.get_optimizers_for_module(module_id):
            own = self.filter_param_dict_for_optimizer(module_gradients_dict, optimizer)
            gradients = [gradient for gradient in own.values() if gradient is not None]
            if not gradients:
                continue
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).item()
            if not math.isfinite(norm):
                raise ArithmeticError(f"training diverged: the gradient of {name} is not finite")
            torch._foreach_mul_(gradients, min(1.0, limit / (norm + 1e-6)))
            self.metrics.log_value((module_id, f"gradients_{name}_global_norm"), norm, window=1)
        if config.grad_clip and not clips:
            found: dict[Any, Tensor] = super().postprocess_gradients_for_module(
                module_id=module_id, config=config, module_gradients_dict=module_gradients_dict
            )
            return found
        return module_gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """One step of each optimiser; the gradients are known to be finite."""
        if self._grad_scalers is not None or self._lr_scheduler_classes is not None:
            super().apply_gradients(gradients_dict)
            return
        for reference, gradient in gradients_dict.items():
            self._params[reference].grad = gradient
        for module_id in self._module_optimizers:
            for _, optimizer in self.get_optimizers_for_module(module_id):
                optimizer.step()

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
        loss: Tensor = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        module: ProjectedPPOModule = self.module[module_id].unwrapped()
        with torch.no_grad():
            current = module.learned(fwd_out[Columns.ACTION_DIST_INPUTS][rows])
            logp = current.log_prob(batch[Columns.ACTIONS][rows])
            ratio = torch.exp(logp - batch[Columns.ACTION_LOGP][rows])
            clipped = ((ratio - 1.0).abs() > config.clip_param).float().mean()
        name = (module_id, "clip_fraction")
        self.metrics.log_value(name, clipped, reduce="mean", window=CLIP_WINDOW)
        surrogate = self._surrogate
        if surrogate is not None and not self.warming_up:
            loss = self._surrogate_loss(surrogate, module, batch, fwd_out)
        if self.warming_up:
            error = module.compute_values(batch) - batch[Postprocessing.VALUE_TARGETS]
            loss = config.vf_loss_coeff * torch.mean(error[rows] ** 2)
        elif self._entropy is not None:
            law = module.family.from_parameters(fwd_out[Columns.ACTION_DIST_INPUTS][rows])
            more, entropy = self._entropy.loss(cast("Gaussian", law))  # the configuration saw to it
            loss = loss + more
            told = {"squashed_entropy": entropy, "entropy_coefficient": self._entropy.coefficient}
            for key, value in told.items():
                self.metrics.log_value((module_id, key), value, reduce="mean", window=CLIP_WINDOW)
        return loss

    def _surrogate_loss(
        self,
        surrogate: Surrogate,
        module: ProjectedPPOModule,
        batch: dict[str, Any],
        fwd_out: dict[str, Any],
    ) -> Tensor:
        """The objective's own loss of the policy, with the critic's and the entropy's as in PPO."""
        given = fwd_out[Columns.ACTION_DIST_INPUTS]
        now, law = module.family.from_numbers(given), module.learned(given)
        old = module.family.from_numbers(batch[OLD_LAWS])
        ratio = torch.exp(law.log_prob(batch[Columns.ACTIONS]) - batch[Columns.ACTION_LOGP])
        losses = surrogate.losses(now, old, ratio, batch[Postprocessing.ADVANTAGES])
        error = module.compute_values(batch) - batch[Postprocessing.VALUE_TARGETS]
        loss = losses.mean() + self.config.vf_loss_coeff * torch.mean(error**2)
        whole: Tensor = loss - self.config.entropy_coeff * law.entropy().mean()
        return whole

    def _create_iterator_if_necessary(self, **kwargs: Any) -> Any:
        """As RLlib's, but rows are permuted by a generator of the learner's own."""
        found = super()._create_iterator_if_necessary(**kwargs)
        cyclic = isinstance(found, MiniBatchCyclicIterator)
        return cut(found, self._permutations) if cyclic else found

    def _make_batch_if_necessary(self, training_data: Any) -> MultiAgentBatch:
        """The batch of one update, from episodes or from arrays, every row of it checked."""
        samples = training_data.episodes
        if samples and isinstance(samples[0], Fragment):
            module: ProjectedPPOModule = self.module[DEFAULT_MODULE_ID].unwrapped()
            columns = training_batch(
                self._pursued(samples, learns=not self.warming_up),
                lambda observation: module.compute_values(
                    {Columns.OBS: observation.to(self._device)}
                ),
                gamma=self.config.gamma,
                lambda_=self.config.lambda_,
            )
            if self._surrogate is not None:
                with torch.no_grad():
                    seen = columns[Columns.OBS].to(self._device)
                    columns[OLD_LAWS] = module.actor(seen).numbers
            rows = SampleBatch({name: c.to(self._device) for name, c in columns.items()})
            batch = MultiAgentBatch({DEFAULT_MODULE_ID: rows}, env_steps=len(rows))
        else:
            batch = super()._make_batch_if_necessary(training_data)
        self.metrics.log_dict(self._pursued.told, key=DEFAULT_MODULE_ID, window=1)
        for module_id, module_batch in batch.policy_batches.items():
            self._check_policies(module_id, module_batch)
        return batch

    def _check_policies(self, module_id: str, batch: Any) -> None:
        """Refuse a stored ratio out of bounds; log how far base, projected and task are apart.

        Raises:
            ArithmeticError: a stored ratio above the limit, a stored number that is not finite.
        """
        module: ProjectedPPOModule = self.module[module_id].unwrapped()
        mask = batch.get(Columns.LOSS_MASK)
        rows = slice(None) if mask is None else mask
        columns = {name: column[rows] for name, column in batch.items()}
        with torch.no_grad():
            features = columns[Columns.OBS][..., module.base_inputs :]
            values = checked(columns, module.constraint, module.family, module.came_from, features)
        if values:
            worst = values.pop("max_log_ratio").item()
            self.metrics.log_value((module_id, "max_log_ratio"), worst, reduce="max")
            self.metrics.log_dict(values, key=module_id, window=1)  # of this batch
