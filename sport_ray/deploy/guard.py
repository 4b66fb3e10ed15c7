"""When a deployed policy may act: within T steps of a reset, on observations that it knows."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.observations import Bounds, NoObservation, Observer
from sport_ray.envs.flatten import Flattening

Array = NDArray[np.float64]
OnBreach = Literal["raise", "base"]
OnOutside = Literal["refuse", "base"]


class BeyondPromise(RuntimeError):
    """An action was asked for that no promise covers, or an observation that is none."""


class GuardState(NamedTuple):
    """What a guard knows: steps of the episode, of T; what was wrong in it; whether it goes on."""

    steps: int
    horizon: int
    breach: str | None
    running: bool
    on_breach: OnBreach
    outside: OnOutside


class Guard:
    """Counts the steps of an episode and refuses what lies outside of the promise.

    on_breach: "raise" refuses to act; "base" lets the base policy act instead (for which, beyond T
        steps, nothing is promised either). An observation that is no observation (another shape,
        NaN) is refused in both: no policy can act on it. A breach lasts until the next reset.
    outside: what an observation outside of the observation space is: "refuse": none; "base": a
        breach, and the base policy acts on it and for the rest of the episode, up to T.
    flattening: how an observation that is no vector (a dict, an index, an image) becomes one.
    """

    def __init__(
        self,
        horizon: int,
        bounds: Bounds,
        on_breach: OnBreach,
        outside: OnOutside = "refuse",
        flattening: Flattening | None = None,
    ) -> None:
        if on_breach not in ("raise", "base"):
            raise ValueError(f"on_breach must be 'raise' or 'base', got {on_breach!r}")
        if outside not in ("refuse", "base"):
            raise ValueError(f"outside must be 'refuse' or 'base', got {outside!r}")
        self.horizon = horizon
        self.on_breach = on_breach
        self.outside = outside
        self.steps = 0
        self.breach: str | None = None
        self.running = False
        self.started = False
        self._observer = Observer(bounds, flattening)
        self._base_acts = False  # although a breach would raise

    def start(self) -> None:
        """A new episode."""
        self.steps, self.breach, self._base_acts = 0, None, False
        self.running = self.started = True

    def stop(self) -> None:
        """No episode has begun: nothing acts before the next start."""
        self.running = self.started = False

    def end(self) -> None:
        """The episode is over: the next action belongs to another one."""
        self.running = False

    def observe(self, observation: Any) -> Array:
        """The observation as float32 numbers in float64 (O,).

        Raises:
            BeyondPromise: another shape or type, a number that is not finite in float32, or one
                outside of the observation space where that is refused.
        """
        try:
            seen, outside = self._observer.see(observation)
        except NoObservation as error:
            raise self.refuse(str(error)) from None
        if outside is not None:
            if self.outside == "refuse":
                raise self.refuse(outside)
            if self.breach is None:
                self.breach, self._base_acts = outside, True
        return seen

    def admit(self) -> bool:
        """Whether the task policy may act now; False: the base policy has to.

        Raises:
            BeyondPromise: neither may.
        """
        if not self.started:
            raise BeyondPromise("no episode has begun: call reset(seed) first")
        over = None
        if not self.running:
            over = "the episode has ended: call reset(seed) before another one"
        elif self.steps >= self.horizon:
            over = f"the promise covers {self.horizon} steps, which have been taken"
        if self.breach is None:
            self.breach = over
        if self.on_breach == "raise":
            reason = over if self._base_acts else self.breach
            if reason is not None:
                raise BeyondPromise(reason)
        return self.breach is None

    def refuse(self, reason: str) -> BeyondPromise:
        """What to raise for this reason; the breach lasts until the next reset."""
        if self.breach is None:
            self.breach = f"a step was refused earlier in this episode ({reason})"
        self._base_acts = False
        return BeyondPromise(reason)

    def state(self) -> GuardState:
        """What it knows now; writing into it changes nothing."""
        return GuardState(
            self.steps, self.horizon, self.breach, self.running, self.on_breach, self.outside
        )
