"""One run of Ray Tune, for the sweep and for tuning: reused actors, events, and how it stops."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ray
import torch
from ray import tune
from ray.tune.search import BasicVariantGenerator

from sport_ray.experiments.cluster.imports import actors_in_any_worker, no_usage_statistics
from sport_ray.experiments.cluster.no_compiler import without_compiler
from sport_ray.experiments.cluster.resources import bundles, require_resources, wait_for_room
from sport_ray.experiments.cluster.session import quiet_ray, started_here
from sport_ray.experiments.cluster.signals import (
    ask_to_stop,
    raise_if_asked,
    stopping_between_steps,
)
from sport_ray.experiments.config.copies import concurrent_trials
from sport_ray.experiments.config.redact import public_study
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.disk import DiskFull, is_disk_full, no_room, require_space
from sport_ray.experiments.results.failures import reason_in
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.storage.driver import driver_of
from sport_ray.experiments.storage.nodes import NodeCopy
from sport_ray.policies.threads import one_thread
from sport_ray.tracking.results.folder import ResultFolder

DISK_FULL = "disk_full"
STORE = "store"

Kind = Literal["started", "reported", "retried", "ended", "died"]


class TrialEvent(NamedTuple):
    """What happened to a trial: "retried" is after its worker was lost, "died" is for good.

    "reported" comes with every result, the last one included.

    config: what the trial was given. result: what it reported last. reason: why it died.
    """

    kind: Kind
    trial_id: str
    config: dict[str, Any]
    result: dict[str, Any]
    reason: str | None = None


Listener = Callable[[TrialEvent], None]

_listeners: list[Listener] = []
"""Outside the callback: Tune pickles callbacks, and a listener may hold locks and handles."""


def _go_where_ray_was_started() -> None:
    """Tune goes to a folder of the trial's; files that a study names are relative to the former."""
    before = os.environ.get("TUNE_ORIG_WORKING_DIR")
    if before and Path(before).is_dir():
        os.chdir(before)


@contextmanager
def as_in_a_trial() -> Iterator[None]:
    """One thread, and no compiler: what a trial's process has, so that numbers are the same.

    Ray is not started by whoever calls it: it would be as large as the machine.
    """
    from ray._private import auto_init_hook

    without_compiler()
    before = auto_init_hook.enable_auto_connect
    auto_init_hook.enable_auto_connect = False
    try:
        with one_thread():
            yield
    finally:
        auto_init_hook.enable_auto_connect = before


class _Silent(tune.ProgressReporter):
    """Says nothing: Tune's own clears what a notebook's cell has shown, and shows nothing."""

    def should_report(self, trials: Any, done: bool = False) -> bool:
        return False

    def report(self, trials: Any, done: bool, *about: str) -> None:
        return


class StudyTrial(tune.Trainable):
    """A trial of a study: ``take`` what is to be done, then ``work`` until a result says "done".

    A plain Trainable that owns its Algorithm, instead of the Algorithm as the trial: it is reused
    from trial to trial (``reset_config``), so that imports and first builds are paid once per
    actor, and it reports a few numbers instead of RLlib's hundreds.
    """

    folder: StudyFolder
    copy: NodeCopy | None = None
    _sent: Any = 0

    def take(self, config: dict[str, Any]) -> None:
        """Begin a trial; ``folder`` is its result folder.

        ``copy``: where that is this node's own copy of an object store.
        """
        raise NotImplementedError

    def work(self) -> dict[str, Any]:
        """Do the next portion; what to report."""
        raise NotImplementedError

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial."""
        # Trials fill the cores; threads inside one would only fight over them.
        torch.set_num_threads(1)
        without_compiler()
        quiet_ray()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial; true says that this actor may be reused."""
        self.cleanup()
        _go_where_ray_was_started()
        study = Study.model_validate(json.loads(new_config["study"]))
        self._sent = 0
        root = self._own_copy(new_config.get(STORE)) or Path(new_config["results"])
        self.folder = StudyFolder(root, study)
        self.take(new_config)
        return True

    def _own_copy(self, told: str | None) -> Path | None:
        """The folder of this node's copy of an object store; None where the driver's is here."""
        if told is None:
            return None
        node = ray.get_runtime_context().get_node_id()
        if not NodeCopy.needed(told, node):
            return None
        if self.copy is None or self.copy.told != told:
            self.copy = NodeCopy(told, node)
        return self.copy.root

    def step(self) -> dict[str, Any]:
        """Do the next portion.

        A full disk is reported rather than raised: Tune would try again, and write of it on disk.
        """
        try:
            told = self.work()
            if self.copy is not None and (told.get("done") or told.get("ended") != self._sent):
                self.copy.send()  # before the driver is told
                self._sent = told.get("ended")
            return told
        except Exception as error:
            if not is_disk_full(error):
                raise
            return {DISK_FULL: True, "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: files are the state. Without this method actors are silently not reused."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing to load."""


class _Announce(tune.Callback):
    """Passes what Tune reports on to the listeners of this process, and Ctrl-C on to Tune."""

    def on_step_begin(self, **info: Any) -> None:
        raise_if_asked()

    def on_trial_start(self, trial: Any, **info: Any) -> None:
        _announce("started", trial)

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if not result.get(DISK_FULL):
            _announce("reported", trial, result=result)

    def on_trial_recover(self, trial: Any, **info: Any) -> None:
        if not _stops_on_full_disk(trial):
            _announce("retried", trial)

    def on_trial_complete(self, trial: Any, **info: Any) -> None:
        if trial.last_result.get(DISK_FULL):  # no failure of the study's
            ask_to_stop(no_room(Path(trial.config["results"])))
        else:
            _announce("ended", trial)

    def on_trial_error(self, trial: Any, **info: Any) -> None:
        if not _stops_on_full_disk(trial):
            _announce("died", trial, _reason(trial))


def _announce(
    kind: Kind, trial: Any, reason: str | None = None, result: dict[str, Any] | None = None
) -> None:
    told = result or trial.last_result or {}
    for listener in _listeners:
        listener(TrialEvent(kind, trial.trial_id, trial.config, told, reason))


def _stops_on_full_disk(trial: Any) -> bool:
    """Tune's own writing fails as a trial's error, and would fail the next one as well."""
    try:
        require_space(*ResultFolder(Path(trial.config["results"])).places)
    except DiskFull as error:
        ask_to_stop(error)
        return True
    return False


def _reason(trial: Any) -> str | None:
    """What a trial raised, with its cause, as Tune has just written it down on this machine.

    Its ``get_error`` looks in the storage, where the file comes later.
    """
    try:
        trace = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return None
    said = reason_in(trace) or "".join(
        trace.strip().splitlines()[-1:]
    )  # a lost worker raises nothing
    return said.partition(" Worker exit detail:")[0].strip() or None  # what Ray guesses is long


def run_trials(
    folder: StudyFolder,
    trainable: type[StudyTrial],
    space: dict[str, Any],
    listener: Listener,
    *,
    name: str,
    max_failures: int = 0,
    **settings: Any,
) -> None:
    """Run all trials of a search space to their ends; needs Ray.

    name: of the folder in which Tune keeps what is never read back. max_failures: how often a trial
    is run again whose worker was lost. settings: of ``tune.TuneConfig``.

    Raises:
        UserError: a trial that asks for more than any node has.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM.
    """
    study = folder.study
    needs = bundles(study)
    no_usage_statistics()
    if started_here():
        actors_in_any_worker()
    wait_for_room(lambda: require_resources(needs), needs, study.resources.wait_for_nodes_seconds)
    # The study as text: Tune looks into mappings for search spaces of its own. It is written down.
    shared = {"study": json.dumps(public_study(study)), "results": str(folder.root)}
    at_once, search = concurrent_trials(study.environment), settings.get("search_alg")
    if isinstance(search, BasicVariantGenerator):  # of this one Tune would ignore the limit
        search.max_concurrent, at_once = at_once or 0, None
    driver = driver_of(folder.root)
    if driver is not None:  # workers of other nodes have copies of their own
        node = ray.get_runtime_context().get_node_id()
        shared[STORE] = driver.told_to_workers(folder.root, node)
        driver.flush()
    tuner = tune.Tuner(
        tune.with_resources(trainable, tune.PlacementGroupFactory(needs)),
        param_space=shared | space,
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=at_once,
            trial_dirname_creator=lambda trial: f"trial-{trial.trial_id}",
            **settings,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(folder.tune),
            failure_config=tune.FailureConfig(max_failures=max_failures),
            # Tune would write one of each trial from its node into the driver's folder.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False if driver else None),
            callbacks=[_Announce()],
            verbose=0,
            progress_reporter=_Silent(),
        ),
    )
    _listeners.append(listener)
    try:
        with stopping_between_steps():
            tuner.fit()
        raise_if_asked()
        if driver is not None:
            driver.catch_up()
    except Exception as error:  # on a full disk Tune fails in ways that hide it
        require_space(*folder.places)
        if is_disk_full(error):
            raise no_room(folder.root) from None
        raise
    finally:
        _listeners.remove(listener)
