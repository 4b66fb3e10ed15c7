"""Policy iteration of a critic: act by it within the promise, learn what follows then."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sport_ray.constraints import Constraint
from sport_ray.constraints.two_point import TwoPointConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.task_policies._critic import Learned, data_of
from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import BaseSampler
from sport_ray.selection import SelectionBehaviour, Selector
from sport_ray.selection.scores.critic import Critic
from sport_ray.selection.scores.critic_data import CriticData
from sport_ray.selection.scores.network import ScoreNetwork
from sport_ray.selection.scores.training import CriticOptions, train_critic
from sport_ray.tracking.results.curves import Curves

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies._rounds import CriticIteratedSection
    from sport_ray.experiments.task_policies.task import Task


class Iterated(NamedTuple):
    """The critic after the rounds, its last loss (nats), and what was run for it."""

    network: ScoreNetwork
    loss: float
    env_steps: int
    episodes: int
    violations: int
    curves: Curves | None
    """Of the rounds; None where there were none."""


def limit_of(score: Critic, sampler: BaseSampler, constraint: Constraint) -> float | None:
    """The constant ratio within which the selection goes on, nats; None: as if the base did.

    A budget's ratio is whatever an episode has left, and its quantile rule is about the base's own
    episodes: there the critic stays the base's. So it does where a floor keeps the choice nearer to
    the base than the ratio alone says.
    """
    greedy = score.bound_to(sampler, constraint).rule == "greedy"
    floored = isinstance(constraint, TwoPointConstraint) and constraint.kappa > 0.0
    if constraint.state_size or floored or not greedy:
        return None
    return constraint.log_ratio_limit


def iterate(
    task: Task, settings: CriticIteratedSection, learned: Learned, options: CriticOptions
) -> Iterated:
    """Rounds of scenarios under the task's constraint, each followed by learning on all steps.

    learned: the base's critic. A scenario that is cut at T counts as one that never arrives, as one
    of the certificate's does at T_max.
    """
    network, data, sampler = learned.network, learned.data, learned.sampler
    plan, loss = task.plan("iterate", task.seed), float("nan")
    steps = violations = 0
    scenarios = scenarios_of_a_round(task, settings)
    recorder = CurveRecorder()
    score = Critic(network, settings.rule, settings.sharpness)
    again = options.model_copy(
        update={
            "bootstrap_updates": settings.refit_updates,
            "limit": limit_of(score, sampler, task.constraint),
        }
    )
    for done in range(settings.rounds):
        behaviour = SelectionBehaviour(
            sampler, Selector(settings.candidates, score), task.constraint
        )
        first = done * scenarios
        kept, outcomes = collect_transitions(plan, behaviour, first, scenarios)
        steps += int(outcomes.length.sum())
        violations += int((~outcomes.satisfied_by(task.horizon)).sum())
        data = CriticData.concatenate(
            [data, data_of(task, kept, sampler, settings.draws, learned.generator)]
        )
        network, losses = train_critic(data, network.spec, again, task.seed + done, network)
        loss = losses[-1]
        recorder.add(
            {
                "env_steps": steps,
                "episodes_begun": first + scenarios,
                "violations": violations,
                "value_loss": loss,
                **_told(outcomes),
            }
        )
        score = Critic(network, settings.rule, settings.sharpness)
    episodes = settings.rounds * scenarios
    return Iterated(network, loss, steps, episodes, violations, recorder.curves())


def _told(outcomes: Outcomes) -> dict[str, float]:
    """A round's quantities of learning curves, from the scenarios that were run for it."""
    steps = float(outcomes.length.sum()) or math.nan
    return {
        "mean_return": float(outcomes.total_reward.mean()),
        "mean_length": float(outcomes.length.mean()),
        "projected_share": float(outcomes.projected_steps.sum()) / steps,
        "mean_log_ratio": float(outcomes.sum_log_ratio.sum()) / steps,
        "max_log_ratio": float(outcomes.max_log_ratio.max()),
        "kl_to_base": float(outcomes.sum_kl_to_base.sum()) / steps,
        "task_distance": float(outcomes.sum_task_distance.sum()) / steps,
    }


def scenarios_of_a_round(task: Task, settings: CriticIteratedSection) -> int:
    """As many as the settings say and the task allows.

    Raises:
        UserError: not one is allowed.
    """
    most = task.most_episodes
    if most is None:
        return settings.scenarios
    if most < settings.rounds:
        raise UserError(
            f"training may begin {most} episodes, and {settings.rounds} rounds need one each: "
            "allow more violations, lower alpha or eps_max, or certify a smaller risk"
        )
    return min(settings.scenarios, most // settings.rounds)
