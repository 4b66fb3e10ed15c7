"""Tuning: one Tune run at one constraint and one T; its trials, its winner, and ``tuning.json``."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from experiments.cells import METHOD_VERSION
from experiments.constraint_axis import constraints_for
from experiments.hyperparameters import Point, drawn, with_values
from experiments.results import ResultFolder
from experiments.study import Study
from experiments.tuning_trial import measure_of, training_seed, tuning_plan
from sport_ray.canonical import digest, write_json
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint
from sport_ray.errors import UserError

FILE = "tuning.json"
SCHEMA = "sport-ray/tuning/1"


Status = Literal["finished", "stopped early", "failed"]


class TrialRecord(BaseModel):
    """A trial: parameters, and the mean score of its policy over the 'tune' scenarios.

    score, error, env_steps: as judged last; reports: (env_steps, score) of every judgement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: dict[str, float | int | str]
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
    winner: dict[str, float | int | str]
    trials: list[TrialRecord]
    digest: str = ""

    def sealed(self) -> Tuning:
        """With the digest over the rest."""
        return self.model_copy(update={"digest": self.content_digest()})

    def content_digest(self) -> str:
        """sha256 of everything but the digest."""
        return digest(self.model_dump(mode="json", exclude={"digest"}))


class Task(BaseModel):
    """What is tuned: the constraint, T, and everything that a trial's score depends on."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    constraint: Constraint
    horizon: int
    settings: dict[str, Any]

    @property
    def settings_digest(self) -> str:
        """sha256 of the settings."""
        return digest(self.settings)

    @property
    def mode(self) -> str:
        """Whether the smallest ("min") or the largest ("max") score is best."""
        return str(self.settings["judged_on"]["mode"])


def tuning_task(study: Study, certificate: Certificate) -> Task:
    """The one constraint and T of the study's tuning, with the settings.

    The number of trials is no setting: more of them add to those there are.

    Raises:
        UserError: an ε_max that cannot be reached, or a study of several T that names none here.
    """
    tuning = study.tuning
    assert tuning is not None
    horizons = [tuning.horizon] if tuning.horizon else study.horizons(certificate)
    if len(horizons) > 1:
        raise UserError(f"tuning.horizon is missing, and the study has several: {horizons}")
    [horizon] = horizons
    alone = study.sweep.model_copy(
        update={
            "constraints": [tuning.constraint],
            "alphas": [tuning.alpha] if tuning.alpha else None,
            "eps_max": [tuning.eps_max] if tuning.eps_max else None,
            "horizons": [horizon],
        }
    )
    [(constraint, _)] = constraints_for(
        study.model_copy(update={"sweep": alone}), certificate, horizon, trained=True
    )
    measure = measure_of(study)
    settings = {
        "schema": SCHEMA,
        "method_version": METHOD_VERSION,
        "base": certificate.base_digest,
        "constraint": constraint.to_json(),
        "training": study.training.model_dump(mode="json"),
        "training_seed": training_seed(study),
        "tuning": tuning.model_dump(mode="json", exclude={"trials"}),
        "env_runners": study.resources.env_runners_per_cell,
        "gpu": study.resources.gpus_per_cell > 0,
        "judged_on": {
            "measure": measure.name,
            "mode": measure.mode,
            "num_scenarios": tuning.num_scenarios,
            **tuning_plan(study, horizon).model_dump(mode="json"),
        },
    }
    return Task(constraint=constraint, horizon=horizon, settings=settings)


class TrialStore:
    """Trials that have ended, one file each, so that an interrupted tuning keeps them.

    ``RESULTS/tuning/<settings>/<parameters>.json``; other settings never find them.
    """

    def __init__(self, folder: ResultFolder, task: Task) -> None:
        self.root = folder.root / "tuning" / task.settings_digest[:16]

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
            except (OSError, ValueError, ValidationError):
                continue
            if record.status != "failed" and path == self.path(record.parameters):
                found.append(record)
        return found


def random_points(study: Study) -> list[Point]:
    """The points of a random search: different ones, the same for ever; more trials add to them.

    Fewer than asked for where lists have no more combinations.
    """
    tuning = study.tuning
    assert tuning is not None
    names = sorted(tuning.parameters)
    streams = [drawn(tuning.seed, name, tuning.parameters[name]) for name in names]
    found: dict[Point, None] = {}
    for values in itertools.islice(zip(*streams, strict=True), 100 * tuning.trials + 10_000):
        found.setdefault(tuple(zip(names, values, strict=True)))
        if len(found) == tuning.trials:
            break
    return list(found)


def conclude(study: Study, task: Task, records: list[TrialRecord]) -> Tuning:
    """Trials in order of their scores, and the best of those that were trained to their end.

    Raises:
        UserError: no trial that ended well.
    """
    assert study.tuning is not None
    sign = 1.0 if task.mode == "min" else -1.0
    status = ("finished", "stopped early", "failed")

    def key(record: TrialRecord) -> tuple[int, float, str]:
        score = 0.0 if record.score is None else sign * record.score
        return status.index(record.status), score, digest(record.parameters)

    ordered = sorted(records, key=key)
    if not ordered or ordered[0].status != "finished":
        failed = [record.reason for record in ordered if record.status == "failed"]
        first = f"; the first failure: {failed[0]}" if failed else ""
        raise UserError(
            f"no trial of the tuning was trained to its end ({len(failed)} of {len(ordered)} "
            f"failed){first}"
        )
    return Tuning(
        settings=task.settings,
        settings_digest=task.settings_digest,
        num_trials=study.tuning.trials,
        winner=ordered[0].parameters,
        trials=ordered,
    ).sealed()


def write_tuning(folder: ResultFolder, tuning: Tuning) -> None:
    """Write ``tuning.json`` atomically."""
    write_json(folder.root / FILE, tuning.model_dump(mode="json"))


def read_tuning(folder: ResultFolder, task: Task) -> Tuning | None:
    """The folder's tuning, if it is for these settings and as many trials; else None.

    Raises:
        UserError: a file that is damaged or was altered.
    """
    path = folder.root / FILE
    try:
        found = Tuning.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is damaged: {reason}; delete it and tune again") from None
    if found.digest != found.content_digest():
        raise UserError(f"{path} was altered: delete it and run `sport-ray tune` again")
    assert folder.study.tuning is not None
    same = found.settings_digest == task.settings_digest == digest(found.settings)
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
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(f"the study does not go with the tuned parameters: {reason}") from None
