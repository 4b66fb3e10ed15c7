"""Train a policy: Projected PPO under a constraint, or without one, or a base from scratch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from experiments.copies import require_copies
from experiments.hyperparameters import Point, with_values
from experiments.study import Study
from experiments.training_sections import PPOSection, TrainingSection
from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.envs.making import horizon_arguments
from sport_ray.errors import UserError
from sport_ray.policies import GaussianNetwork
from sport_ray.projected_ppo import Gradient, ProjectedPPO, ProjectedPPOConfig
from sport_ray.rollouts.environment import POINT_REACH_AVOID

Progress = Callable[[int, dict[str, Any]], None]


class Trained(NamedTuple):
    """A trained task policy and how training went."""

    network: GaussianNetwork
    env_steps: int
    seconds: float
    metrics: dict[str, float | int | None]


def ppo_config(
    study: Study,
    settings: PPOSection,
    *,
    env_kwargs: dict[str, Any],
    base: GaussianNetwork | None,
    task: GaussianNetwork | None,
    constraint: Constraint,
    warmup_env_steps: int,
    seed: int,
    gradient: Gradient = "paper",
    cut_after: int | None = None,
) -> ProjectedPPOConfig:
    """The algorithm's configuration for a section of a study."""
    runners = study.resources.env_runners_per_cell
    require_copies(study, "training", settings)
    return (
        ProjectedPPOConfig()
        .environment(study.environment.id, env_config={**study.environment.kwargs, **env_kwargs})
        .env_runners(
            num_env_runners=runners,
            num_envs_per_env_runner=settings.num_envs,
            rollout_fragment_length="auto",
        )
        .training(
            base=base,
            task=task,
            constraint=constraint,
            lr=settings.lr,
            critic_lr=settings.critic_lr,
            warmup_env_steps=warmup_env_steps,
            gradient=gradient,
            cut_after=cut_after,
            train_batch_size=settings.train_batch_size,
            minibatch_size=settings.minibatch_size,
            num_epochs=settings.num_epochs,
            gamma=settings.gamma,
            lambda_=settings.gae_lambda,
            clip_param=settings.clip,
            entropy_coeff=settings.entropy_coeff,
            grad_clip=settings.grad_clip,
        )
        .debugging(seed=seed, log_level="ERROR")
        .reporting(metrics_num_episodes_for_smoothing=100)
    )


class TrainingRun:
    """A training run that goes on in portions, so that it can be looked at in between."""

    def __init__(self, config: ProjectedPPOConfig) -> None:
        self.algorithm: ProjectedPPO = config.build_algo()
        self._base = self.algorithm.base_fingerprint()
        self.env_steps = 0
        self.result: dict[str, Any] = {}

    def advance(self, env_steps: int, progress: Progress | None = None) -> None:
        """Train until so many steps are sampled in all."""
        while self.env_steps < env_steps:
            self.result = self.algorithm.train()
            self.env_steps = int(self.result["env_runners"]["num_env_steps_sampled_lifetime"])
            if progress is not None:
                progress(self.env_steps, self.result)

    def policy(self) -> GaussianNetwork:
        """The task policy as it is now.

        Raises:
            ArithmeticError: weights that are not finite, or a base policy that has changed.
        """
        network = self.algorithm.task_policy()
        if self.algorithm.base_fingerprint() != self._base:
            raise ArithmeticError("the base policy's weights changed during training")
        if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
            raise ArithmeticError("training diverged: the task policy's weights are not finite")
        return network

    def stop(self) -> None:
        """End the run and let go of its workers."""
        self.algorithm.stop()


def run_training(
    config: ProjectedPPOConfig, env_steps: int, progress: Progress | None = None
) -> Trained:
    """Train until ``env_steps`` steps are sampled; the task policy as it is then.

    Raises:
        ArithmeticError: weights that are not finite.
    """
    run = TrainingRun(config)
    started = time.monotonic()  # building is no training: a sweep's efficiency would look better
    try:
        run.advance(env_steps, progress)
        network = run.policy()
    finally:
        run.stop()
    return Trained(network, run.env_steps, time.monotonic() - started, _summary(run.result))


def _summary(result: dict[str, Any]) -> dict[str, float | int | None]:
    """The last iteration's few numbers that a record keeps."""
    learner = result["learners"]["default_policy"]
    runners = result["env_runners"]

    def number(source: dict[str, Any], name: str) -> float | None:
        value = source.get(name)
        return None if value is None else float(value)

    violating = number(runners, "num_violating_episodes_lifetime")
    episodes = number(runners, "num_episodes_lifetime")
    return {
        "clip_fraction": number(learner, "clip_fraction"),
        "train_return": number(runners, "episode_return_mean"),
        "train_violations": None if violating is None else int(violating),
        "train_episodes": None if episodes is None else int(episodes),
    }


def train_task_policy(
    study: Study,
    base: GaussianNetwork,
    constraint: Constraint,
    horizon: int,
    seed: int,
    hyperparameters: Point = (),
) -> Trained:
    """The task policy of a cell: the task reward, a horizon, a seed, a constraint, parameters.

    An episode goes on after a violation, as in the paper: the task reward knows nothing of the
    hazard, and ending there would teach the policy to run into it.
    """
    own = study.unconstrained_training if isinstance(constraint, Unconstrained) else None
    if own is not None:  # the warm-up is the study's all the same
        settings, shared = with_values(own, hyperparameters), study.training
    else:
        settings = shared = with_values(study.training, hyperparameters)
    config = task_config(study, settings, shared, base, constraint, horizon, seed)
    return run_training(config, settings.env_steps)


def task_config(
    study: Study,
    settings: PPOSection,
    shared: TrainingSection,
    base: GaussianNetwork,
    constraint: Constraint,
    horizon: int,
    seed: int,
) -> ProjectedPPOConfig:
    """The configuration of a task policy's training, from the base and on the task's reward.

    settings: PPO's parameters; shared: the warm-up and the gradient.
    """
    return ppo_config(
        study,
        settings,
        env_kwargs=training_kwargs(study, horizon, reward="task"),
        base=base,
        task=base,
        constraint=constraint,
        warmup_env_steps=shared.warmup_env_steps,
        seed=seed,
        gradient=shared.gradient,
        cut_after=training_cut(study, horizon),
    ).learners(num_gpus_per_learner=study.resources.gpus_per_cell)


def training_kwargs(study: Study, horizon: int, reward: str, margin: float = 0.0) -> dict[str, Any]:
    """Environment arguments of a training run, beyond the study's own.

    ``reward`` and ``margin`` are the point robot's; any other environment has one reward, which
    its arguments may change, and is made for the certificate's T_max as everywhere else: episodes
    of ``horizon`` steps are cut from outside (:func:`training_cut`). The robot's horizon only ends
    its episodes, so it is given.
    """
    if study.environment.id != POINT_REACH_AVOID:
        longest = max(study.certificate.max_horizon, horizon)
        return horizon_arguments(study.environment.id, longest)
    return {
        "horizon": horizon,
        "reward": reward,
        "end_on_violation": reward != "task",
        "margin": margin,
    }


def training_cut(study: Study, horizon: int) -> int | None:
    """Steps after which training cuts an episode short of the environment's own limit, or None."""
    own = study.environment.id == POINT_REACH_AVOID or horizon >= study.certificate.max_horizon
    return None if own else horizon


def check_spaces(network: GaussianNetwork, observation: int, action: int, env_id: str) -> None:
    """Refuse a policy whose sizes are not the environment's."""
    spec = network.spec
    if (spec.observation_size, spec.action_size) != (observation, action):
        raise UserError(
            f"the base policy has {spec.observation_size} observations and {spec.action_size} "
            f"actions; {env_id} has {observation} and {action}: give a base for this environment"
        )
