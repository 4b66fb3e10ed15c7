"""SCPO as a source: a few parameters of the base, moved while tests by rollouts allow it.

With probability at least 1 − beta over the whole training run, every policy that was accepted
(the one returned among them) violates the property within T steps with probability at most
max_violation, in the study's environment: each was tested on scenarios drawn after it was chosen,
at a share beta / (iterations + 1) of the confidence. The smoothness L has no part in that claim;
it decides how often an unsafe policy is tried. docs/comparators.md has the proof.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sport_ray.comparators.scpo.acceptance import AcceptanceTests
from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Alpha, Positive, Probability, Rate, Section, Whole
from sport_ray.experiments.task_policies.source import TaskPolicySource
from sport_ray.experiments.task_policies.task import Task, counts_steps

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.comparators.scpo.policy_rollouts import Episodes
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.policies import PolicyNetwork
    from sport_ray.rollouts import Outcomes, ScenarioPlan

LEAST_LIMIT = 0.03


class ScpoSection(Section):
    """SCPO's settings."""

    iterations: Positive = 20
    """Steps, each tested. [policy steps]"""
    dimension: Annotated[int, Whole, Field(ge=1, le=64)] = 8
    """Parameters of the policy that are moved. [parameters]"""
    max_violation: Probability | None = None
    """The limit on P(violation); by default 3 times ε_base(T), at least 0.03. [probability]"""
    beta: Probability = 1e-7
    """Probability that any statement of the run fails. [probability]"""
    num_scenarios: Positive = 3_000
    """Fresh episodes of every test. [episodes]"""
    probe_scenarios: Positive = 300
    """Episodes of every perturbation, with the same random numbers. [episodes]"""
    step_size: Rate = 0.1
    """Step along the estimated gradient, before it is cut to the safe region. [1]"""
    trust_radius: Rate = 0.3
    """Longest step, in the subspace's own units. [subspace units]"""
    probe_radius: Rate = 0.15
    """Length of a perturbation, in the same units. [subspace units]"""
    error_factor: Rate = 1.0
    """Standard errors that the gradient's error is taken to be. [standard errors]"""
    smoothness: Rate | None = None
    """L of the violation probability; by default from second differences. [1/unit²]"""
    smoothness_margin: Alpha = 1.0
    """What an estimated L is multiplied with. [1]"""

    @model_validator(mode="after")
    def _enough(self) -> ScpoSection:

        if self.max_violation is not None:
            tests = AcceptanceTests(self.max_violation, self.beta, self.iterations + 1)
            least = tests.best_possible(self.num_scenarios)
            if least > self.max_violation:
                raise ValueError(
                    f"num_scenarios ({self.num_scenarios}) is too small for max_violation "
                    f"({self.max_violation:g}): even without a violation the upper bound is "
                    f"{least:.4g}"
                )
        return self


class ScpoSource(TaskPolicySource):
    """SCPO (arXiv 2512.13788): safe steps in weight space, each kept only if rollouts allow it."""

    name: ClassVar[str] = "scpo"
    title: ClassVar[str] = "SCPO"
    settings: ClassVar[type[Section]] = ScpoSection
    promise: ClassVar[str] = (
        "P(violation) at most max_violation with confidence 1 − beta, from its own test rollouts"
    )

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of every test and every perturbation."""
        assert isinstance(settings, ScpoSection)
        tests = (settings.iterations + 1) * settings.num_scenarios
        probes = settings.iterations * settings.dimension * settings.probe_scenarios
        return (tests + probes) * horizon

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """Search from the base; see the module."""
        from sport_ray.comparators.scpo.policy_rollouts import (
            CountedRollouts,  # torch takes seconds
        )
        from sport_ray.comparators.scpo.policy_search import SearchSettings, search
        from sport_ray.comparators.scpo.subspace import OutputSubspace
        from sport_ray.experiments.task_policies._curves import CurveRecorder
        from sport_ray.experiments.task_policies._training import Trained

        assert isinstance(settings, ScpoSection)
        started = time.monotonic()
        limit = max_violation(settings, certificate, task.horizon)
        plan = task.plan_through_violations("scpo", task.seed)
        rollouts = CountedRollouts(plan, lambda outcomes: objective(plan, outcomes))
        recorder = CurveRecorder()

        def tell(kept: Episodes) -> None:
            counts = {
                "env_steps": rollouts.env_steps,
                "episodes_begun": rollouts.episodes,
                "violations": rollouts.violations,
            }
            recorder.add({**counts, "mean_return": kept.total_reward.mean()})

        found = search(
            rollouts,
            OutputSubspace(base, settings.dimension, task.seed),
            AcceptanceTests(limit, settings.beta, settings.iterations + 1),
            SearchSettings(
                iterations=settings.iterations,
                num_scenarios=settings.num_scenarios,
                probe_scenarios=settings.probe_scenarios,
                step_size=settings.step_size,
                trust_radius=settings.trust_radius,
                probe_radius=settings.probe_radius,
                error_factor=settings.error_factor,
                smoothness=settings.smoothness,
                smoothness_margin=settings.smoothness_margin,
                seed=task.seed,
            ),
            tell,
        )
        return Trained(
            found.network,
            rollouts.env_steps,
            time.monotonic() - started,
            {
                "train_return": found.mean_return,
                "train_violations": rollouts.violations,
                "train_episodes": rollouts.episodes,
                "scpo_accepted": found.accepted,
                "scpo_refused": found.refused,
                "scpo_stood_still": found.stood_still,
                "scpo_max_violation": limit,
                "scpo_upper_bound": found.upper_bound,
                "scpo_start_objective": found.start_objective,
                "scpo_objective": found.objective,
                "scpo_smoothness": found.smoothness,
            },
            curves=recorder.curves(),
        )


def max_violation(settings: ScpoSection, certificate: Certificate, horizon: int) -> float:
    """The limit of the settings, or the default that follows from the certificate.

    Raises:
        UserError: no limit given, and a base whose certificate says nothing at this horizon.
    """
    if settings.max_violation is not None:
        return settings.max_violation
    limit = max(3.0 * certificate.eps_base(horizon), LEAST_LIMIT)
    if not limit < 1.0:
        raise UserError(
            f"task_policies.scpo has no max_violation, and 3 times the base's certified "
            f"{certificate.eps_base(horizon):.4g} at T = {horizon} limits nothing: give "
            "max_violation, or take a longer horizon"
        )
    return limit


def objective(plan: ScenarioPlan, outcomes: Outcomes) -> NDArray[np.float64]:
    """Per scenario: steps of the task on the point robot, elsewhere minus the total reward."""
    if counts_steps(plan):
        return outcomes.length.astype(np.float64)
    return -outcomes.total_reward
