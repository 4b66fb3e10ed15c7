"""The Tune trial of tuning: train under the one constraint, and judge on the 'tune' scenarios."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ray import tune

from experiments.deployment import deployment_kwargs
from experiments.evaluation import run_on_through_violations
from experiments.hyperparameters import Point, tidy
from experiments.runtime import quiet_ray
from experiments.study import Study
from experiments.task_policies.ppo import ProjectedPPOSource
from experiments.training import TrainingRun, task_config
from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.policies import FrozenGaussian, GaussianNetwork, load_policy
from sport_ray.properties import parse_property
from sport_ray.rollouts import ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID


class Judgement(NamedTuple):
    """Mean over scenarios, and its standard error."""

    score: float
    error: float


class Measure(NamedTuple):
    """What trials are ranked by, and whether the smallest ("min") or largest ("max") is best."""

    name: str
    mode: str


def measure_of(study: Study) -> Measure:
    """Mean task steps, violations ignored, of the point robot with a goal; else the mean return."""
    goal = parse_property(study.property).eventual_goal
    if study.environment.id == POINT_REACH_AVOID and goal is not None:
        return Measure("mean_task_steps", "min")
    return Measure("mean_return", "max")


def tuning_plan(study: Study, horizon: int) -> ScenarioPlan:
    """The scenarios that trials are judged on: of the purpose 'tune', which nothing else has."""
    assert study.tuning is not None
    return ScenarioPlan(
        env_id=study.environment.id,
        env_kwargs=deployment_kwargs(study),
        property=study.property,
        horizon=horizon,
        root_seed=study.tuning.seed,
        purpose="tune",
        environment_horizon=study.certificate.max_horizon,
        copies=study.environment.copies,
    )


def training_seed(study: Study) -> int:
    """The seed of every trial's training: derived, so that it is none that a sweep reports."""
    assert study.tuning is not None
    sequence = np.random.SeedSequence(study.tuning.seed, spawn_key=tuple(b"tune"))
    return int(sequence.generate_state(1)[0] >> 2)  # RLlib adds to it, and needs 32 bits


def judge(
    study: Study,
    base: FrozenGaussian,
    policy: GaussianNetwork,
    constraint: Constraint,
    horizon: int,
) -> Judgement:
    """How well a task policy does under the constraint, on the scenarios of the purpose 'tune'.

    The constraint is the same for all trials, so the certified risk is, too: performance alone
    ranks them.
    """
    assert study.tuning is not None
    plan, count = tuning_plan(study, horizon), study.tuning.num_scenarios
    behaviour = ProjectedBehaviour(base, FrozenGaussian(policy), constraint)
    if measure_of(study).name == "mean_task_steps":
        free = run_on_through_violations(plan, behaviour, count)
        assert free is not None
        values = free.length.astype(np.float64)
    else:
        values = run_scenarios(plan, behaviour, 0, count).total_reward
    score, error = float(values.mean()), float(values.std()) / math.sqrt(count)
    if not math.isfinite(score):
        raise ArithmeticError(f"the mean over the scenarios is {score}")
    return Judgement(score, error)


class TuningTrial(tune.Trainable):
    """Trains in portions and reports after each; reused from trial to trial like a sweep's."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial."""
        torch.set_num_threads(1)
        quiet_ray()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        self.run: TrainingRun | None = None
        self._take(config)

    def _take(self, config: dict[str, Any]) -> None:
        task = json.loads(config["task"])
        self.study = Study.model_validate(task["study"])
        self.base = load_policy(Path(task["results"]) / "base").network
        self.constraint = constraint_from_json(task["constraint"])
        self.horizon = int(task["horizon"])
        self.point = point_of(self.study, config)
        self.judged = 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial; true says that this actor may be reused."""
        self.cleanup()
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train the next portion and judge; an error ends the trial, and tuning goes on."""
        tuning = self.study.tuning
        assert tuning is not None
        settings = ProjectedPPOSource().settings_in(self.study, self.point)
        if self.run is None:
            seed = training_seed(self.study)
            task = self.study.task(self.horizon, seed, self.constraint)
            self.run = TrainingRun(task_config(task, settings, self.base))
        self.judged += 1
        self.run.advance(math.ceil(settings.ppo.env_steps * self.judged / tuning.judgements))
        found = judge(
            self.study,
            FrozenGaussian(self.base),
            self.run.policy(),
            self.constraint,
            self.horizon,
        )
        return {
            **found._asdict(),
            "env_steps": self.run.env_steps,
            "done": self.judged >= tuning.judgements,
        }

    def cleanup(self) -> None:
        """Let go of the training run."""
        if self.run is not None:
            self.run.stop()
            self.run = None

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: an interrupted trial starts anew. Without this method actors are not reused."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing to load."""


def point_of(study: Study, config: dict[str, Any]) -> Point:
    """The parameters of a Tune trial: a whole point, or one entry for each."""
    assert study.tuning is not None
    axes = study.tuning.parameters
    values = dict(config["point"]) if "point" in config else {name: config[name] for name in axes}
    return tuple((name, tidy(name, axes[name], values[name])) for name in sorted(axes))
