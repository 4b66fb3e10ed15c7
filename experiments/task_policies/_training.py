"""Train a policy: Projected PPO under a constraint, or without one, or a base from scratch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

from sport_ray.envs.making import horizon_arguments
from sport_ray.errors import UserError
from sport_ray.experiments.config.copies import require_copies
from sport_ray.experiments.config.training import PPOSection, TaskTraining
from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.policies import PolicyNetwork
from sport_ray.projected_ppo import (
    Gradient,
    IndexPPO,
    IndexPPOConfig,
    ProjectedPPO,
    ProjectedPPOConfig,
)
from sport_ray.projected_ppo.array_runner import ArrayRunner, EpisodesSpent
from sport_ray.projected_ppo.environment import take_violations
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.samplers import BaseFile
from sport_ray.selection import Selector, TaskPolicy
from sport_ray.soft_actor_critic import SoftActorCritic, SoftActorCriticConfig
from sport_ray.tracking.results.curves import Curves

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task

Configured = TypeVar("Configured", ProjectedPPOConfig, SoftActorCriticConfig)
Progress = Callable[[int, dict[str, Any]], None]
OF_OBJECTIVES = ("violation_price",)
"""What objectives tell, as they were at the end: further fields of a record."""
HIDDEN = (64, 64)
"""Layers of a task policy whose base has none of its own."""
ROBOTS_OWN = "(!hazard) U goal"
"""The property, in canonical form, of which the point robot's simulator knows itself."""


class Trained(NamedTuple):
    """A trained task policy and how training went."""

    policy: TaskPolicy
    env_steps: int
    seconds: float
    metrics: dict[str, float | int | None]
    begun: int | None = None
    """Episodes of training at most, those that were not over at its end included."""
    curves: Curves | None = None
    """How it went, iteration by iteration; None of a source that does not tell."""


def ppo_config(
    task: Task,
    settings: PPOSection,
    *,
    env_kwargs: dict[str, Any],
    base: PolicyNetwork | None,
    start: PolicyNetwork,
    warmup_env_steps: int,
    gradient: Gradient = "paper",
    cut_after: int | None = None,
    ends_when_violated: str | None = None,
) -> ProjectedPPOConfig:
    """The algorithm's configuration for a section of a study; start: where training begins."""
    config = ProjectedPPOConfig().training(base=base, task=start, gradient=gradient)
    config.training(ends_when_violated=ends_when_violated)
    _configure(config, task, settings, env_kwargs, warmup_env_steps, cut_after)
    return config


def index_config(
    task: Task, settings: TaskTraining, base: BaseFile, candidates: int
) -> IndexPPOConfig:
    """The configuration of a selector's training, among candidates of the base."""
    config = IndexPPOConfig().choosing(base, candidates=candidates)
    ends = not settings.train_on_after_violation
    config.training(gradient=settings.gradient, ends_when_violated=ended_by(task, ends))
    config.training(judged=(task.property, task.horizon), most_episodes=task.most_episodes)
    kwargs, warmup = training_kwargs(task, reward="task", ends=ends), settings.warmup_env_steps
    _configure(config, task, settings.ppo, kwargs, warmup, training_cut(task))
    config.learners(num_gpus_per_learner=task.resources.gpus_per_cell)
    return config


def _configure(
    config: ProjectedPPOConfig,
    task: Task,
    settings: PPOSection,
    env_kwargs: dict[str, Any],
    warmup_env_steps: int,
    cut_after: int | None,
) -> None:
    """All that does not depend on what is trained."""
    require_copies(task.environment, task.resources, "training", settings)
    (
        of_task(config, task, env_kwargs)
        .env_runners(
            num_env_runners=task.resources.env_runners_per_cell,
            num_envs_per_env_runner=settings.num_envs,
            rollout_fragment_length="auto",
        )
        .training(
            constraint=task.constraint,
            lr=settings.lr,
            critic_lr=settings.critic_lr,
            warmup_env_steps=warmup_env_steps,
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
    )


def of_task(config: Configured, task: Task, env_kwargs: dict[str, Any]) -> Configured:
    """The configuration with the task's environment and seed, whatever the algorithm.

    env_kwargs: beyond the environment's own.
    """
    own = {**task.environment.kwargs, **env_kwargs}
    config.environment(task.environment.id, env_config=own)
    config.debugging(seed=task.seed, log_level="ERROR")
    config.reporting(metrics_num_episodes_for_smoothing=100)
    return config


class TrainingRun:
    """A training run that goes on in portions, so that it can be looked at in between."""

    def __init__(self, config: ProjectedPPOConfig | SoftActorCriticConfig) -> None:
        # One of each copy may be on its way.
        self._running = config.num_envs_per_env_runner * max(config.num_env_runners, 1)
        self.spent = False
        """Whether it ended as no more episodes were allowed."""
        self._recorder = CurveRecorder()
        self.algorithm: ProjectedPPO | SoftActorCritic = config.build_algo()
        self._base = self.algorithm.base_fingerprint()
        self.env_steps = 0
        self.result: dict[str, Any] = {}

    def advance(self, env_steps: int, progress: Progress | None = None) -> None:
        """Train until so many steps are sampled in all."""
        while self.env_steps < env_steps and not self.spent:
            try:
                self.result = self.algorithm.train()
            except EpisodesSpent:
                self._spend()
                return
            self.env_steps = int(self.result["env_runners"]["num_env_steps_sampled_lifetime"])
            told = flat(self.result)
            self._recorder.add_result(told, int(told["num_episodes_lifetime"] or 0) + self._running)
            if progress is not None:
                progress(self.env_steps, self.result)

    def _spend(self) -> None:
        """Count what was sampled of the batch that nothing is learned from any more.

        Raises:
            UserError: it was the first.
        """
        if not self.result:
            raise UserError(
                f"training may begin {self.algorithm.config.most_episodes} episodes, which is less "
                "than one batch: allow more violations, lower alpha or eps_max, certify a smaller "
                "risk, or lower training.train_batch_size"
            )
        runner = self.algorithm.env_runner
        assert isinstance(runner, ArrayRunner)
        self.spent, self.env_steps = True, runner.steps_taken
        counted = dict(self.result["env_runners"])
        more = take_violations(runner.env)
        if more is not None:
            counted["num_violating_episodes_lifetime"] += more
        running = runner.num_envs - int(runner.over.sum())
        counted["num_episodes_lifetime"] = runner.episodes_begun - running
        self.result = {**self.result, "env_runners": counted}
        self._recorder.add(
            {
                "env_steps": self.env_steps,
                "episodes_begun": runner.episodes_begun,
                "violations": counted.get("num_violating_episodes_lifetime"),
            }
        )

    @property
    def curves(self) -> Curves | None:
        """How it went so far; None before the first iteration."""
        return self._recorder.curves()

    def policy(self) -> PolicyNetwork:
        """The task policy as it is now.

        Raises:
            ArithmeticError: weights that are not finite, or a base policy that has changed.
        """
        network = self.algorithm.task_policy()
        if self.algorithm.base_fingerprint() != self._base:
            raise ArithmeticError("the base policy's weights changed during training")
        require_finite(network.state_dict().values())
        return network

    def selector(self) -> Selector:
        """The way of choosing as it is now, of a training over the index.

        Raises:
            ArithmeticError: weights that are not finite.
        """
        assert isinstance(self.algorithm, IndexPPO)
        found = self.algorithm.selector()
        require_finite(map(torch.from_numpy, found.score.arrays().values()))
        return found

    def stop(self) -> None:
        """End the run and let go of its workers."""
        self.algorithm.stop()


def require_finite(weights: Iterable[torch.Tensor]) -> None:
    """Raise ArithmeticError where training has diverged."""
    if not all(torch.isfinite(value).all() for value in weights):
        raise ArithmeticError("training diverged: the task policy's weights are not finite")


def run_training(
    config: ProjectedPPOConfig | SoftActorCriticConfig,
    env_steps: int,
    progress: Progress | None = None,
) -> Trained:
    """Train until ``env_steps`` steps are sampled; the task policy as it is then.

    Raises:
        ArithmeticError: weights that are not finite.
    """
    run = TrainingRun(config)
    started = time.monotonic()  # building is no training: a sweep's efficiency would look better
    try:
        run.advance(env_steps, progress)
        over_index = isinstance(config, IndexPPOConfig)
        policy: TaskPolicy = run.selector() if over_index else run.policy()
    finally:
        run.stop()
    seconds = time.monotonic() - started
    curves = run.curves
    begun = None if curves is None else curves.begun
    return Trained(policy, run.env_steps, seconds, summary(run.result), begun, curves)


def summary(result: dict[str, Any]) -> dict[str, float | int | None]:
    """The last iteration's few numbers that a record keeps."""
    return recorded(flat(result))


def flat(result: dict[str, Any]) -> dict[str, Any]:
    """An iteration's numbers of sampling and of learning, by name."""
    learned = result.get("learners", {}).get("default_policy", {})  # nothing in a warm-up alone
    return {**result["env_runners"], **learned}


def recorded(result: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The few of them that a record keeps, under its names."""

    def number(name: str) -> float | None:
        value = result.get(name)
        return None if value is None else float(value)

    violating = number("num_violating_episodes_lifetime")
    episodes = number("num_episodes_lifetime")
    objective = {name: number(name) for name in OF_OBJECTIVES if name in result}
    return {
        **objective,
        "clip_fraction": number("clip_fraction"),
        "train_return": number("episode_return_mean"),
        "train_violations": None if violating is None else int(violating),
        "train_episodes": None if episodes is None else int(episodes),
    }


def train_task_policy(task: Task, settings: TaskTraining, base: PolicyNetwork) -> Trained:
    """The task policy by PPO, from the base and on the task's reward.

    Under a constraint an episode ends once the property is violated for good, as in the paper's
    sweeps. The task reward knows nothing of the hazard, but ending there forfeits what was still to
    come, on the point robot progress and the +1 at the goal: a penalty. Where rewards to come are
    negative it would be a reward, and ``train_on_after_violation`` belongs on.
    """
    return run_training(task_config(task, settings, base), settings.ppo.env_steps)


def task_config(task: Task, settings: TaskTraining, base: PolicyNetwork) -> ProjectedPPOConfig:
    """The configuration of a task policy's training, from the base and on the task's reward."""
    ends = not settings.train_on_after_violation
    found: ProjectedPPOConfig = ppo_config(
        task,
        settings.ppo,
        env_kwargs=training_kwargs(task, reward="task", ends=ends),
        base=base,
        start=first_policy(base, task.seed),
        warmup_env_steps=settings.warmup_env_steps,
        gradient=settings.gradient,
        cut_after=training_cut(task),
        ends_when_violated=ended_by(task, ends),
    ).learners(num_gpus_per_learner=task.resources.gpus_per_cell)
    judged = task.property, task.horizon
    return found.training(judged=judged, most_episodes=task.most_episodes)


def first_policy(base: PolicyNetwork, seed: int) -> PolicyNetwork:
    """Where training begins: at the base, or at a fresh MLP with its head where it is a graph."""
    if base.spec.body != "graph":
        return base
    spec = base.spec.model_copy(update={"body": "mlp", "hidden": HIDDEN, "activation": "tanh"})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PolicyNetwork(spec).float()


def training_kwargs(task: Task, reward: str, *, ends: bool, margin: float = 0.0) -> dict[str, Any]:
    """Environment arguments of a training run, beyond the task's own.

    ``reward`` and ``margin`` are the point robot's; any other environment has one reward, which
    its arguments may change, and is made for the certificate's T_max as everywhere else: episodes
    of ``horizon`` steps are cut from outside (:func:`training_cut`). The robot's horizon only ends
    its episodes, so it is given. So is whether the hazard ``ends`` them, where the property is the
    robot's own; any other is looked at from outside (:func:`ended_by`). A base's reward is about
    the hazard, whatever the property.
    """
    if task.environment.id != POINT_REACH_AVOID:
        longest = max(task.max_horizon, task.horizon)
        return horizon_arguments(task.environment.id, longest)
    return {
        "horizon": task.horizon,
        "reward": reward,
        "end_on_violation": ends and (reward != "task" or task.property == ROBOTS_OWN),
        "margin": margin,
    }


def ended_by(task: Task, ends: bool) -> str | None:
    """The property whose final violation ``ends`` an episode from outside; None for none.

    The robot's own it sees to itself, to the same numbers, in its simulator.
    """
    native = task.environment.id == POINT_REACH_AVOID and task.property == ROBOTS_OWN
    return task.property if ends and not native else None


def training_cut(task: Task) -> int | None:
    """Steps after which training cuts an episode short of the environment's own limit, or None."""
    own = task.environment.id == POINT_REACH_AVOID or task.horizon >= task.max_horizon
    return None if own else task.horizon


def check_spaces(network: PolicyNetwork, observation: int, action: int, env_id: str) -> None:
    """Refuse a policy whose sizes are not the environment's."""
    spec = network.spec
    if (spec.observation_size, spec.action_size) != (observation, action):
        raise UserError(
            f"the base policy has {spec.observation_size} observations and {spec.action_size} "
            f"actions; {env_id} has {observation} and {action}: give a base for this environment"
        )
