"""The Tune trial of tuning: train under the one constraint, and judge on the 'tune' scenarios."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np

from sport_ray.certificates import load_certificate
from sport_ray.experiments.config.axes import Point, tidy
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.evaluation import through_violations
from sport_ray.experiments.sweep.trials import StudyTrial
from sport_ray.experiments.task_policies._training import TrainingRun, task_config
from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource
from sport_ray.experiments.task_policies.source import require_density
from sport_ray.experiments.task_policies.task import counts_steps
from sport_ray.experiments.tuning.task import TuningTask, tuning_task
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.rollouts import ProjectedBehaviour, run_scenarios
from sport_ray.samplers import read_base

Judgements = Generator[dict[str, Any], None, None]


class Judgement(NamedTuple):
    """Mean over scenarios, and its standard error."""

    score: float
    error: float


def judge(task: TuningTask, base: FrozenPolicy, policy: PolicyNetwork, count: int) -> Judgement:
    """How well a task policy does under the constraint, on ``count`` scenarios of the task's plan.

    The constraint is the same for all trials, so the certified risk is, too: performance alone
    ranks them.
    """
    behaviour = ProjectedBehaviour(base, FrozenPolicy(policy), task.constraint)
    if counts_steps(task.plan):
        through = through_violations(task.plan)
        values = run_scenarios(through, behaviour, 0, count).length.astype(np.float64)
    else:
        values = run_scenarios(task.plan, behaviour, 0, count).total_reward
    score, error = float(values.mean()), float(values.std()) / math.sqrt(count)
    if not math.isfinite(score):
        raise ArithmeticError(f"the mean over the scenarios is {score}")
    return Judgement(score, error)


def judgements(study: Study, task: TuningTask, base: PolicyNetwork, point: Point) -> Judgements:
    """Train with a point's values in equal portions; after each, what to report so far."""
    tuning, settings = study.tuning, ProjectedPPOSource().settings_in(study, point)
    assert tuning is not None
    run = TrainingRun(
        task_config(study.task(task.plan.horizon, task.seed, task.constraint), settings, base)
    )
    reports: list[tuple[int, float]] = []
    try:
        for portion in range(1, tuning.judgements + 1):
            run.advance(math.ceil(settings.ppo.env_steps * portion / tuning.judgements))
            found = judge(task, FrozenPolicy(base), run.policy(), tuning.num_scenarios)
            reports.append((run.env_steps, found.score))
            yield {
                **found._asdict(),
                "env_steps": run.env_steps,
                "reports": list(reports),
                "done": portion == tuning.judgements,
            }
    finally:
        run.stop()


class TuningTrial(StudyTrial):
    """Reports after each portion of training; an error ends the trial, and tuning goes on."""

    _judgements: Judgements | None = None

    def take(self, config: dict[str, Any]) -> None:
        """Take parameters; training begins with the first portion."""
        study = self.folder.study
        task = tuning_task(study, load_certificate(self.folder.certificate))
        base = require_density(read_base(self.folder.base), "tuning")
        self._judgements = judgements(study, task, base, point_of(study, config))

    def work(self) -> dict[str, Any]:
        """Train the next portion and judge."""
        assert self._judgements is not None
        return next(self._judgements)

    def cleanup(self) -> None:
        """Let go of the training run."""
        if self._judgements is not None:
            self._judgements.close()
            self._judgements = None


def point_of(study: Study, config: dict[str, Any]) -> Point:
    """The parameters of a Tune trial."""
    assert study.tuning is not None
    axes = study.tuning.parameters
    return tuple((name, tidy(name, axes[name], config[name])) for name in sorted(axes))
