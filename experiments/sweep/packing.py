"""Pack a sweep's jobs into the trials that do them: cohorts of what can be trained as one."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.room import Room
from sport_ray.experiments.sweep.work import Work
from sport_ray.experiments.task_policies import TaskPolicySource
from sport_ray.experiments.task_policies.source import require_density, source_class
from sport_ray.policies import PolicyNetwork
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort import cohort_key, why_alone
from sport_ray.samplers import BaseFile

SCENARIO = 2.0
"""What evaluating one scenario takes, in environment steps of a cohort's training; roughly."""


class Group(NamedTuple):
    """Jobs of which any may share a cohort, equal constraints side by side.

    most: how many of them fit into one. work: of one of them, in environment steps of training.
    """

    jobs: list[Job]
    most: int
    work: float


def configuration_of(study: Study, job: Job, base: PolicyNetwork) -> ProjectedPPOConfig:
    """What a job of a cohort is trained by.

    Raises:
        UserError: see ``TaskPolicySource.configuration``.
    """
    source, cell = source_class(job.kind)(), job.cells[0]
    assert isinstance(source, TaskPolicySource)
    task = study.task(cell.horizon, cell.seed, cell.constraint, eps_max=cell.aim)
    return source.configuration(task, source.settings_in(study, cell.hyperparameters), base)


def env_steps_of(study: Study, job: Job) -> int:
    """How long it is trained, environment steps."""
    source = source_class(job.kind)()
    assert isinstance(source, TaskPolicySource)
    return source.env_steps(source.settings_in(study, job.cells[0].hyperparameters))


def pack(study: Study, jobs: Sequence[Job], base: BaseFile, room: Room) -> list[Work]:
    """All jobs, each in one trial, longest first; numbers do not depend on who shares a cohort.

    Raises:
        UserError: a configuration that no cohort can train.
    """
    together = [job for job in jobs if job.cells[0].engine == "cohort"]
    alone = [Work(cohort=False, jobs=(job,)) for job in jobs if job.cells[0].engine != "cohort"]
    if not together:
        return alone
    groups = _groups(study, together, require_density(base, "a cohort"), room)
    cohorts = sorted(cut(groups, room.slots), key=lambda one: -one[0])
    # Nobody knows how long a source takes that trains in its own way: those first.
    return [*alone, *(work for _, work in cohorts)]


def _groups(study: Study, jobs: list[Job], base: PolicyNetwork, room: Room) -> list[Group]:
    found: dict[tuple[str, str, int, bool], Group] = {}
    for job in jobs:
        config, env_steps = configuration_of(study, job, base), env_steps_of(study, job)
        if reason := why_alone(config):
            raise UserError(
                f"the task policies of {job.kind} cannot be trained in a cohort: {reason}; set "
                "engine: single"
            )
        key = (job.kind, cohort_key(config), env_steps, room.together(config))
        if key not in found:
            scenarios = len(job.cells) * study.evaluation.num_scenarios
            found[key] = Group([], room.cells(config), env_steps + SCENARIO * scenarios)
        found[key].jobs.append(job)
    return [group._replace(jobs=sorted(group.jobs, key=_constraint)) for group in found.values()]


def _constraint(job: Job) -> tuple[str, str, int]:
    """Equal ones side by side, and the seeds of one after another: a setting is whole early."""
    cell = job.cells[0]
    return cell.constraint.name, repr(sorted(cell.constraint.to_json().items())), cell.seed


def cut(groups: list[Group], slots: int) -> list[tuple[float, Work]]:
    """Cohorts with the work of each: as large as is fast, and a multiple of ``slots`` of them.

    So no slot idles while others work; each group has its share of them by its work.
    """
    rounds = math.ceil(sum(len(group.jobs) / group.most for group in groups) / slots)
    total = sum(len(group.jobs) * group.work for group in groups)
    portion = total / (max(rounds, 1) * slots)
    found = []
    for group in groups:
        many = len(group.jobs)
        pieces = max(math.ceil(many / group.most), round(many * group.work / portion), 1)
        pieces = min(pieces, many)
        ends = [many * piece // pieces for piece in range(pieces + 1)]
        for first, last in itertools.pairwise(ends):
            work = Work(cohort=True, jobs=tuple(group.jobs[first:last]))
            found.append(((last - first) * group.work, work))
    return found


def told(works: Sequence[Work]) -> str:
    """In one line what trains what, such as '72 training runs in 6 cohorts of 12'."""
    cohorts = [work for work in works if work.cohort]
    alone = Counter(work.jobs[0].kind for work in works if not work.cohort)
    parts = []
    if cohorts:
        sizes = sorted({len(work.jobs) for work in cohorts})
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        runs = sum(len(work.jobs) for work in cohorts)
        parts.append(f"{_many(runs, 'training run')} in {_many(len(cohorts), 'cohort')} of {size}")
    for kind, count in alone.items():
        reason = source_class(kind).why_alone or "engine: single"
        parts.append(f"{count} of {kind} alone ({reason})")
    return "; ".join(parts)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
