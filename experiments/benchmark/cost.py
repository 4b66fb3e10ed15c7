"""What the benchmark costs in CPU hours: measured where cells have run, estimated elsewhere.

A cell's process has one CPU and one thread, so the seconds of its training and of its evaluation
are CPU seconds. Nothing of it needs a GPU. An estimate is of steps, as if every episode lasted its
whole horizon; what a step takes beside the environment's own time is a constant.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from sport_ray.experiments.benchmark.compose import Part, compose
from sport_ray.experiments.benchmark.pace import pace_of
from sport_ray.experiments.benchmark.suite import ALL_BASES, Suite
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.grid import kinds_of, kinds_to_choose
from sport_ray.experiments.sweep.limit_lists import settings
from sport_ray.experiments.task_policies.source import source_class
from sport_ray.tracking.console import add_columns, narrow_table, say, shown
from sport_ray.tracking.results.folder import ResultFolder

TRAIN_SECONDS = 5e-5
"""Of a step of training in a cohort, beside the environment's: of the point robot's a third."""
ALONE_SECONDS = 10.0
"""Of learning that no cohort shares, beside its steps: 2 to 30 on the tasks that have run."""
STEP_SECONDS = 2e-5
"""Of a step of a scenario, the same."""
HOUR = 3600.0


class Asked(NamedTuple):
    """What a study asks of a source, if every level of risk is in reach."""

    source: str
    trainings: int
    cells: int


def asked_of(study: Study) -> list[Asked]:
    """Trainings and cells of each source of a study."""
    found, seeds = [], len(study.sweep.seeds)
    levels, chosen = len(study.sweep.eps_max or ()), settings(study)
    for name in study.sources:
        source = source_class(name)
        projected = 1 if source.is_base else levels * len(kinds_of(study, name))
        if chosen is not None and not source.is_base:
            kinds = kinds_to_choose(study, name)
            projected += sum(len(chosen.limits.get(kind, chosen.factors)) for kind in kinds)
        free = 0 if source.under_constraint else 1
        trainings = projected if source.under_constraint else 1
        if source.targets_risk:
            free = trainings = levels
        found.append(Asked(name, trainings * seeds, (projected + free) * seeds))
    return found


@dataclass(frozen=True)
class Measured:
    """Seconds that records tell, by task and source: a list of trainings, and one of evaluations.

    spent: all of them, by task, seconds.
    """

    trainings: dict[tuple[str, str], list[float]]
    evaluations: dict[tuple[str, str], list[float]]
    spent: dict[str, float]

    def training(self, task: str, source: str, study: Study, pace: float) -> float:
        """Seconds of one training run: the mean of those that ran, or by its steps."""
        if known := self.trainings.get((task, source)):
            return statistics.fmean(known)
        found = source_class(source)()
        steps = found.steps(found.settings_in(study, ()), _horizon(study))
        alone = ALONE_SECONDS if found.trains and found.why_alone is not None else 0.0
        return alone + steps * (TRAIN_SECONDS + pace)

    def evaluation(self, task: str, source: str, study: Study, pace: float) -> float:
        """Seconds of one cell's evaluation: the same, or that of any source of the task."""
        known = self.evaluations.get((task, source)) or [
            one for (of, _), each in self.evaluations.items() if of == task for one in each
        ]
        if known:
            return statistics.fmean(known)
        return study.evaluation.num_scenarios * _horizon(study) * (STEP_SECONDS + pace)


def _horizon(study: Study) -> int:
    (horizon,) = study.sweep.horizons or [study.certificate.max_horizon]
    return horizon


def measured(root: Path, parts: Iterable[Part]) -> Measured:
    """What the records of these studies tell."""
    trainings: dict[tuple[str, str], list[float]] = defaultdict(list)
    evaluations: dict[tuple[str, str], list[float]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for part in parts:
        policies: set[str] = set()
        for record in _records(root / part.folder):
            key = part.task.name, str(record["source"])
            evaluations[key].append(float(record["eval_seconds"]))
            spent[part.task.name] += float(record["eval_seconds"])
            if record["policy_digest"] not in policies:
                policies.add(record["policy_digest"])
                trainings[key].append(float(record["train_seconds"]))
                spent[part.task.name] += float(record["train_seconds"])
    return Measured(dict(trainings), dict(evaluations), dict(spent))


def _records(root: Path) -> Iterator[dict[str, Any]]:
    folder = ResultFolder(root)
    for cell in folder.recorded():
        record = folder.read_record(cell)
        if record is not None and record["status"] == "finished":
            yield record


def seconds_of(part: Part, known: Measured, pace: float) -> float:
    """CPU seconds of one study from nothing, if every level of risk is in reach.

    pace: seconds of a step of its environment, see ``pace_of``.
    """
    study, task = part.study, part.task.name
    certified = study.certificate.num_scenarios * study.certificate.max_horizon
    total = certified * (STEP_SECONDS + pace)
    if study.base_training is not None and not _ships(study):
        total += study.base_training.env_steps * (TRAIN_SECONDS + pace)
    for source, trainings, cells in asked_of(study):
        total += trainings * known.training(task, source, study, pace)
        total += cells * known.evaluation(task, source, study, pace)
    return total


def _ships(study: Study) -> bool:
    from sport_ray.experiments.stages.base import find_base  # torch takes seconds

    return find_base(study.base, None) is not None


def print_cost(console: Console, suite: Suite, parts: list[Part], root: Path) -> None:
    """CPU hours of the suite at hand and of the full one, by task."""
    known = measured(root, parts)
    asked = {part.task.name: part.task for part in parts}
    full = replace(Suite.of(), tasks=tuple(asked.values()))
    table = narrow_table()
    add_columns(table, "task", "studies", "cells", "has run, h", "as asked, h", "full suite, h")
    totals = [0.0, 0.0, 0.0]
    for task in full.tasks:
        own = [part for part in parts if part.task == task]
        whole = compose(full, task, ALL_BASES[0])
        here = measured(root, []) if suite.tiny else known
        pace = pace_of(whole.study)
        hours = (
            known.spent.get(task.name, 0.0) / HOUR,
            sum(seconds_of(part, known, pace) for part in own) / HOUR,
            len(ALL_BASES) * seconds_of(whole, here, pace) / HOUR,
        )
        cells = sum(one.cells for part in own for one in asked_of(part.study))
        table.add_row(shown(task.title), str(len(own)), str(cells), *(f"{x:.2f}" for x in hours))
        totals = [before + one for before, one in zip(totals, hours, strict=True)]
    table.add_row("all", str(len(parts)), "", *(f"{one:.2f}" for one in totals))
    console.print(table)
    say(
        console,
        "CPU hours, at one thread a cell; no GPU is needed. As measured where cells of a task and "
        f"source lie in {root}; elsewhere estimated, from a step of the environment timed here, as "
        "if every level of risk were in reach and every episode lasted T steps.",
    )
