"""Which methods have cells on a base, and which tasks can be run here."""

from __future__ import annotations

from functools import cache
from typing import Any

from sport_ray.constraints import Constraint, Evidence, MustBeGivenError, constraint_class
from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.extras import brings, how_to_install
from sport_ray.experiments.benchmark.method import MethodFile
from sport_ray.experiments.benchmark.task import TaskFile
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.config.task_policies import checked_sources
from sport_ray.experiments.config.training import BaseTrainingSection
from sport_ray.experiments.stages.base import environment_sizes, find_base, first_spec
from sport_ray.experiments.sweep.grid import fits
from sport_ray.experiments.task_policies.source import (
    SelectionSource,
    Source,
    family_of,
    source_class,
)
from sport_ray.experiments.task_policies.task import counts_steps
from sport_ray.policies import PolicyFile, PolicyNetwork, policy_digest
from sport_ray.samplers import BaseFile, read_base


def base_like(study: Study) -> BaseFile:
    """The study's base where it ships, else one of the same shape that was not trained yet.

    Raises:
        UserError: a damaged base, or an environment that cannot be made.
    """
    folder = find_base(study.base, None)
    if folder is not None:
        return read_base(folder)
    network = PolicyNetwork(first_spec(study, study.base_training or BaseTrainingSection()))
    return PolicyFile(network, policy_digest(network), {})


def missing_extra(task: TaskFile, study: Study) -> str | None:
    """Why the task's environment cannot be made here, with what to install; None where it can.

    Raises:
        UserError: one that needs nothing to be installed and cannot be made; a module of the
            user's that is not there.
    """
    try:
        environment_sizes(study)
    except UserError as error:
        absent = _own_module_absent(study.environment.id, error)
        if absent is not None and not brings(task.extra, absent):
            raise UserError(
                f"{error}; {absent} must be importable from where bench is run: install it, or "
                "name its folder in PYTHONPATH"
            ) from error
        if task.extra is None:
            raise
        return f"{how_to_install(task.extra)} ({error})"
    return None


def _own_module_absent(env_id: str, error: UserError) -> str | None:
    """The module that an environment's id names, where that is not there."""
    module, cause = env_id.rpartition(":")[0], error.__cause__
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        return module if f"{module}.".startswith(f"{cause.name}.") else None
    return None


def why_not(
    method: MethodFile, settings: dict[str, Any], study: Study, base: BaseFile
) -> str | None:
    """Why a method has no cells on a base, in one line; None where it has.

    settings: of its source, with what the task says of it. study: the task's, with what its
    sources need of it.
    """
    if method.source is None:
        return None
    source, family = source_class(method.source), family_of(base)
    if _learns(source) and not study.certificate.transitions:
        return "the certificate keeps no transitions"
    if method.constraint and not fits(example(method.constraint), source, family):
        return f"{method.constraint} has no theorem for the family {source.family or family}"
    horizon = (study.sweep.horizons or [study.certificate.max_horizon])[0]
    checked = checked_sources({method.source: settings})[source.name]
    try:
        source().require(study.task(horizon, 0), checked, base)
    except UserError as error:
        return str(error)
    return None


def _learns(source: type[Source]) -> bool:
    """Whether it learns from transitions that the certificate's scenarios keep."""
    return issubclass(source, SelectionSource) and source.needs_transitions


def mixes_afresh(study: Study) -> bool:
    """Whether its mixtures are run on fresh scenarios: they are chosen by steps of the task.

    Those of other tasks are made of the cells' own evaluation, each seed's as the others chose
    (``sport_ray.tracking.benchmark``).
    """
    return counts_steps(study.task(study.certificate.max_horizon, 0).plan("mix", 0))


@cache
def example(kind: str) -> Constraint:
    """A constraint of a kind, to be asked which families it is about."""
    steps = 10
    left = tuple(float(steps - step) for step in range(steps))
    evidence = Evidence(steps, 1e-3, 1e-7, 20_000, 0, True, (0,) * steps, left)
    try:
        return constraint_class(kind, run_module=True).for_target(evidence, 0.1)
    except MustBeGivenError:
        return constraint_class(kind)(alpha=1.0)  # type: ignore[call-arg]  # all such kinds have it
