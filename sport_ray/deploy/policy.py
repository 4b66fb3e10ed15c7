"""The deployed policy: samples from the projected task policy, carries the budget, keeps a log."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_log import SCHEMA, AuditLog
from sport_ray.deploy.bundle import Bundle, read_bundle
from sport_ray.deploy.guard import BeyondPromise, Guard, OnBreach
from sport_ray.deploy.rules import Gaussians, realised_log_ratio

Array = NDArray[np.float64]
Seed = int | np.random.SeedSequence | None


class StepRecord(NamedTuple):
    """What a step did: which policy played, how far it may and did go, what is left (or inf)."""

    step: int
    played: Literal["task", "base"]
    limit: float
    reached: float
    cost: float
    left: float
    gaussians: Gaussians
    drawn: Array  # before the action mapping


class DeployedPolicy:
    """A task policy under its constraint, as it was evaluated; see :func:`load`.

    ``reset(seed)`` begins an episode, ``act(observation)`` gives its next action, ``end()`` says
    that it is over. ``last`` is the record of the last step. Threads take turns; a copy would
    spend the same budget, and draw the same noise, twice, so there is none.
    """

    def __init__(self, bundle: Bundle, on_breach: OnBreach, log: AuditLog | None) -> None:
        self.bundle = bundle
        self.guard = Guard(bundle.horizon, bundle.base.observation_size, on_breach)
        self.last: StepRecord | None = None
        self._log = log
        self._left = bundle.rule.total
        self._dtype = np.dtype(bundle.manifest["spaces"]["action"]["dtype"])
        self._episode = 0
        self._turn = threading.RLock()
        if log is not None:
            log.write("open", schema=SCHEMA, bundle=bundle.digest, horizon=bundle.horizon,
                      constraint=bundle.manifest["constraint"],
                      promise=bundle.manifest["promise"], on_breach=on_breach,
                      damage=bundle.damage)  # fmt: skip

    @property
    def promise(self) -> dict[str, Any]:
        """What is promised of one episode: bound, β, theorem, and for which world."""
        return dict(self.bundle.manifest["promise"])

    @property
    def left(self) -> float:
        """What is left of the episode's budget; inf for a constraint without one."""
        return self._left

    def reset(self, seed: Seed = None) -> None:
        """Begin an episode: a whole budget, and actions drawn from a generator of this seed.

        None takes fresh entropy of the operating system, which is what the promise is about: a
        seed used twice, or picked by looking at what it does, is no random draw.
        """
        sequence = _sequence(seed)
        with self._turn:
            self._finish("reset")
            if self._log is not None:
                self._log.write("reset", episode=self._episode + 1, entropy=sequence.entropy,
                                spawn_key=list(sequence.spawn_key))  # fmt: skip
            self._random = np.random.default_rng(sequence)
            self._left = self.bundle.rule.total
            self._episode += 1
            self.last = None
            self.guard.start()

    def act(self, observation: Any) -> NDArray[Any]:
        """The next action (D,), as the plain environment's ``step`` takes it.

        Raises:
            BeyondPromise: more than T steps, another episode without ``reset``, an observation
                that is not finite or has another shape, or a drawn action whose charge the budget
                does not cover; with ``on_breach="base"`` the base policy acts in the first two
                cases.
        """
        with self._turn:
            return self._act(observation)

    def _act(self, observation: Any) -> NDArray[Any]:
        guard = self.guard
        try:
            seen = guard.observe(observation)
            may_task = guard.admit() and self.bundle.task is not None
            base = guard.trust(self.bundle.base, seen)
        except BeyondPromise as error:
            self._note("breach", reason=str(error))
            raise
        noise = self._random.standard_normal(self.bundle.base.action_size)
        limit = self.bundle.rule.limit(self._left, guard.steps) if guard.breach is None else 0.0
        try:
            record = self._task_step(seen, base, noise, limit) if may_task else None
        except BeyondPromise as error:
            self._note("breach", reason=str(error), drew=True)  # or a replay would lag behind
            raise
        if record is None:
            step = Gaussians(*base, *base)
            drawn = base[0] + base[1] * noise
            record = StepRecord(guard.steps, "base", limit, 0.0, 0.0, self._left, step, drawn)
        guard.steps += 1
        self._left, self.last = record.left, record
        if self._log is not None:
            self._write_step(seen, record)
        return self.bundle.to_action(record.drawn).astype(self._dtype)

    def end(self) -> None:
        """Say that the episode is over, so that acting on is refused."""
        with self._turn:
            self._finish("end")

    def close(self) -> str | None:
        """End the episode and the log; returns the log's digest."""
        with self._turn:
            self._finish("close")
            return None if self._log is None else self._log.close()

    def __copy__(self) -> NoReturn:
        raise TypeError("a deployed policy cannot be copied or pickled: load its bundle again")

    def __deepcopy__(self, memo: Any) -> NoReturn:
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        self.__copy__()

    def _task_step(
        self, seen: Array, base: tuple[Array, Array], noise: Array, limit: float
    ) -> StepRecord | None:
        """A step of the projected task policy; None where it cannot be shown to be within.

        Raises:
            BeyondPromise: the action that was drawn costs more than there is, or no number.
        """
        rule, task = self.bundle.rule, self.bundle.task
        assert task is not None
        entries = seen
        if task.observation_size > len(seen):
            entries = np.concatenate((seen, rule.seen(limit, self._left)))
        try:
            mean, std = rule.project(base, task.distribution(entries), limit)
            step = Gaussians(np.array(mean), np.array(std), *base)
            reached = rule.reached(step)
        except ArithmeticError:
            return None
        if not reached <= limit:
            return None
        drawn = step.mean + step.std * noise
        # From here on the noise has had its say: the base policy with the same noise, or another
        # draw, would no longer be a sample of it. What cannot be charged is not played at all.
        try:
            cost = rule.cost(step, drawn)
            left = rule.spend(self._left, cost)
        except ArithmeticError as error:
            raise self.guard.refuse(f"the step drawn cannot be charged: {error}") from None
        return StepRecord(self.guard.steps, "task", limit, reached, cost, left, step, drawn)

    def _finish(self, reason: str) -> None:
        if self.guard.running:
            self._note("end", reason=reason)
            self.guard.end()

    def _note(self, kind: str, **fields: Any) -> None:
        if self._log is not None:
            self._log.write(kind, episode=self._episode, step=self.guard.steps, **fields)

    def _write_step(self, seen: Array, record: StepRecord) -> None:
        assert self._log is not None
        mean, std, base_mean, base_std = (x.tolist() for x in record.gaussians)
        fields: dict[str, Any] = {}
        if record.played == "task":
            fields = {"mean": mean, "std": std}
        if self.guard.breach is not None:
            fields["breach"] = self.guard.breach
        self._log.write(
            "step", episode=self._episode, step=record.step, played=record.played,
            observation=seen.astype("<f4").tobytes().hex(), base_mean=base_mean, base_std=base_std,
            drawn=record.drawn.tolist(), limit=record.limit, reached=record.reached,
            log_ratio=realised_log_ratio(record.gaussians, record.drawn), cost=record.cost,
            left=None if math.isinf(record.left) else record.left, **fields,
        )  # fmt: skip


def _sequence(seed: Seed) -> np.random.SeedSequence:
    """The seed as a log can hold it: plain integers, and numpy's pool of four words.

    Raises:
        ValueError: a SeedSequence with another pool, which a log could not name.
    """
    given = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    if given.pool_size != 4:
        raise ValueError(f"seed has pool_size {given.pool_size}: use numpy's default, 4")
    entropy: Any = given.entropy
    plain = int(entropy) if np.ndim(entropy) == 0 else [int(word) for word in entropy]
    return np.random.SeedSequence(plain, spawn_key=tuple(int(key) for key in given.spawn_key))


def load(
    path: str | Path,
    *,
    on_breach: OnBreach = "raise",
    log: str | Path | None = None,
    expect: str | None = None,
) -> DeployedPolicy:
    """Read a bundle, check all of it, and give the policy that it holds.

    Needs torch and numpy only. The certificate's own digest, the base policy's digest in it and
    the promise's arithmetic are checked here; ``sport-ray verify FOLDER`` recomputes the
    certificate from its table of outcomes.

    Args:
        path: the folder that ``sport-ray export`` wrote.
        on_breach: what to do outside of the promise: "raise", or "base" to let the base policy
            act; then a bundle of which only the task policy is damaged is played as its base.
        log: where to write an audit log (a new file), which ``sport-ray audit`` checks.
        expect: the bundle's digest, known from elsewhere.

    Raises:
        UserError: files that are missing, altered, or that do not fit together.
    """
    bundle = read_bundle(Path(path), expect=expect, base_only=on_breach == "base")
    return DeployedPolicy(bundle, on_breach, None if log is None else AuditLog(Path(log)))
