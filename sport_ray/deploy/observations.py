"""What a deployed policy takes for an observation: numbers that the certified world could give."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.envs.flatten import Flattening
from sport_ray.text import plain

Array = NDArray[np.float64]
_LARGEST = np.finfo(np.float32).max


class Bounds(NamedTuple):
    """The observation space, (O,) each, in float32 as a policy sees; infinite: no bound."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of_json(cls, space: Any, size: int) -> Bounds:
        """As a manifest has them: a list of O numbers each, null where there is no bound.

        Raises:
            ValueError: other lists, or a low end above the high one.
        """
        ends = []
        for name, far in (("low", -np.inf), ("high", np.inf)):
            given = space[name]
            numbers = isinstance(given, list) and all(
                x is None or type(x) in (int, float) for x in given
            )
            if not numbers or len(given) != size:
                raise ValueError(f"observation {name} is no list of {size} numbers or null")
            with np.errstate(over="ignore"):
                end = np.array([far if x is None else x for x in given]).astype(np.float32)
            end.setflags(write=False)
            ends.append(end)
        bounds = cls(*ends)
        if not (bounds.low <= bounds.high).all():
            raise ValueError("an observation's low end is above its high one")
        return bounds

    @classmethod
    def none(cls, size: int) -> Bounds:
        """An observation space that is the whole of R^O."""
        return cls(np.full(size, -np.inf, np.float32), np.full(size, np.inf, np.float32))


class NoObservation(ValueError):
    """What was given is none: another shape or type, or a number that is not finite."""


class Observer:
    """Checks an observation, and gives the float32 numbers that a policy sees.

    flattening: how an observation that is no vector becomes one, as in the certified environment.
    """

    def __init__(self, bounds: Bounds, flattening: Flattening | None = None) -> None:
        self.bounds = bounds
        self.flattening = flattening
        self.shape = bounds.low.shape
        # The infinite ends as the largest number, so that one comparison finds all there is.
        self._low = np.maximum(bounds.low, -_LARGEST)
        self._high = np.minimum(bounds.high, _LARGEST)

    def see(self, observation: Any) -> tuple[Array, str | None]:
        """The observation (O,), float32 numbers in float64, as a copy; and why it lies outside.

        Raises:
            NoObservation: no array of numbers, of another shape, or not finite in float32.
        """
        given = self._vector(observation)
        if given.shape != self.shape:
            raise NoObservation(f"the observation has shape {given.shape}, expected {self.shape}")
        given = given.copy()  # whatever another thread writes into it now
        if ((given >= self._low) & (given <= self._high)).all():  # NaN is neither
            return given.astype(np.float32).astype(np.float64), None
        with np.errstate(all="ignore"):  # an end may be met once both are rounded
            seen = given.astype(np.float32)
        if not np.isfinite(seen).all():
            raise NoObservation(f"the observation{self._entry(seen)} is not finite in float32")
        return seen.astype(np.float64), self._outside(seen)

    def _vector(self, observation: Any) -> NDArray[Any]:
        if self.flattening is None:
            return _numbers(observation)
        try:
            return self.flattening(observation, _numbers)
        except NoObservation:
            raise
        except Exception as error:  # a dict may be of any class, which raises what it likes
            raise NoObservation(plain(error)[:500] or type(error).__name__) from None

    def _entry(self, seen: NDArray[np.float32]) -> str:
        """Which entry is not finite, where the observation has parts."""
        if self.flattening is None:
            return " has an entry that"
        return self.flattening.entry(int(np.argmin(np.isfinite(seen))))

    def _outside(self, seen: NDArray[np.float32]) -> str | None:
        wrong = (seen < self.bounds.low) | (seen > self.bounds.high)
        if not wrong.any():
            return None
        i = int(wrong.argmax())
        at = f"'s entry {i}" if self.flattening is None else self.flattening.entry(i)
        return (
            f"the observation{at} is {seen[i]:.9g}, outside of the observation space "
            f"({self.bounds.low[i]:.9g} … {self.bounds.high[i]:.9g})"
        )


def _numbers(observation: Any) -> NDArray[Any]:
    """An array of integers or floats; what would become one silently is refused."""
    try:
        if isinstance(observation, np.ma.MaskedArray):
            if np.ma.getmaskarray(observation).any():
                raise TypeError("an entry is masked")
            observation = observation.data
        elif isinstance(observation, torch.Tensor):
            observation = observation.detach().cpu().numpy()
        elif isinstance(observation, list | tuple) and any(
            isinstance(entry, bool | np.bool_ | np.ma.MaskedArray) for entry in observation
        ):
            raise TypeError("an entry is a truth value, or masked")
        given = np.asarray(observation)
        if given.dtype.kind not in "fiu":
            raise TypeError(f"numbers of type {given.dtype}")
    except Exception as error:  # an observation may be any object, which raises what it likes
        reason = plain(error)[:200] or type(error).__name__
        raise NoObservation(f"the observation is not an array of numbers: {reason}") from None
    return given
