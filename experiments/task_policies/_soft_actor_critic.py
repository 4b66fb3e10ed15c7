"""The configuration of a training by soft actor-critic, for a base and for a task policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sport_ray.experiments.config.copies import require_copies
from sport_ray.experiments.config.training import SACSection
from sport_ray.experiments.task_policies._training import of_task
from sport_ray.policies import PolicySpec
from sport_ray.soft_actor_critic import SoftActorCriticConfig

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task


def sac_config(
    task: Task,
    settings: SACSection,
    name: str,
    *,
    spec: PolicySpec,
    env_kwargs: dict[str, Any],
    cut_after: int | None = None,
    ends_when_violated: str | None = None,
) -> SoftActorCriticConfig:
    """A training from first weights; ``name`` is the section's, for mistakes in it."""
    require_copies(task.environment, task.resources, name, settings)
    target = settings.entropy_target
    config = of_task(SoftActorCriticConfig(), task, env_kwargs)
    config.env_runners(num_envs_per_env_runner=settings.num_envs)
    config.training(
        spec=spec,
        warmup_env_steps=settings.warmup_env_steps,
        updates_per_env_step=settings.updates_per_env_step,
        cut_after=cut_after,
        ends_when_violated=ends_when_violated,
        actor_lr=settings.lr,
        critic_lr=settings.critic_lr,
        alpha_lr=settings.temperature_lr,
        initial_alpha=settings.entropy_weight,
        entropy_target=float(-spec.action_size) if target is None else target,
        train_batch_size_per_learner=settings.batch_size,
        gamma=settings.gamma,
        tau=settings.tau,
        replay_buffer_config={"capacity": settings.env_steps},
    )
    return config
