"""When a deployed policy may act: within T steps of a reset, on observations that it knows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sport_ray.forward.row import RowPolicy

Array = NDArray[np.float64]
OnBreach = Literal["raise", "base"]
_LARGEST = float(np.finfo(np.float32).max)


class BeyondPromise(RuntimeError):
    """An action was asked for that no promise covers, or an observation that is none."""


class Guard:
    """Counts the steps of an episode and refuses what lies outside of the promise.

    on_breach: "raise" refuses to act; "base" lets the base policy act instead (for which, beyond T
        steps, nothing is promised either). An observation that is no observation (another shape,
        NaN) is refused in both: no policy can act on it. A breach lasts until the next reset.
    """

    def __init__(self, horizon: int, observation_size: int, on_breach: OnBreach) -> None:
        if on_breach not in ("raise", "base"):
            raise ValueError(f"on_breach must be 'raise' or 'base', got {on_breach!r}")
        self.horizon = horizon
        self.observation_size = observation_size
        self.on_breach = on_breach
        self.steps = 0
        self.breach: str | None = None
        self.running = False
        self._started = False

    def start(self) -> None:
        """A new episode."""
        self.steps, self.breach = 0, None
        self.running = self._started = True

    def end(self) -> None:
        """The episode is over: the next action belongs to another one."""
        self.running = False

    def observe(self, observation: Any) -> Array:
        """The observation as float64 (O,).

        Raises:
            BeyondPromise: another shape or type, or a number that is not finite in float32.
        """
        try:
            seen = np.asarray(observation)
            if seen.dtype.kind not in "fiu":
                raise TypeError(f"numbers of type {seen.dtype}")
            seen = seen.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise self.refuse(f"the observation is not an array of numbers: {error}") from None
        if seen.shape != (self.observation_size,):
            raise self.refuse(
                f"the observation has shape {seen.shape}, expected ({self.observation_size},)"
            )
        if not (seen.min() >= -_LARGEST and seen.max() <= _LARGEST):  # NaN is neither
            raise self.refuse("the observation has an entry that is not finite in float32")
        return seen

    def admit(self) -> bool:
        """Whether the task policy may act now; False: the base policy has to.

        Raises:
            BeyondPromise: neither may.
        """
        if not self._started:
            raise BeyondPromise("no episode has begun: call reset(seed) first")
        if self.breach is None and not self.running:
            self.breach = "the episode has ended: call reset(seed) before another one"
        if self.breach is None and self.steps >= self.horizon:
            self.breach = f"the promise covers {self.horizon} steps, which have been taken"
        if self.breach is not None and self.on_breach == "raise":
            raise BeyondPromise(self.breach)
        return self.breach is None

    def trust(self, base: RowPolicy, seen: Array) -> tuple[Array, Array]:
        """The base policy's mean and std at an observation.

        Raises:
            BeyondPromise: they are not finite there.
        """
        try:
            return base.distribution(seen)
        except ArithmeticError as error:
            raise self.refuse(f"the observation is too large: {error}") from None

    def refuse(self, reason: str) -> BeyondPromise:
        """What to raise for this reason; the breach lasts until the next reset."""
        if self.breach is None:
            self.breach = f"a step was refused earlier in this episode ({reason})"
        return BeyondPromise(reason)
