"""Whose fault a failure is: the machine's, to be tried again, or the study's, to be told."""

from __future__ import annotations

import errno

import pytest
from ray.exceptions import ActorDiedError, NodeDiedError, RayTaskError, WorkerCrashedError

from sport_ray.experiments.sweep.job import is_of_the_machine


@pytest.mark.parametrize(
    "error",
    [
        ActorDiedError(),
        NodeDiedError("gone"),
        WorkerCrashedError(),
        OSError(errno.ENOSPC, "No space left on device"),
        RayTaskError("sample", "traceback", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_the_machines(error: Exception) -> None:
    assert is_of_the_machine(error)


@pytest.mark.parametrize(
    "error",
    [
        ArithmeticError("diverged"),
        OSError(errno.EACCES, "Permission denied"),
        RayTaskError("sample", "traceback", ValueError("an environment raised")),
    ],
)
def test_the_studys(error: Exception) -> None:
    assert not is_of_the_machine(error)
    if isinstance(error, RayTaskError):  # as RLlib's callers see it
        assert not is_of_the_machine(error.as_instanceof_cause())
