"""Watching a deployed bundle: verdicts in, an any-time bound on its risk and an alarm out."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from sport_ray.bounds.arguments import require_beta
from sport_ray.bounds.refutation import Wealth, first_alarm
from sport_ray.certificates.promise import REFUTATION_LEVEL
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.monitoring.history import History, Judged, Opened, Promised, Verdict
from sport_ray.deploy.monitoring.log import MOST_EPISODES, Begun, MonitorLog
from sport_ray.deploy.monitoring.promise import Promise, promise_in
from sport_ray.deploy.monitoring.report import MonitorReport, report_of, wealths
from sport_ray.deploy.policy import DeployedPolicy
from sport_ray.errors import UserError

BETA = 1e-3
"""Of the any-time bound, by default."""
Acting = Bundle | DeployedPolicy | Promise | str | Path


class Monitor:
    """The verdicts of one robot's episodes, in a file that survives whatever ends the process.

    ``begin()`` says that an episode begins, ``record(violated)`` how it went; each has been flushed
    to the device when it returns. Whoever is killed in between finds the episode still running, and
    says what is known of it: ``record(None)`` counts as a violation in the bound, and as none in
    the alarm. Episodes are those of one robot, one after another; a second monitor on the same
    file is refused. Threads take turns.

    With confidence 1 − β, at all times together, ``report().anytime`` is at least the average risk
    of the episodes so far, whatever policies acted. It speaks of *this* average alone: the smallest
    value over past looks is no bound on what came after them.

    Args:
        path: the log; made where there is none, else continued.
        bundle: what acts from the next episode on: the folder, or what was loaded from it; or a
            :class:`Promise`. Another one than acted last is an update, which the log names. May be
            left out where the log goes on with the same.
        beta: β, probability that the any-time bound ever fails; by default 0.001.
        false_alarm: γ, probability that promises that are true ever raise an alarm; by default
            10⁻⁶. Both are fixed when the log is made.

    Raises:
        UserError: no bundle for a new log, another β or γ than the log has, a bundle of another
            environment or property, a log that is open elsewhere, or a β or γ out of range.
        Damaged: a log that was altered.
        OSError: the log cannot be written.
    """

    def __init__(
        self, path: str | Path, bundle: Acting | None = None, *,
        beta: float | None = None, false_alarm: float | None = None,
    ) -> None:  # fmt: skip
        self._turn = threading.RLock()
        promise = None if bundle is None else promise_in(bundle)
        self._log = MonitorLog(Path(path))
        try:
            if self._log.history is None:
                self._make(promise, beta, false_alarm)
            self._require_same(beta, false_alarm)
            self._bets = self._bets_anew()
            self._next: Promise | None = None  # what acts from the next episode on, if not written
            if promise is not None and promise != self._history.promise:
                self._require_about_the_same(promise)
                self._next = promise
                if not self._history.running:  # else what is known of it is said before
                    self._write_next()
        except BaseException:
            self._log.close()
            raise

    def _make(self, promise: Promise | None, beta: float | None, false_alarm: float | None) -> None:
        if promise is None:
            raise UserError(f"monitor {self._log.path} is new: say which bundle acts")
        try:
            beta = require_beta("beta", BETA if beta is None else beta)
            level = REFUTATION_LEVEL if false_alarm is None else false_alarm
            level = require_beta("false_alarm", level)
        except ValueError as error:
            raise UserError(str(error)) from None
        opened = Opened(
            name=secrets.token_hex(8),
            beta=beta,
            false_alarm=level,
            env_id=promise.env_id,
            property=promise.property,
            time=_now(),
        )
        first = Promised(episode=1, promise=promise, time=opened.time)
        self._log.replace(History.begin(opened, first))

    def _require_same(self, beta: float | None, false_alarm: float | None) -> None:
        for name, value in (("beta", beta), ("false_alarm", false_alarm)):
            its = getattr(self._history.opened, name)
            if value is not None and value != its:
                raise UserError(
                    f"monitor {self._log.path} was made with {name} {its:g}, not {value!r}: leave "
                    "it out, or begin another log"
                )

    @property
    def _history(self) -> History:
        history = self._log.history
        assert history is not None
        return history

    @property
    def path(self) -> Path:
        """The log."""
        return self._log.path

    @property
    def history(self) -> History:
        """All that was recorded; read-only."""
        return self._history

    @property
    def num_episodes(self) -> int:
        """Episodes with a verdict."""
        return self._history.num_episodes

    @property
    def running(self) -> int | None:
        """The number of the episode that has begun and has no verdict; None if there is none."""
        return self._history.num_episodes + 1 if self._history.running else None

    @property
    def alarm(self) -> int | None:
        """The episode after which the verdicts refuted a promise; None so far. It stays."""
        with self._turn:
            return self._known()[1]

    def _known(self) -> tuple[Wealth, int | None]:
        """What the bets have become, and the alarm; anew where an interrupt left them behind."""
        if self._bets[0].num_episodes != self._history.num_episodes:
            self._bets = self._bets_anew()
        return self._bets

    def _bets_anew(self) -> tuple[Wealth, int | None]:
        wealth, values = wealths(self._history)
        return wealth, first_alarm(values, self._history.opened.false_alarm)

    @property
    def digest(self) -> str:
        """Of the log up to now: kept elsewhere, it shows later that nothing before was altered."""
        return self._history.digest

    def begin(self) -> int:
        """An episode begins, and will count; returns its number, from 1.

        Raises:
            UserError: the one before has no verdict.
            OSError: it could not be written down; then no episode has begun.
        """
        with self._turn:
            history = self._history
            if history.running:
                raise UserError(
                    f"episode {history.num_episodes + 1} has no verdict yet: record(True) or "
                    "record(False), or record(None) where nobody knows"
                )
            if history.num_episodes >= MOST_EPISODES:
                raise UserError(f"monitor {self.path} is full: begin another log")
            self._write_next()
            number = history.num_episodes + 1
            self._log.add(Begun(episode=number), self._history.with_begin())
            return number

    def record(self, violated: bool | None, episode: int | None = None) -> None:
        """The verdict of the running episode; None where nobody knows it.

        Args:
            violated: whether the episode, to its end or to step T, violated the property; not
                having satisfied it by then is a violation where the property says so.
            episode: its number. Given, the call may be repeated: a verdict that is there already
                is not counted again.

        Raises:
            UserError: no episode is running, another one is, or another verdict is there already.
            OSError: it could not be written down; then it was not counted.
        """
        with self._turn:
            verdict = _verdict(violated)
            history = self._history
            next_one = history.num_episodes + 1
            if episode is not None and episode != next_one:
                self._require_there(episode, verdict)
                return
            if not history.running:
                raise UserError(f"episode {next_one} has not begun: begin() comes before record()")
            event = Judged(episode=next_one, verdict=verdict)
            after = history.with_verdict(event)
            wealth, alarm = self._known()
            wealth, value = wealth.after([verdict == "violated"], [history.promise.bound])
            if alarm is None:
                alarm = first_alarm(value, history.opened.false_alarm, history.num_episodes)
            self._log.add(event, after)
            self._bets = wealth, alarm

    def _require_there(self, episode: int, verdict: Verdict) -> None:
        history = self._history
        if not 1 <= episode <= history.num_episodes:
            raise UserError(
                f"episode {episode} cannot be recorded: episode {history.num_episodes + 1} is next"
            )
        if (its := history.verdict(episode)) != verdict:
            raise UserError(f"episode {episode} was recorded as {its}, which stays")

    def update(self, bundle: Acting) -> None:
        """From the next episode on another bundle acts; what was promised of it is what counts.

        A new score of a selection policy, or any other policy under a promise that follows from
        the same certificate's ε_base, costs no confidence; another certificate adds its β.

        Raises:
            UserError: an episode is running, or a bundle of another environment or property.
            OSError: it could not be written down; then nothing has changed.
        """
        promise = promise_in(bundle)
        with self._turn:
            history = self._history
            if history.running:
                raise UserError(
                    f"episode {history.num_episodes + 1} is running: record its verdict before "
                    "another bundle acts"
                )
            self._require_about_the_same(promise)
            self._next = promise
            self._write_next()

    def _require_about_the_same(self, promise: Promise) -> None:
        for name in ("env_id", "property"):
            mine, its = getattr(self._history.opened, name), getattr(promise, name)
            if mine != its:
                raise UserError(
                    f"monitor {self.path} is about the {name} {mine!r}, the bundle about "
                    f"{its!r}: begin another log"
                )

    def _write_next(self) -> None:
        """Write down what is promised from the next episode on, where that is another thing."""
        history = self._history
        if self._next is not None and self._next != history.promise:
            number = history.num_episodes + 1
            event = Promised(episode=number, promise=self._next, time=_now())
            self._log.add(event, history.with_promise(event))
        self._next = None

    def report(self) -> MonitorReport:
        """Bounds and alarm, after all verdicts so far."""
        with self._turn:
            return report_of(self._history, *self._known())

    def close(self) -> str:
        """Let the file go; returns the digest. Opening it again goes on."""
        with self._turn:
            self._log.close()
            return self._history.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a monitor cannot be copied or pickled: one writer a log")


def _verdict(violated: Any) -> Verdict:
    if violated is None:
        return "unknown"
    if isinstance(violated, bool) or type(violated).__name__ == "bool":  # numpy's bool too
        return "violated" if violated else "safe"
    raise UserError(f"violated must be True, False or None, got {violated!r}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
