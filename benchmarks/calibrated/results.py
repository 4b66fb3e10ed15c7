"""Repetitions on disk, what they add up to, and the tables of docs/bounds.md."""

from __future__ import annotations

import json
import math
import os
import statistics
from pathlib import Path
from typing import NamedTuple

from scipy import stats

from benchmarks.calibrated.registry import BETA, Calibration, Trial

ALARM = 0.01
"""Chance that a sound set of bounds is called unsound, all of them together."""
CAUGHT = 1e-3
"""Level at which a control's failures have to be above β."""
Trials = dict[int, Trial]


class Results:
    """The repetitions in a file, a line for each block; what was made by other code is ignored."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.seed = path, seed
        self._known: dict[tuple[str, bool, str], Trials] = {}
        whole = path.read_bytes() if path.exists() else b""
        for line in whole.splitlines():
            self._read(line)
        if whole and not whole.endswith(b"\n"):  # killed within a line
            self._append(b"\n")

    def of(self, calibration: Calibration, wrong: bool) -> Trials:
        """By index of the repetition."""
        return self._known.setdefault((calibration.name, wrong, calibration.fingerprint()), {})

    def add(self, calibration: Calibration, wrong: bool, trials: Trials) -> None:
        """Keep these, on disk too."""
        self.of(calibration, wrong).update(trials)
        record = {
            "name": calibration.name,
            "wrong": wrong,
            "code": calibration.fingerprint(),
            "seed": self.seed,
            "trials": [[index, *trial] for index, trial in trials.items()],
        }
        self._append(json.dumps(record).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _read(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            if record["seed"] != self.seed:
                return
            key = record["name"], record["wrong"], record["code"]
            trials = {index: Trial(bound, truth) for index, bound, truth in record["trials"]}
        except (ValueError, KeyError, TypeError):  # half a line
            return
        self._known.setdefault(key, {}).update(trials)


class Summary(NamedTuple):
    """How often a bound failed.

    low, high: Clopper and Pearson's 95% interval of its failure probability. ratio: median of
    bound over truth. refused: how often nothing was claimed.
    """

    repeats: int
    failed: int
    refused: int
    low: float
    high: float
    ratio: float

    @property
    def rate(self) -> float:
        return self.failed / self.repeats

    def above(self, level: float) -> bool:
        """Whether the failure probability is above β, with confidence 1 − level."""
        test = stats.binomtest(self.failed, self.repeats, BETA, alternative="greater")
        return bool(test.pvalue < level)


def summary(calibration: Calibration, trials: Trials) -> Summary:
    """Of at least one repetition; one that was refused claimed nothing, and did not fail."""
    failed = sum(calibration.failed(trial) for trial in trials.values())
    interval = stats.binomtest(failed, len(trials)).proportion_ci(0.95, method="exact")
    claimed = [trial for trial in trials.values() if trial.bound is not None]
    ratios = [t.bound / t.truth if t.truth else math.inf for t in claimed]
    ratio = statistics.median(ratios) if ratios else math.nan
    refused = len(trials) - len(claimed)
    return Summary(len(trials), failed, refused, float(interval.low), float(interval.high), ratio)


class Row(NamedTuple):
    """A bound and its control."""

    calibration: Calibration
    sound: Summary
    control: Summary


def table(rows: list[Row]) -> str:
    """As Markdown: how often each bound failed, and how often its control did."""
    lines = [
        "| bound | section | repeats | failed | rate, 95% interval | median bound/truth "
        "| control failed |",
        "| -- | -- | -- | -- | -- | -- | -- |",
    ]
    for row in rows:
        sound, control = row.sound, row.control
        refused = f", {sound.refused:,} without a claim" if sound.refused else ""
        lines.append(
            f"| {row.calibration.name} | {row.calibration.section} | {sound.repeats:,}{refused} "
            f"| {sound.failed} | {sound.rate:.3f} ({sound.low:.3f}–{sound.high:.3f}) "
            f"| {sound.ratio:.2f} | {control.failed:,} of {control.repeats:,} |"
        )
    return "\n".join(lines)


def problems(calibrations: list[Calibration]) -> str:
    """As Markdown: what each bound is held against, and what its control does wrong."""
    lines = ["| bound | what it is held against | its control |", "| -- | -- | -- |"]
    lines += [f"| {one.name} | {one.problem} | {one.control} |" for one in calibrations]
    return "\n".join(lines)


def complaints(rows: list[Row]) -> list[str]:
    """A line for every bound that fails above β, and for every control that is not caught."""
    found = []
    for row in rows:
        name, sound, control = row.calibration.name, row.sound, row.control
        if sound.above(ALARM / len(rows)):
            found.append(
                f"{name}: failed {sound.failed} of {sound.repeats} times, above β = {BETA}"
            )
        if not control.above(CAUGHT):
            found.append(
                f"{name}: its control is not caught, {control.failed} of {control.repeats} failed"
            )
    return found
