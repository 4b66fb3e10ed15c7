"""The driver of Tune: what a trial makes of an error, and what is told of a trial that died."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sport_ray.experiments.sweep.trials import (
    DISK_FULL,
    StudyTrial,
    _go_where_ray_was_started,
    _reason,
)


class Raising(StudyTrial):
    def __init__(self, error: Exception) -> None:  # not Tune's: no trial is set up
        self.error = error

    def work(self) -> dict[str, Any]:
        raise self.error


def test_a_full_disk_is_reported_and_any_other_error_raised():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert Raising(full).step() == {DISK_FULL: True, "done": True}
    wrapped = RuntimeError("could not write")
    wrapped.__cause__ = full
    assert Raising(wrapped).step()[DISK_FULL]
    with pytest.raises(ArithmeticError, match="diverged"):
        Raising(ArithmeticError("training diverged")).step()


def test_a_trial_runs_where_the_study_was_started(tmp_path, monkeypatch):
    """Files that its arguments name are relative to that folder, in cells as when certifying."""
    started, trial = tmp_path / "started", tmp_path / "trial"
    for folder in (started, trial):
        folder.mkdir()
    monkeypatch.chdir(trial)  # as Tune does
    _go_where_ray_was_started()
    assert Path.cwd() == trial
    monkeypatch.setenv("TUNE_ORIG_WORKING_DIR", str(started))
    _go_where_ray_was_started()
    assert Path.cwd() == started
    monkeypatch.setenv("TUNE_ORIG_WORKING_DIR", str(tmp_path / "gone"))
    _go_where_ray_was_started()
    assert Path.cwd() == started


def test_why_a_trial_died_is_the_last_line_of_its_error(tmp_path):
    path = tmp_path / "error.txt"
    path.write_text("Failure # 1\nTraceback …\n  File …\nValueError: no such lr\n\n")
    assert _reason(SimpleNamespace(error_file=str(path))) == "ValueError: no such lr"
    path.write_text("Failure # 3\nThe actor died. Worker exit type: X Worker exit detail: (1) …")
    assert _reason(SimpleNamespace(error_file=str(path))) == "The actor died. Worker exit type: X"
    assert _reason(SimpleNamespace(error_file=None)) is None
    assert _reason(SimpleNamespace(error_file=str(tmp_path / "none"))) is None
