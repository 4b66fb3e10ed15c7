"""What a critic is learned from: remaining steps, or the return within T."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.task_policies.task import counts_steps
from sport_ray.random_streams import stream
from sport_ray.rollouts.transitions import Transitions, load_transitions
from sport_ray.samplers import BaseFile, BaseSampler, sampler_of
from sport_ray.selection.scores.atoms import Atoms
from sport_ray.selection.scores.critic_data import CriticData
from sport_ray.selection.scores.from_scenarios import returns_within, steps_to_satisfaction
from sport_ray.selection.scores.network import ScoreNetwork, ScoreSpec
from sport_ray.selection.scores.training import CriticOptions, spec_of, train_critic

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies.task import Task


def options_of(settings: Section) -> CriticOptions:
    """The options of the training among a source's settings."""
    names = CriticOptions.model_fields.keys() & type(settings).model_fields.keys()
    return CriticOptions(**{name: getattr(settings, name) for name in names})


class Learned(NamedTuple):
    """The critic of a base, and what it was learned from."""

    network: ScoreNetwork
    loss: float  # nats, the last
    data: CriticData
    sampler: BaseSampler
    generator: np.random.Generator  # which goes on
    num_scenarios: int


def learn(
    task: Task, base: BaseFile, certificate: Certificate, transitions: Path,
    options: CriticOptions, draws: int,
) -> Learned:  # fmt: skip
    """The base's critic from the transitions that its certificate kept.

    Raises:
        UserError: no transitions, or those of another certificate.
    """
    kept = load_transitions(transitions, certificate.digest)
    sampler = sampler_of(base, run_module=True)
    generator = stream(task.seed, "critic draws")
    data, spec = lesson_of(task, kept, sampler, options, draws, generator)
    network, losses = train_critic(data, spec, options, task.seed)
    return Learned(network, losses[-1], data, sampler, generator, kept.num_scenarios)


def lesson_of(
    task: Task,
    kept: Transitions,
    sampler: BaseSampler,
    options: CriticOptions,
    draws: int,
    generator: np.random.Generator,
) -> tuple[CriticData, ScoreSpec]:
    """The data, and the architecture for them: of what the task's performance is measured by.

    draws: actions of the base at every state, over which the critic's next law is averaged.

    Raises:
        UserError: scenarios without a step.
    """
    if not len(kept):
        raise UserError("the certificate's scenarios took no step: there is nothing to learn from")
    mapping = sampler.action_mapping
    data = data_of(task, kept, sampler, draws, generator)
    if counts_steps(task.plan("certify", 0)):
        return data, spec_of(data, Atoms.of_steps(task.horizon), options, mapping)
    returns, failed = data.outcomes()
    atoms = Atoms.of_returns(returns[~failed] if not failed.all() else returns)
    return data, spec_of(data, atoms, options, mapping, task.horizon)


def data_of(
    task: Task, kept: Transitions, sampler: BaseSampler, draws: int, generator: np.random.Generator
) -> CriticData:
    """Steps of scenarios, whoever acted in them, as what the task's performance is measured by."""
    if counts_steps(task.plan("certify", 0)):
        return steps_to_satisfaction(kept, sampler, draws, generator)
    return returns_within(kept, task.horizon, sampler, draws, generator)
