"""The Tune run of a tuning: search algorithm, scheduler, and trials kept as they end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune

from experiments.copies import concurrent_trials
from experiments.failures import reason_in
from experiments.hyperparameters import KINDS
from experiments.public import public_study
from experiments.results import ResultFolder
from experiments.room import wait_for_room
from experiments.runtime import quiet_ray
from experiments.stopping import raise_if_asked, stopping_between_steps
from experiments.study import Study
from experiments.sweep import _bundles, _require_resources
from experiments.tuning import (
    Status,
    Task,
    TrialRecord,
    TrialStore,
    Tuning,
    conclude,
    random_points,
    write_tuning,
)
from experiments.tuning_trial import TuningTrial, point_of
from sport_ray.errors import UserError

Listener = Callable[[TrialRecord], None]

_books: list[_Book] = []
"""Outside the callback: Tune pickles callbacks, and a listener may hold locks and handles."""


class _Book:
    """What is known of the running trials; writes each down as it ends."""

    def __init__(self, study: Study, store: TrialStore, listener: Listener | None) -> None:
        self.study, self.store, self.listener = study, store, listener
        self.ended: dict[str, TrialRecord] = {}
        self._began: dict[str, float] = {}
        self._reports: dict[str, list[dict[str, Any]]] = {}

    def start(self, trial: Any) -> None:
        self._began[trial.trial_id] = time.monotonic()

    def report(self, trial: Any, result: dict[str, Any]) -> None:
        kept = {name: result[name] for name in ("score", "error", "env_steps")}
        self._reports.setdefault(trial.trial_id, []).append(kept)

    def end(self, trial: Any, error: str | None = None) -> None:
        reports = self._reports.get(trial.trial_id, [])
        if trial.trial_id in self.ended or not (reports or error):
            return
        assert self.study.tuning is not None
        whole = len(reports) >= self.study.tuning.judgements
        status: Status = "failed" if error else "finished" if whole else "stopped early"
        record = TrialRecord(
            parameters=dict(point_of(self.study, trial.config)),
            status=status,
            reason=error,
            reports=[(one["env_steps"], one["score"]) for one in reports],
            seconds=round(time.monotonic() - self._began.get(trial.trial_id, time.monotonic()), 3),
            **(reports[-1] if reports and not error else {}),
        )
        self.ended[trial.trial_id] = record
        self.store.write(record)
        if self.listener is not None:
            self.listener(record)


class _Keep(tune.Callback):
    """Passes what Tune reports on to the book of this process, and Ctrl-C on to Tune."""

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        raise_if_asked()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for book in _books:
            book.start(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        for book in _books:
            book.report(trial, result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for book in _books:
            book.end(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for book in _books:
            book.end(trial, _reason(trial))


def _reason(trial: Any) -> str:
    """What a trial raised, from its traceback as Tune has just written it down here.

    Its ``get_error`` looks in the storage, where the file comes later.
    """
    try:
        trace = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        trace = ""
    return reason_in(trace) or "the worker died"


def require_search(study: Study) -> None:
    """Refuse a search algorithm whose package is not installed.

    Raises:
        UserError: with what to install.
    """
    if study.tuning is None or study.tuning.search != "optuna":
        return
    try:
        import optuna
    except ImportError:
        raise UserError(
            "tuning.search = 'optuna', which is not installed: pip install 'sport-ray[tuning]', "
            "or set it to random"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def run_tuning(folder: ResultFolder, task: Task, listener: Listener | None = None) -> Tuning:
    """Run the trials that are missing and write ``tuning.json``; needs Ray.

    Trials that have ended are kept as files and not run again; one that was running starts anew.

    Raises:
        UserError: more resources asked for than any node has, a package that is missing, or no
            trial that ended well.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM; trials that have ended are kept.
    """
    study = folder.study
    assert study.tuning is not None
    require_search(study)
    store = TrialStore(folder, task)
    kept = store.read()
    if study.tuning.search == "random":
        wanted = [dict(point) for point in random_points(study)]
        kept = [record for record in kept if record.parameters in wanted]
        points = [one for one in wanted if one not in [record.parameters for record in kept]]
        missing = len(points)
    else:
        points, missing = [], study.tuning.trials - len(kept)
    for record in kept:
        if listener is not None:
            listener(record)
    book = _Book(study, store, listener)
    if missing > 0:
        wait_for_room(
            lambda: _require_resources(folder),
            _bundles(folder),
            study.resources.wait_for_nodes_seconds,
        )
        _books.append(book)
        try:
            quiet_ray()
            logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are in the table
            with stopping_between_steps():
                _tuner(folder, task, kept, points, missing).fit()
            raise_if_asked()
        finally:
            _books.remove(book)
    tuning = conclude(study, task, [*kept, *book.ended.values()])
    write_tuning(folder, tuning)
    return tuning


def _tuner(
    folder: ResultFolder,
    task: Task,
    kept: list[TrialRecord],
    points: list[dict[str, Any]],
    missing: int,
) -> tune.Tuner:
    tuning = folder.study.tuning
    assert tuning is not None
    # As text: Tune looks into mappings for search spaces of its own.
    shared = json.dumps(
        {
            "study": public_study(folder.study),
            "results": str(folder.root),
            "constraint": task.constraint.to_json(),
            "horizon": task.horizon,
        }
    )
    space: dict[str, Any] = {"task": shared}
    search = None
    if tuning.search == "random":
        space["point"] = tune.grid_search(points)
    else:
        domains = {name: domain(axis) for name, axis in tuning.parameters.items()}
        search = _optuna(domains, task, kept, tuning.seed)
    return tune.Tuner(
        tune.with_resources(TuningTrial, tune.PlacementGroupFactory(_bundles(folder))),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="score",
            mode=task.mode,
            num_samples=1 if search is None else missing,
            search_alg=search,
            scheduler=_scheduler(tuning.scheduler, tuning.judgements),
            reuse_actors=True,
            max_concurrent_trials=concurrent_trials(folder.study.environment),
            trial_dirname_creator=lambda trial: f"trial-{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="tuning",
            storage_path=str(folder.root / ".tune"),
            stop={"training_iteration": tuning.judgements},
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[_Keep()],
            verbose=0,
        ),
    )


def domain(axis: Any) -> Any:
    """An axis as Tune's search space."""
    if isinstance(axis, list):
        return tune.choice(axis)
    [(kind, (low, high))] = [(key, axis[key]) for key in KINDS if key in axis]
    return getattr(tune, kind)(low, high)


def _scheduler(name: str, judgements: int) -> Any:
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule

    if name == "asha":
        return ASHAScheduler(grace_period=1, max_t=judgements, reduction_factor=2)
    if name == "median":
        return MedianStoppingRule(
            time_attr="training_iteration", grace_period=1, min_samples_required=3
        )
    return FIFOScheduler()


def _optuna(domains: dict[str, Any], task: Task, kept: list[TrialRecord], seed: int) -> Any:
    """Optuna through Tune, told of the trials that are kept.

    Its own generator would begin again with the points of those: the seed follows their number.
    """
    from ray.tune.search.optuna import OptunaSearch

    known = [record for record in kept if record.score is not None]
    return OptunaSearch(
        space=OptunaSearch.convert_search_space(domains),
        metric="score",
        mode=task.mode,
        seed=int(np.random.SeedSequence([seed, len(kept)]).generate_state(1)[0]),
        points_to_evaluate=[record.parameters for record in known] or None,
        evaluated_rewards=[record.score for record in known] or None,
    )
