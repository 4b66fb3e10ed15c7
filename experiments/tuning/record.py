"""What tuning found: its trials, one file each as they end, and the winner in ``tuning.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sport_ray.canonical import digest, write_json
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import with_values
from sport_ray.experiments.config.mistakes import reason
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder, read_model
from sport_ray.experiments.tuning.task import TuningTask

FILE = "tuning.json"
STATUSES = ("finished", "stopped early", "failed")

Status = Literal["finished", "stopped early", "failed"]
Parameters = dict[str, float | int | str]


class TrialRecord(BaseModel):
    """A trial: parameters, and the mean score of its policy over the 'tune' scenarios.

    score, error, env_steps: as judged last; reports: (env_steps, score) of every judgement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: Parameters
    status: Status
    reason: str | None = None
    score: float | None = None
    error: float | None = None
    env_steps: int | None = None
    reports: list[tuple[int, float]] = []
    seconds: float | None = None


class Tuning(BaseModel):
    """What ``tuning.json`` holds: every trial, best first, the winner, and how it was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Any]
    settings_digest: str
    num_trials: int
    winner: Parameters
    trials: list[TrialRecord]
    digest: str = ""

    def content_digest(self) -> str:
        """sha256 of everything but the digest."""
        return digest(self.model_dump(mode="json", exclude={"digest"}))

    def summary(self) -> str:
        """How many trials ended how, and the best score, in a sentence or two."""
        ends = [trial.status for trial in self.trials]
        counts = ", ".join(f"{ends.count(one)} {one}" for one in STATUSES if one in ends)
        best, judged = self.trials[0], self.settings["judged_on"]
        return (
            f"tuned: {counts}. Best {judged['measure'].replace('_', ' ')} {best.score:.4g} "
            f"± {best.error:.2g} (standard error over {judged['num_scenarios']} scenarios of its "
            "own purpose, flattered by the choice)"
        )


class TrialStore:
    """Trials that have ended, one file each, so that an interrupted tuning keeps them.

    ``RESULTS/tuning/<settings>/<parameters>.json``; other settings never find them.
    """

    def __init__(self, folder: StudyFolder, task: TuningTask) -> None:
        self.root = folder.root / "tuning" / task.digest[:16]

    def path(self, parameters: dict[str, Any]) -> Path:
        """Where the trial of these parameters is kept."""
        return self.root / f"{digest(parameters)[:16]}.json"

    def write(self, record: TrialRecord) -> None:
        """Keep a trial."""
        write_json(self.path(record.parameters), record.model_dump(mode="json"))

    def read(self) -> list[TrialRecord]:
        """What is kept and need not run again; a failed trial, or half a file, is tried again."""
        found = []
        for path in sorted(self.root.glob("*.json")):
            try:
                record = TrialRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
            if record.status != "failed" and path == self.path(record.parameters):
                found.append(record)
        return found


def conclude(num_trials: int, task: TuningTask, records: list[TrialRecord]) -> Tuning:
    """Trials in order of their scores, and the best of those that were trained to their end.

    Raises:
        UserError: no trial that ended well.
    """
    sign = 1.0 if task.mode == "min" else -1.0

    def key(record: TrialRecord) -> tuple[int, float, str]:
        score = 0.0 if record.score is None else sign * record.score
        return STATUSES.index(record.status), score, digest(record.parameters)

    ordered = sorted(records, key=key)
    if not ordered or ordered[0].status != "finished":
        failed = [record.reason for record in ordered if record.status == "failed"]
        first = f"; the first failure: {failed[0]}" if failed else ""
        raise UserError(
            f"no trial of the tuning was trained to its end ({len(failed)} of {len(ordered)} "
            f"failed){first}"
        )
    tuning = Tuning(
        settings=task.settings,
        settings_digest=task.digest,
        num_trials=num_trials,
        winner=ordered[0].parameters,
        trials=ordered,
    )
    return tuning.model_copy(update={"digest": tuning.content_digest()})


def write_tuning(folder: StudyFolder, tuning: Tuning) -> None:
    """Write ``tuning.json`` atomically."""
    write_json(folder.root / FILE, tuning.model_dump(mode="json"))


def read_tuning(folder: StudyFolder, task: TuningTask) -> Tuning | None:
    """The folder's tuning, if it is for these settings and as many trials; else None.

    Raises:
        UserError: a file that is damaged or was altered.
    """
    path = folder.root / FILE
    found = read_model(path, Tuning)
    if found is None:
        return None
    if found.digest != found.content_digest():
        raise UserError(f"{path} was altered: delete it and run `sport-ray tune` again")
    assert folder.study.tuning is not None
    same = found.settings_digest == task.digest == digest(found.settings)
    return found if same and found.num_trials == folder.study.tuning.trials else None


def tuned_study(study: Study, tuning: Tuning) -> Study:
    """The study with the winner's parameters in its section ``training``, and all else as it was.

    A section ``unconstrained_training`` is left alone: the winner was found under a constraint.

    Raises:
        UserError: an axis of the sweep that does not go with the winner's parameters.
    """
    point = tuple(sorted(tuning.winner.items()))
    changed = study.model_copy(update={"training": with_values(study.training, point)})
    try:
        return Study.model_validate(changed.model_dump(mode="json"))
    except ValidationError as error:
        raise UserError(
            f"the study does not go with the tuned parameters: {reason(error)}"
        ) from None
