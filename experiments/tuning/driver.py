"""The Tune run of a tuning: which parameters are tried, by which search and scheduler."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule
from ray.tune.search import BasicVariantGenerator

from sport_ray.experiments.config.axes import Point, drawn, ends
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.config.tuning import TuningSection
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.trials import TrialEvent, run_trials
from sport_ray.experiments.tuning.record import (
    Status,
    TrialRecord,
    TrialStore,
    Tuning,
    conclude,
    write_tuning,
)
from sport_ray.experiments.tuning.task import TuningTask
from sport_ray.experiments.tuning.trial import TuningTrial, point_of

Listener = Callable[[TrialRecord], None]


def run_tuning(folder: StudyFolder, task: TuningTask, listener: Listener) -> Tuning:
    """Run the trials that are missing and write ``tuning.json``; needs Ray.

    Trials that have ended are kept as files and not run again; one that was running starts anew.

    Raises:
        UserError: more resources asked for than any node has, or no trial that ended well.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM; trials that have ended are kept.
    """
    study, store = folder.study, TrialStore(folder, task)
    tuning = study.tuning
    assert tuning is not None
    records = store.read()
    if tuning.search == "random":
        wanted = [dict(point) for point in random_points(tuning)]
        records = [record for record in records if record.parameters in wanted]
        kept = [record.parameters for record in records]
        points = [point for point in wanted if point not in kept]
        missing, search = len(points), BasicVariantGenerator(points_to_evaluate=points)
    else:
        missing, search = tuning.trials - len(records), _optuna(tuning, records)
    for record in records:
        listener(record)
    began: dict[str, float] = {}

    def hear(event: TrialEvent) -> None:
        now = time.monotonic()
        if event.kind == "started":
            began[event.trial_id] = now
        elif event.kind == "died" or (event.kind == "ended" and event.result):
            seconds = now - began.get(event.trial_id, now)  # a worker may die before it starts
            records.append(_record(study, event, round(seconds, 3)))
            store.write(records[-1])
            listener(records[-1])

    if missing > 0:
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are in the table
        run_trials(
            folder,
            TuningTrial,
            {name: domain(axis) for name, axis in tuning.parameters.items()},
            hear,
            name="tuning",
            metric="score",
            mode=task.mode,
            num_samples=missing,
            search_alg=search,
            scheduler=_scheduler(tuning),
        )
    found = conclude(tuning.trials, task, records)
    write_tuning(folder, found)
    return found


def _record(study: Study, event: TrialEvent, seconds: float) -> TrialRecord:
    """What is kept of a trial; of one that failed, what it reported before."""
    assert study.tuning is not None
    reports = event.result.get("reports", [])
    about = {"parameters": dict(point_of(study, event.config)), "reports": reports}
    if event.kind == "died":
        reason = event.reason or "the worker died"
        return TrialRecord(**about, status="failed", reason=reason, seconds=seconds)
    status: Status = "finished" if len(reports) == study.tuning.judgements else "stopped early"
    last = {name: event.result[name] for name in ("score", "error", "env_steps")}
    return TrialRecord(**about, status=status, seconds=seconds, **last)


def random_points(tuning: TuningSection) -> list[Point]:
    """The points of a random search: different ones, the same for ever; more trials add to them.

    Fewer than asked for where lists have no more combinations.
    """
    names = sorted(tuning.parameters)
    streams = [drawn(tuning.seed, name, tuning.parameters[name]) for name in names]
    found: dict[Point, None] = {}
    for values in itertools.islice(zip(*streams, strict=True), 100 * tuning.trials + 10_000):
        found.setdefault(tuple(zip(names, values, strict=True)))
        if len(found) == tuning.trials:
            break
    return list(found)


def domain(axis: Any) -> Any:
    """An axis as Tune's search space."""
    if isinstance(axis, list):
        return tune.choice(axis)
    kind, low, high = ends(axis)
    return getattr(tune, kind)(low, high)


def _scheduler(tuning: TuningSection) -> Any:
    if tuning.scheduler == "asha":
        return ASHAScheduler(grace_period=1, max_t=tuning.judgements, reduction_factor=2)
    if tuning.scheduler == "median":
        return MedianStoppingRule(
            time_attr="training_iteration", grace_period=1, min_samples_required=3
        )
    return FIFOScheduler()


def _optuna(tuning: TuningSection, kept: list[TrialRecord]) -> Any:
    """Optuna through Tune, told of the trials that are kept.

    Its own generator would begin again with the points of those: the seed follows their number.
    """
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = [record for record in kept if record.score is not None]
    return OptunaSearch(
        seed=int(np.random.SeedSequence([tuning.seed, len(kept)]).generate_state(1)[0]),
        points_to_evaluate=[record.parameters for record in known] or None,
        evaluated_rewards=[record.score for record in known] or None,
    )
