"""Soft actor-critic as an RLlib algorithm, and its configuration."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from ray.rllib.algorithms.algorithm_config import NotProvided
from ray.rllib.algorithms.sac import SAC, SACConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)

from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.projected_ppo.array_runner import ArrayRunner
from sport_ray.projected_ppo.ending import checked_formula, checked_judged
from sport_ray.projected_ppo.rllib_setup import (
    set_up_runners,
    trained_policy,
    use_training_environment,
)
from sport_ray.projected_ppo.streams import minibatch_generator
from sport_ray.soft_actor_critic.learner import SoftActorCriticLearner
from sport_ray.soft_actor_critic.module import SoftActorCriticModule
from sport_ray.soft_actor_critic.replay import ReplayMemory


class SoftActorCriticConfig(SACConfig):
    """Configuration of :class:`SoftActorCritic`.

    ``.environment("sport_ray/PointReachAvoid-v0", env_config={...})`` takes a gymnasium id and
    its keyword arguments; ``.training(spec=...)`` the policy's architecture, squashed by tanh.
    """

    env: Any
    env_runner_cls: Any
    env_config: dict[str, Any]

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or SoftActorCritic)
        self.spec: PolicySpec | None = None
        self.updates_per_env_step = 1.0
        self.warmup_env_steps = 1_500
        self.cut_after: int | None = None
        self.ends_when_violated: str | None = None
        self.judged: tuple[str, int] | None = None
        self.actor_lr = 3e-4
        self.critic_lr = 1e-3
        self.alpha_lr = 1e-3
        # In a tuple: RLlib takes a plain −1 for "deprecated" and drops it where configurations go
        # from process to process.
        self.entropy_target = (0.0,)
        # RLlib's 1.0 would drown rewards of a few hundredths for most of a short training.
        self.initial_alpha = 0.01
        self.rollout_fragment_length = 8
        set_up_runners(self)
        # One call of `train` is one round of sampling and updates.
        self.min_time_s_per_iteration = 0
        self.min_sample_timesteps_per_iteration = 0

    def training(
        self,
        *,
        spec: PolicySpec = NotProvided,
        entropy_target: float = NotProvided,
        updates_per_env_step: float = NotProvided,
        warmup_env_steps: int = NotProvided,
        cut_after: int | None = NotProvided,
        ends_when_violated: str | None = NotProvided,
        judged: tuple[str, int] | None = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Set what RLlib's SAC does not have; the rest goes to ``SACConfig.training``.

        Args:
            spec: the policy's architecture.
            entropy_target: entropy of the squashed action, nats, that its weight is adapted to.
            updates_per_env_step: gradients of every network per environment step.
            warmup_env_steps: first steps, whose actions are uniform, and in which nothing learns.
            cut_after: steps after which episodes are cut without the environment's knowledge.
            ends_when_violated, judged: see ``ProjectedPPOConfig.training``.

        Raises:
            UserError: a formula that cannot be read.
        """
        super().training(**kwargs)
        for name, value in (
            ("spec", spec),
            ("updates_per_env_step", updates_per_env_step),
            ("warmup_env_steps", warmup_env_steps),
            ("cut_after", cut_after),
        ):
            if value is not NotProvided:
                setattr(self, name, value)
        if ends_when_violated is not NotProvided:
            self.ends_when_violated = checked_formula(ends_when_violated)
        if judged is not NotProvided:
            self.judged = checked_judged(judged)
        if entropy_target is not NotProvided:
            self.entropy_target = (float(entropy_target),)
        return self

    def validate(self) -> None:
        """Settle the environment and the runner.

        Raises:
            UserError: no spec, or a policy that tanh does not squash.
        """
        if self.spec is None:
            raise UserError("no policy: call .training(spec=...)")
        if self.spec.convolution is not None:
            raise UserError("soft actor-critic has no critic for images: train by PPO")
        if self.spec.squash != "tanh":
            raise UserError(
                f"soft actor-critic holds the entropy of a tanh-squashed action, and squash is "
                f"{self.spec.squash!r}: squash by tanh, or train by PPO"
            )
        seen = self.spec.flattening
        context = {
            **self.spec.action_mapping.to_json(),
            "flattening": None if seen is None else seen.model_dump(mode="json"),
            "cut_after": self.cut_after,
            "ends_when_violated": self.ends_when_violated,
            "judged": self.judged,
        }
        use_training_environment(self, context)
        self.env_runner_cls = ArrayRunner
        super().validate()

    def get_default_learner_class(self) -> type[SoftActorCriticLearner]:
        """RLlib's losses, with targets that follow every gradient."""
        return SoftActorCriticLearner

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module with this package's policy."""
        assert self.spec is not None  # validate() has seen to it
        return RLModuleSpec(
            module_class=SoftActorCriticModule,
            model_config={
                "spec": self.spec.model_dump(mode="json"),
                "seed": self.seed,
            },
        )


class SoftActorCritic(SAC):
    """RLlib's SAC on arrays: a fragment of steps, then as many gradients as it is due.

    Source: Haarnoja et al., arXiv 1812.05905, algorithm 1.
    """

    config: SoftActorCriticConfig

    @classmethod
    def get_default_config(cls) -> SoftActorCriticConfig:
        """The defaults of this package."""
        return SoftActorCriticConfig()

    def setup(self, config: Any) -> None:
        """As RLlib's, with a memory of arrays."""
        super().setup(config)
        self._draws = minibatch_generator(self.config.seed)
        self._due = 0.0  # gradients that steps have earned and that were not taken

    def _create_local_replay_buffer_if_necessary(self, config: Any) -> ReplayMemory:
        return ReplayMemory(int(config.replay_buffer_config["capacity"]))

    def training_step(self) -> None:
        """Sample, remember, and take the gradients that are due."""
        sampled = self.metrics.peek((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0)
        uniform = sampled < self.config.warmup_env_steps
        self.env_runner_group.foreach_env_runner(
            lambda runner: setattr(runner.module, "uniform", uniform)
        )
        fragments, results = synchronous_parallel_sample(
            worker_set=self.env_runner_group,
            concat=True,
            sample_timeout_s=self.config.sample_timeout_s,
            _uses_new_env_runners=True,
            _return_metrics=True,
        )
        self.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
        for fragment in fragments:
            self.local_replay_buffer.add(fragment)
        if uniform:
            return
        self._due += self.config.updates_per_env_step * sum(map(len, fragments))
        count, self._due = int(self._due), self._due % 1.0
        if count:
            self._learn(count)

    def _learn(self, count: int) -> None:
        size = self.config.train_batch_size_per_learner
        drawn = self.local_replay_buffer.draw(count * size, self._draws)
        drawn["weights"] = np.ones(count * size, dtype=np.float32)
        drawn["n_step"] = np.ones(count * size, dtype=np.float32)
        rows = SampleBatch({name: torch.from_numpy(column) for name, column in drawn.items()})
        learned = self.learner_group.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: rows}, env_steps=len(rows)),
            minibatch_size=size,
            num_epochs=1,
            shuffle_batch_per_epoch=False,
        )
        self.metrics.aggregate(learned, key=LEARNER_RESULTS)
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group,
            policies=[DEFAULT_MODULE_ID],
            inference_only=True,
        )

    def task_policy(self) -> PolicyNetwork:
        """A copy of the policy as the learner has it now."""
        assert self.config.spec is not None
        return trained_policy(self.learner_group, self.config.spec)

    def base_fingerprint(self) -> str:
        """Of no base, an empty text."""
        return ""
