"""Evaluate a cell: fresh, complete, sampled scenarios of its policy, and every number of it."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds import scenario_bound
from sport_ray.canonical import write_atomic
from sport_ray.certificates import Certificate
from sport_ray.certificates.promise import promised
from sport_ray.experiments.config.environment import deployment_kwargs, perturbation, world_factor
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.limit_test import EVIDENCE, evidence_of, limit_numbers
from sport_ray.experiments.sweep.on_device import cell_scenarios
from sport_ray.experiments.task_policies.task import counts_steps, mixed_seed
from sport_ray.properties import NEVER, parse_property
from sport_ray.rollouts import Behaviour, Outcomes, ScenarioPlan, Tally
from sport_ray.rollouts.behaviour import Step
from sport_ray.rollouts.capped_ratio import CAPS
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.rollouts.scenarios import run_chosen
from sport_ray.rollouts.shadow import watching
from sport_ray.rollouts.streaming import ended_with
from sport_ray.tracking.results.record import Evaluation

SAMPLED_SCENARIOS = 40
PAPER_SCENARIOS = 1_000
"""Evaluation scenarios of the paper: the first of ours are counted apart, to compare with it."""


class Samples:
    """Keeps the poses of the first scenarios and the distributions along scenario 0."""

    def __init__(self, horizon: int) -> None:
        self.poses = np.full((SAMPLED_SCENARIOS, horizon + 1, 3), np.nan, dtype=np.float32)
        self.along: list[dict[str, NDArray[np.float64]]] = []
        self.seen_pose = False

    def __call__(
        self,
        scenario: NDArray[np.int64],
        step: NDArray[np.int64],
        laws: Step | None,
        poses: NDArray[np.float64] | None,
    ) -> None:
        """Observe a batch of scenarios in one state each."""
        kept = np.flatnonzero(scenario < SAMPLED_SCENARIOS)
        if poses is not None and kept.size:
            self.seen_pose = True
            self.poses[scenario[kept], step[kept]] = poses[kept]
        if laws is None:
            return
        for row in np.flatnonzero(scenario == 0):
            parts = (laws.chosen, ""), (laws.base, "base_"), (laws.task, "task_")
            self.along.append(
                {n: part for law, which in parts for n, part in law[row].fields(which).items()}
            )

    def save(self, path: Path, scene: dict[str, Any], free: NDArray[np.int64] | None) -> None:
        """Write them as ``samples.npz``, with how many episodes of the task took t steps."""
        arrays: dict[str, Any] = {
            name: np.stack([numbers[name] for numbers in self.along]) for name in self.along[0]
        }
        if self.seen_pose:
            arrays |= {"poses": self.poses, **scene}
        if free is not None:
            arrays["task_steps"] = np.bincount(free)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_atomic(path, buffer.getvalue())


def scenarios_per_cell(study: Study) -> int:
    """Scenarios that the evaluation of a projected cell runs."""
    return study.evaluation.num_scenarios + study.evaluation.off_policy


def evaluation_plan(study: Study, horizon: int, seed: int) -> ScenarioPlan:
    """Scenarios of a cell: fresh (their own purpose), the same for every α of one (T, seed)."""
    task = study.task(horizon, seed)
    root_seed = mixed_seed(study.evaluation.root_seed, seed)
    return task.plan("evaluate", root_seed, deployment_kwargs(study))


def evaluate_cell(
    study: Study,
    cell: Cell,
    certificate: Certificate,
    behaviour: Behaviour,
    samples_path: Path,
) -> Evaluation:
    """As :func:`evaluating_cell`, to its end."""
    return ended_with(evaluating_cell(study, cell, certificate, behaviour, samples_path))


def evaluating_cell(
    study: Study,
    cell: Cell,
    certificate: Certificate,
    behaviour: Behaviour,
    samples_path: Path,
) -> Generator[int, None, Evaluation]:
    """Run a cell's scenarios and compute its numbers; yields how many more have run.

    behaviour: of the cell's policy, as it is deployed.
    """
    started = time.monotonic()
    plan = evaluation_plan(study, cell.horizon, cell.seed)
    samples = Samples(cell.horizon)
    count = study.evaluation.num_scenarios
    tally = Tally()
    outcomes = yield from cell_scenarios(
        study, plan, behaviour, count, samples, SAMPLED_SCENARIOS, tally
    )
    tally.require_complete(count)
    free = task_steps(plan, behaviour, outcomes)
    samples.save(samples_path, scene(plan), free)
    beta = study.evaluation.beta
    violations = outcomes.num_violations(cell.horizon)
    reached = outcomes.satisfied_by(cell.horizon)
    steps = outcomes.satisfied_at[reached & (outcomes.satisfied_at != NEVER)]
    entered = int((~reached & (outcomes.violated_at != NEVER)).sum())
    total = float(outcomes.length.sum())
    world = perturbation(study)
    prior = promised(certificate, cell.constraint, cell.horizon, **world._asdict())
    off_policy, sample_size, refusal = yield from off_policy_numbers(study, cell, plan, behaviour)
    evidence = samples_path.with_name(EVIDENCE)
    limit = yield from limit_numbers(study, cell, certificate, behaviour, evidence)
    return Evaluation(
        **limit,
        alpha_mu=world.alpha_mu,
        alpha_p=world.alpha_p,
        eps_base=certificate.eps_base(cell.horizon),
        beta=certificate.beta,
        prior_bound=None if prior is None else finite_or_none(prior),
        off_policy_bound=off_policy,
        off_policy_sample_size=sample_size,
        off_policy_refusal=refusal,
        num_scenarios=outcomes.num_scenarios,
        num_violations=violations,
        num_hazard=entered,
        num_timeout=int(violations) - entered,
        num_violations_1000=int((~reached[:PAPER_SCENARIOS]).sum())
        if outcomes.num_scenarios >= PAPER_SCENARIOS
        else None,
        empirical_violation_rate=violations / outcomes.num_scenarios,
        posterior_bound=scenario_bound(outcomes.num_scenarios, violations, beta),
        posterior_beta=beta,
        mean_steps_to_goal=float(steps.mean()) if steps.size else None,
        std_steps_to_goal=float(steps.std()) if steps.size else None,
        # Of the task itself, hazard or no hazard; an episode without the goal takes T. Over all
        # episodes, so a policy that plays another with probability p has p of its gain.
        mean_task_steps=None if free is None else float(free.mean()),
        std_task_steps=None if free is None else float(free.std()),
        mean_return=finite_or_none(outcomes.total_reward.mean()),
        std_return=finite_or_none(outcomes.total_reward.std()),
        max_log_ratio=finite_or_none(outcomes.max_log_ratio.max()),
        max_prefix_log_ratio=finite_or_none(outcomes.max_prefix_log_ratio.max()),
        mean_log_ratio=finite_or_none(outcomes.sum_log_ratio.sum() / total),
        mean_realised_log_ratio=finite_or_none(outcomes.sum_realised_log_ratio.sum() / total),
        projected_share=float(outcomes.projected_steps.sum()) / total,
        mean_kl_to_base=finite_or_none(outcomes.sum_kl_to_base.sum() / total),
        mean_task_distance=finite_or_none(outcomes.sum_task_distance.sum() / total),
        eval_seconds=time.monotonic() - started,
    )


def task_steps(
    plan: ScenarioPlan, behaviour: Behaviour, outcomes: Outcomes
) -> NDArray[np.int64] | None:
    """Steps of the task in each scenario (n,), the hazard ignored; None where that means nothing.

    What there is to gain: a policy that often violates has no typical time to goal among the
    episodes that satisfy the property. Only scenarios that a violation ended are run again, from
    their own streams and on through it: the others' trajectories are what they would be.

    outcomes: the plan's scenarios under the behaviour.
    """
    if not counts_steps(plan):
        return None
    steps = outcomes.length.copy()
    again = np.flatnonzero(may_have_ended_by_violation(plan, outcomes))
    if again.size:
        index = outcomes.index[again]
        steps[again] = run_chosen(through_violations(plan), behaviour, index).length
    return steps


def through_violations(plan: ScenarioPlan) -> ScenarioPlan:
    """The point robot's scenarios as if there were no hazard: to the goal, or to the end."""
    goal = parse_property(plan.property).eventual_goal
    kwargs = {**plan.env_kwargs, "end_on_violation": False}
    return plan.model_copy(update={"env_kwargs": kwargs, "property": f"F {goal}"})


def may_have_ended_by_violation(plan: ScenarioPlan, outcomes: Outcomes) -> NDArray[np.bool_]:
    """All but those that ran to the cut, and those that ended at the goal, as far as is known.

    The robot's world ends an episode at its own goal and hazard: a satisfied ``(!hazard) U goal``
    has ended there, while other properties of that form say nothing about it.
    """
    early = outcomes.length < plan.horizon
    if parse_property(plan.property).formula == "(!hazard) U goal":
        early &= ~outcomes.satisfied_by(plan.horizon)
    return early


def off_policy_numbers(
    study: Study, cell: Cell, plan: ScenarioPlan, behaviour: Behaviour
) -> Generator[int, None, tuple[float | None, float | None, str | None]]:
    """A bound on the cell's policy, its effective sample size, and why there is no bound.

    Yields how many more of its scenarios have run.

    From fresh scenarios of the base alone, with a purpose of their own: neither the policy nor its
    constraint was chosen on them. In the world of the certificate; a perturbed one multiplies the
    bound.
    """
    count = study.evaluation.off_policy
    if not count or not cell.projected:
        return None, None, None
    watched = plan.model_copy(
        update={"purpose": "off_policy", "env_kwargs": study.environment.kwargs}
    )
    seen = yield from watching(watched, behaviour, count, caps=CAPS)
    found = evidence_of(seen, cell).tested(study.evaluation.beta)
    bound = found.bound
    if bound is not None:
        bound = min(math.nextafter(bound * world_factor(study, cell.horizon), 2.0), 1.0)
    return bound, found.effective_sample_size, found.refusal


def scene(plan: ScenarioPlan) -> dict[str, Any]:
    """Goal and hazard of a fixed layout, for pictures; empty where there is none."""
    if plan.env_id != POINT_REACH_AVOID or plan.env_kwargs.get("layout", "fixed") != "fixed":
        return {}
    simulator = plan.environment(1).simulator  # type: ignore[attr-defined]  # the robot's
    simulator.reset(np.array([0]), [np.random.default_rng(0)])
    return {
        "goal": simulator.goals[0],
        "hazard": simulator.hazards[0],
        "goal_radius": simulator.goal_radius,
        "hazard_radius": simulator.hazard_radius,
    }


def finite_or_none(value: float | np.floating[Any]) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None
