"""A failure keeps its cause, whatever was wrapped around it, and no secret."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable

import pytest
from ray.exceptions import RayTaskError

from sport_ray.experiments.results.failures import (
    LONGEST_REASON,
    reason_in,
    reason_of,
    traceback_text,
)


def caught(raise_it: Callable[[], object]) -> BaseException:
    try:
        raise_it()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def the_cause() -> None:
    raise ValueError("solver did not converge\n at step 6")


def as_rllib_does() -> None:
    """As ``EnvRunner._try_env_step``, and Tune's ``Trainable.train`` around it."""
    try:
        the_cause()
    except Exception as error:
        raise RuntimeError from error


def twice() -> None:
    try:
        as_rllib_does()
    except Exception:
        raise RuntimeError("") from None


def with_words_of_its_own() -> None:
    try:
        the_cause()
    except Exception as error:
        raise KeyError("policy 'x' is unknown") from error


def bare_assert() -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (the_cause, "ValueError: solver did not converge at step 6"),
        (as_rllib_does, "ValueError: solver did not converge at step 6"),
        (twice, "ValueError: solver did not converge at step 6"),
        (with_words_of_its_own, "KeyError: \"policy 'x' is unknown\""),
        (bare_assert, "in bare_assert: raise AssertionError"),
    ],
)
def test_the_first_exception_that_says_anything(raised: Callable[[], None], reason: str) -> None:
    error = caught(raised)
    assert reason in reason_of(error)
    assert raised.__name__ in traceback_text(error)


def test_of_a_remote_task_the_cause_behind_an_empty_wrapper() -> None:
    error = caught(as_rllib_does)
    text = "".join(traceback.format_exception(error))
    bare = pickle.loads(pickle.dumps(error))
    assert bare.__cause__ is None
    remote = RayTaskError("sample", f"ray::sample()\n{text}", bare)
    assert reason_of(remote) == "ValueError: solver did not converge"
    assert reason_of(remote.as_instanceof_cause()) == "ValueError: solver did not converge"


def test_of_a_group_its_members_where_it_says_nothing() -> None:
    class Silent(ExceptionGroup[Exception]):
        def __str__(self) -> str:
            return ""

    assert reason_of(Silent("-", [RuntimeError(), ValueError("the second")])) == (
        "ValueError: the second"
    )


def test_from_the_text_of_a_traceback() -> None:
    text = "".join(traceback.format_exception(caught(as_rllib_does)))
    assert reason_in(text) == "ValueError: solver did not converge"
    assert reason_in("Traceback (most recent call last):\n  File\nRuntimeError\n") == "RuntimeError"
    assert reason_in("") == reason_in("Nothing, of the kind") == ""


def test_a_chain_that_turns_in_a_circle_ends() -> None:
    one, other = RuntimeError(), RuntimeError()
    one.__cause__, other.__cause__ = other, one
    assert reason_of(one).startswith("RuntimeError")


def test_an_exception_without_a_usable_text() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise TypeError("no")

    assert reason_of(Rude("kept")) == "Rude: ('kept',)"


def test_neither_secrets_nor_controls_nor_novels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://bob:hush-3f9c@h:5000")
    error = RuntimeError("\x1b[2J no answer from http://bob:hush-3f9c@h:5000 (bob, hush-3f9c)")
    assert "hush" not in reason_of(error) + traceback_text(error)
    assert "\x1b" not in reason_of(error)
    assert len(reason_of(RuntimeError("x" * 10**6))) == LONGEST_REASON
    assert reason_of(RuntimeError("half \ud800 a pair")) == "RuntimeError: half a pair"
