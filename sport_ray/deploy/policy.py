"""The deployed policy: samples from the projected task policy, carries the budget, keeps a log."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_log import SCHEMA, AuditLog
from sport_ray.deploy.bundle import Bundle, read_bundle
from sport_ray.deploy.guard import BeyondPromise, Guard, GuardState, OnBreach, OnOutside
from sport_ray.deploy.one_call_at_a_time import Turn
from sport_ray.deploy.seeds import Seed, seed_words, stream
from sport_ray.deploy.step import Played, StepRecord, draw
from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Draws, Step
from sport_ray.text import plain
from sport_ray.view import View

Array = NDArray[np.float64]
CUT = "a call was cut short"


class DeployedPolicy:
    """A task policy under its constraint, as it was evaluated; see :func:`load`.

    ``reset(seed)`` begins an episode, ``act(observation)`` gives its next action, ``end()`` says
    that it is over. ``last`` is the record of the last step. Threads take turns; a copy or a forked
    process would spend the same budget, and draw the same noise, twice, so there is none. What its
    attributes give is read-only or a copy.

    A call that was cut short (an interrupt, a full disk) gave no action. The episode is then in
    breach: the next call takes back what there is of a line, writes the breach, and only then acts
    on; what it draws comes from a stream of its own, since nobody knows what was drawn.
    """

    def __init__(
        self, bundle: Bundle, on_breach: OnBreach, log: AuditLog | None,
        outside: OnOutside = "refuse",
    ) -> None:  # fmt: skip
        self._bundle = bundle
        self._guard = Guard(bundle.horizon, bundle.bounds, on_breach, outside, bundle.flattening)
        self._last: StepRecord | None = None
        self._log = log
        self._actors = [part.behaviours() for part in bundle.each]
        self._keep_to(0)
        self._memory: Array | None = bundle.first_memory()
        self._words: tuple[int, ...] = ()
        self._used: set[int] = set()
        self._stream = 0
        self._owed: str | None = None  # a breach that is to be written before anything acts
        self._ended = False
        self._turn = Turn()
        if log is not None:
            log.write("open", schema=SCHEMA, bundle=bundle.digest, horizon=bundle.horizon,
                      **_drawn_from(bundle.each[0]),
                      constraint=bundle.manifest["constraint"], promise=bundle.promise,
                      on_breach=on_breach, outside=outside, damage=bundle.damage,
                      **_parts_of(bundle))  # fmt: skip

    @property
    def bundle(self) -> Bundle:
        """What it was loaded from; read-only."""
        return self._bundle

    @property
    def promise(self) -> dict[str, Any]:
        """What is promised of one episode: bound, β, theorem, and for which world; a copy."""
        return self._bundle.promise

    def view(self) -> View:
        """What is promised and what it rests on, as text and HTML."""
        from sport_ray.deploy.view import promise_view

        return promise_view(self._bundle)

    def _repr_html_(self) -> str:
        return self.view().html()

    @property
    def left(self) -> float:
        """What is left of the episode's budget; inf for a constraint without one."""
        return float(self._state[0, 0]) if self._state.size else math.inf

    @property
    def part(self) -> int | None:
        """Which part of a mixture the episode keeps to; None where there is but one policy."""
        return self._part if self._bundle.parts else None

    @property
    def guard(self) -> GuardState:
        """What the guard knows now."""
        state = self._guard.state()
        if state.running and state.breach is None and self._turn.was_cut():
            return state._replace(breach=CUT)
        return state

    @property
    def last(self) -> StepRecord | None:
        """The last step of this episode, in copies."""
        if self._last is None:
            return None
        names = ("chosen", "base", "drawn", "action")
        return self._last._replace(**{name: getattr(self._last, name).copy() for name in names})

    @property
    def _closed(self) -> bool:
        return self._ended or (self._log is not None and self._log.closed)

    def reset(self, seed: Seed = None) -> None:
        """Begin an episode: a whole budget, and actions drawn from a stream of this seed alone.

        None takes fresh entropy of the operating system, which is what the promise is about: a
        seed used twice, or picked by looking at what it does, is no random draw. The seed may be
        the environment's: a spawn key keeps the two streams apart. The episode before ends, too if
        the seed is refused.

        Raises:
            UserError: a seed that is none.
            BeyondPromise: in a forked process, from within another call, or after ``close``.
            OSError: the log cannot be written; then no episode has begun.
        """
        self._turn.require_process()
        with self._turn.lock:
            self._begin(sys._getframe())
            self._guard.stop()
            self._finish("reset")
            try:
                words = seed_words(seed)
            except UserError:
                self._turn.done()
                raise
            part = self._bundle.drawn(words)
            if self._log is not None:
                drawn = {} if part is None else {"part": part}
                self._log.write("reset", episode=self._log.episode + 1, seed=list(words), **drawn)
            self._words, self._stream, self._random = words, 0, stream(words, 0)
            self._keep_to(part or 0)
            self._last = None
            self._memory = self._bundle.first_memory()
            self._guard.start()
            again = seed is not None and hash(words) in self._used
            if seed is not None:
                self._used.add(hash(words))
            self._turn.done()
        if again:
            warnings.warn(
                "reset: this seed began an episode before, whose noise is drawn again: no fresh "
                "draw, which the promise is about; reset() takes fresh entropy",
                stacklevel=2,
            )

    def _keep_to(self, part: int) -> None:
        """An episode's constraint, with a whole budget, and who acts: a mixture's part, or all."""
        self._part = part
        self._rule = self._bundle.each[part].rule
        self._base, self._task = self._actors[part]
        self._state = self._rule.start(1)

    def act(self, observation: Any) -> NDArray[Any] | int:
        """The next action (D,), as the plain environment's ``step`` takes it; a fresh array.

        An int for a Discrete space.

        Raises:
            BeyondPromise: more than T steps, another episode without ``reset``, an observation
                that is not finite, has another shape or lies outside of the observation space, a
                drawn action whose charge the budget does not cover, or a log that cannot be
                written; with ``on_breach="base"`` the base policy acts in the first two cases, with
                ``outside="base"`` on an observation that lies outside.
        """
        self._turn.require_process()
        with self._turn.lock:
            self._begin(sys._getframe())
            try:
                action = self._act(observation)
            except BeyondPromise:
                self._turn.done()
                raise
            except OSError as error:
                # The turn is not done: a breach, which is owed to the log.
                raise BeyondPromise(
                    f"{plain(error)}: no action without its line; make room and call reset()"
                ) from None
            self._turn.done()
            return action

    def _act(self, observation: Any) -> NDArray[Any] | int:
        guard, bundle = self._guard, self._bundle
        try:
            seen = guard.observe(observation)
            may_task = guard.admit()
            if self._memory is None:
                raise guard.refuse("what the base remembers is not known after that: call reset()")
            draws = self._draw(seen)
            played, step = self._distributions(seen, may_task, draws)
        except BeyondPromise as error:
            self._write_breach(str(error))
            raise
        try:
            record = draw(self._rule, guard.steps, played, step, draws.noise, self._state,
                          guard.breach is None)  # fmt: skip
            action = bundle.action(record.action)
            line = {} if self._log is None else record.fields(seen)
        except ArithmeticError as error:
            self._next_stream()  # what was drawn has had its say
            refused = guard.refuse(f"the step drawn cannot be charged: {error}")
            self._write_breach(str(refused))
            raise refused from None
        if self._log is not None:
            breach = {} if guard.breach is None else {"breach": guard.breach}
            self._log.write("step", episode=self._log.episode, **line, **breach)
        self._state, self._last = np.array([record.state]), record
        self._memory = self._memory if step.memory is None else step.memory
        guard.steps += 1
        return action

    def _draw(self, seen: Array) -> Draws:
        """What chance gives at an observation (O,): noise, and candidates where one is chosen.

        Whoever acts in this step, the task policy or the base, draws the same, so that an audit
        that draws again stays in step. What comes of it is decided afterwards.

        Raises:
            BeyondPromise: no candidates: the sampler failed, or the base policy is not finite.
        """
        actor = self._base if self._task is None else self._task
        try:
            return actor.draw(seen[None], [self._random])
        except ValueError as error:
            raise self._refuse_drawn(error) from None

    def _distributions(self, seen: Array, may_task: bool, draws: Draws) -> tuple[Played, Step]:
        """What to sample from at an observation (O,), and whose it is.

        Where the task policy gives no step, the base's is taken *with the same draws*. Of a
        policy itself the noise has had no say by then. Of candidates, whether the score fails may
        depend on them; so others drawn in their place would favour some, beyond what the ratio
        bounds. A uniform index of the same ones has the ratio 1 whatever they are, and the number
        that it is drawn with has had no say either.

        Raises:
            BeyondPromise: the base policy's distribution is not finite there.
        """
        if may_task and self._task is not None:
            try:
                taken = np.array([self._guard.steps])
                return "task", self._task.step(seen[None], self._episode(), draws, taken)
            except (ArithmeticError, ValueError):
                pass  # it cannot be shown to be within: the base policy's step
        try:
            return "base", self._base.step(seen[None], self._episode(), draws)
        except ValueError as error:
            raise self._refuse_drawn(error) from None

    def _episode(self) -> Array:
        """What the episode carries, (1, S + M): the budget, and what a base remembers."""
        assert self._memory is not None
        return np.concatenate([self._state, self._memory], axis=1)

    def _refuse_drawn(self, error: ValueError) -> BeyondPromise:
        """Refuse a step for which something was drawn: that is never used again."""
        self._next_stream()
        return self._guard.refuse(f"the base policy gives no action here: {error}")

    def end(self) -> None:
        """Say that the episode is over, so that acting on is refused."""
        self._turn.require_process()
        with self._turn.lock:
            self._begin(sys._getframe())
            self._guard.end()
            self._finish("end")
            self._turn.done()

    def close(self) -> str | None:
        """End the episode and the log; returns the log's digest. Nothing acts from then on.

        Raises:
            OSError: the log cannot be written; make room and close it again.
        """
        self._turn.require_process()
        with self._turn.lock:
            if not self._closed:
                self._begin(sys._getframe())
                self._guard.stop()
                self._finish("close")
            found = None if self._log is None else self._log.close()
            self._ended = True
            self._turn.done()
            return found

    def __copy__(self) -> NoReturn:
        raise TypeError("a deployed policy cannot be copied or pickled: load its bundle again")

    def __deepcopy__(self, memo: Any) -> NoReturn:
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        self.__copy__()

    def _begin(self, frame: FrameType) -> None:
        """A call begins: what was cut short before becomes a breach, and is written down.

        Raises:
            BeyondPromise: from within another call, after ``close``, or where the log still
                cannot be written.
        """
        cut, guard = self._turn.begin(frame), self._guard
        if cut and (guard.running or guard.breach is not None):  # else there was nothing to breach
            guard.refuse(f"{CUT}, and gave no action")
            if self._bundle.memory_size:
                self._memory = None  # its line may be there, and what it remembered not
            self._owed = CUT
            self._next_stream()
            if self._log is not None:
                guard.steps = self._log.step  # its line may be there
        if self._closed:
            self._turn.done()
            raise BeyondPromise("the policy was closed: load the bundle again")
        if self._owed is not None:
            try:
                self._write_breach(self._owed)
            except OSError as error:
                raise BeyondPromise(
                    f"{plain(error)}: a breach has to be written before anything else; make room"
                ) from None
            self._owed = None

    def _next_stream(self) -> None:
        self._stream += 1
        self._random = stream(self._words, self._stream)

    def _finish(self, reason: str) -> None:
        """The last line of an episode, where one is running in the log."""
        if self._log is not None and self._log.running:
            self._log.write("end", episode=self._log.episode, step=self._log.step, reason=reason)

    def _write_breach(self, reason: str) -> None:
        log = self._log
        if log is not None:
            log.write("breach", episode=log.episode, step=log.step, reason=plain(reason)[:1000],
                      stream=self._stream)  # fmt: skip


def _drawn_from(part: Bundle) -> dict[str, Any]:
    """What a policy draws, as a log has it."""
    return {"family": part.family.name, "selection": part.selects}


def _parts_of(bundle: Bundle) -> dict[str, Any]:
    """The same of each part of a mixture."""
    return {"parts": [_drawn_from(part) for part in bundle.parts]} if bundle.parts else {}


def load(
    path: str | Path,
    *,
    on_breach: OnBreach = "raise",
    outside: OnOutside = "refuse",
    log: str | Path | None = None,
    expect: str | None = None,
    trust_module: str | Collection[str] = (),
) -> DeployedPolicy:
    """Read a bundle, check all of it, and give the policy that it holds.

    The certificate's bounds and the promise are computed again here; ``sport-ray verify FOLDER``
    recomputes the certificate from its table of outcomes, too. A constraint or a base sampler of
    your own has to be imported before, or its module trusted; a sampler's code must be unchanged.

    Args:
        path: the folder that ``sport-ray export`` wrote.
        on_breach: what to do outside of the promise: "raise", or "base" to let the base policy
            act; then a bundle of which only the task policy is damaged is played as its base.
        outside: what to do with an observation outside of the environment's observation space, as
            the manifest has it: "refuse", or "base" to let the base policy act, which is a breach.
        log: where to write an audit log (a new file), which ``sport-ray audit`` checks.
        expect: the bundle's digest, known from elsewhere.
        trust_module: which modules may be imported if the bundle names them: one, or several.

    Raises:
        UserError: files that are missing, altered, or that do not fit together.
    """
    bundle = read_bundle(
        Path(path), expect=expect, base_only=on_breach == "base", trust_module=trust_module
    )
    if log is None:
        return DeployedPolicy(bundle, on_breach, None, outside)
    opened = AuditLog(Path(log))
    try:
        return DeployedPolicy(bundle, on_breach, opened, outside)
    except BaseException as error:
        opened.discard()  # nothing was logged in it
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{plain(error)}: make room or choose another log") from None
