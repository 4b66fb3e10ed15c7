"""The grid of a study as jobs: which cells share a training run."""

from __future__ import annotations

import itertools
from typing import Any

from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, RatioConstraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import restricted
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.constraints import constraints_for
from sport_ray.experiments.sweep.limit_lists import limit_lists, places, settings
from sport_ray.experiments.sweep.training_promise import planned_episodes
from sport_ray.experiments.task_policies.source import SelectionSource, Source, source_class
from sport_ray.families import family_named


def plan_jobs(study: Study, certificate: Certificate, family: str = "gaussian") -> list[Job]:
    """All jobs of a study, longest first so that no worker idles at the end.

    Parameters that a source's policy does not depend on make no further runs of it. family: what
    the base draws from, by name.
    """
    jobs: list[Job] = []
    for horizon in study.horizons(certificate):
        constraints = {
            trained: constraints_for(study, certificate, horizon, trained=trained)
            for trained in (True, False)
        }
        listed = {
            trained: limit_lists(study, certificate, horizon, trained=trained)
            for trained in (True, False)
        }
        for name in study.sources:
            source = source_class(name)
            known = source().parameters(study)
            # Choices see what is left of a budget, whoever learned them.
            sees = source.under_constraint or issubclass(source, SelectionSource)
            asked, chosen = kinds_of(study, name), kinds_to_choose(study, name)
            fitting = [one for one in constraints[sees]
                       if one[0].name in asked and fits(one[0], source, family)]  # fmt: skip
            lists = [one for one in listed[sees]
                     if one[0].name in chosen and fits(one[0], source, family)]  # fmt: skip
            if source.is_base:
                fitting, lists = [(RatioConstraint(alpha=1.0), None)], []
            points = dict.fromkeys(restricted(point, known) for point in study.sweep.points)
            for point, seed in itertools.product(points, study.sweep.seeds):
                axes = {"horizon": horizon, "seed": seed, "hyperparameters": point}
                jobs += _jobs_at(study, certificate, name, fitting, lists, axes)
        _require_used(study, constraints[True], family)
    return sorted(jobs, key=_shortness)


def _jobs_at(
    study: Study,
    certificate: Certificate,
    source: str,
    constraints: list[tuple[Constraint, float | None]],
    lists: list[list[Constraint]],
    axes: dict[str, Any],
) -> list[Job]:
    """A source's jobs at one T, seed and point: one per constraint that it is trained under.

    Or one per risk that it aims at, or one in all, whose policy is used as it is, and projected
    onto every constraint.
    """
    kind = source_class(source)
    trained = kind.under_constraint

    def cell(constraint: Constraint, eps_max: float | None, **more: Any) -> Cell:
        about = {"source": source, "constraint": constraint, "eps_max": eps_max, **axes, **more}
        most = None
        if trained:
            point, horizon = axes["hyperparameters"], axes["horizon"]
            most = planned_episodes(study, certificate, source, constraint, horizon, point)
        return Cell.of(study, certificate, training_episodes=most, **about)

    if kind.targets_risk:
        levels = study.sweep.eps_max or []
        return [Job(kind=source, cells=(cell(Unconstrained(), one),)) for one in levels]
    projected = [cell(*one) for one in constraints]
    for members in lists:
        identities = [cell(one, None).identity(study, certificate) for one in members]
        found = places(
            study,
            certificate,
            axes["horizon"],
            identities,
            learned_from=learned_from(study, source),
        )
        projected += [cell(one, None, place=at) for one, at in zip(members, found, strict=True)]
    if trained:
        return [Job(kind=source, cells=(one,)) for one in projected]
    return [Job(kind=source, cells=(cell(Unconstrained(), None), *projected))]


def kinds_of(study: Study, source: str) -> list[str]:
    """The kinds of constraints that a source's policies are projected onto, where they fit."""
    return study.sweep.constraints_of.get(source, study.sweep.constraints)


def kinds_to_choose(study: Study, source: str) -> list[str]:
    """Those of them that it has lists of limits of, for scenarios of the base to choose from."""
    asked = settings(study)
    if asked is None or not asked.constraints_of:
        return kinds_of(study, source)
    return asked.constraints_of.get(source, [])


def learned_from(study: Study, source: str) -> int:
    """How many of the certificate's scenarios, the first ones, a source may learn from."""
    chooses = issubclass(source_class(source), SelectionSource)
    return study.certificate.transitions if chooses else 0


def fits(constraint: Constraint, source: type[Source], family: str = "gaussian") -> bool:
    """Whether the constraint's theorem holds for what the source's policies draw from.

    family: what the base draws from.
    """
    try:
        constraint.require_family(family_named(source.family or family, run_module=True))
    except UserError:
        return False
    return True


def _require_used(
    study: Study, constraints: list[tuple[Constraint, float | None]], family: str
) -> None:
    """Refuse a constraint that fits none of the study's sources.

    Raises:
        UserError: why the first source's policies cannot be held to it.
    """
    for constraint, _ in constraints:
        asking = [name for name in study.sources if constraint.name in kinds_of(study, name)]
        sources = [source for name in asking if not (source := source_class(name)).is_base]
        if sources and not any(fits(constraint, one, family) for one in sources):
            named = sources[0].family or family
            constraint.require_family(family_named(named, run_module=True))


def _shortness(job: Job) -> tuple[bool, bool]:
    """Nobody knows how long a source without PPO takes; a shared run has the most cells."""
    source = source_class(job.kind)
    return bool(source.sections), source.under_constraint
