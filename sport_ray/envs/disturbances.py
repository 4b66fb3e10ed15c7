"""The noise that the robots of a simulator meet, each from its own generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.perturbation import Perturbation
from sport_ray.streams import normal_rows

BLOCK = 32
"""Steps of noise drawn at a time: a call for each robot and step would dominate the step."""


def moved_starts(
    perturbation: Perturbation, rngs: Sequence[np.random.Generator], poses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Poses (3,) or (n, 3) of layouts with the noise of the start, from each generator if any."""
    std, shift = np.array(perturbation.start_noise), np.array(perturbation.start_bias)
    if std.any():
        shift = shift + std * normal_rows(rngs, 3)
    return poses + shift if shift.any() else poses


class Disturbances:
    """Noise for ``num_slots`` robots; without noise nothing is drawn and no bit changes.

    A slot draws from the generator of its last reset alone (three numbers for the start, then
    blocks of noise as its steps need them), so what it meets depends neither on the other slots
    nor on how many there are.
    """

    def __init__(self, perturbation: Perturbation, num_slots: int) -> None:
        self._perturbation = perturbation
        self._actuation_std = np.array(perturbation.actuation_noise)
        self._actuation_mean = np.array(perturbation.actuation_bias)
        self._noisy = bool(self._actuation_std.any())
        self._biased = bool(self._actuation_mean.any())
        self._rngs: list[np.random.Generator | None] = [None] * num_slots
        self._noise = np.zeros((num_slots if self._noisy else 0, BLOCK, 2))

    def start(
        self,
        slots: NDArray[np.int64],
        rngs: Sequence[np.random.Generator],
        poses: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Where slots (n,) start, from now on with noise from ``rngs`` (n).

        poses: (x, y, heading) of their layouts, (3,) or (n, 3); metres and radians.
        """
        poses = moved_starts(self._perturbation, rngs, poses)
        if self._noisy:
            for slot, rng in zip(slots.tolist(), rngs, strict=True):
                self._rngs[slot] = rng
        return poses

    def disturb(
        self, slots: NDArray[np.int64], steps: NDArray[np.int64], actions: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Actions (n, 2) with the noise of the slots (n,) after ``steps`` (n,) steps of each.

        Raises:
            ValueError: noise for a slot that has never been reset; nothing is drawn.
        """
        if self._noisy:
            column = steps % BLOCK
            fresh = slots[column == 0].tolist()
            for slot in fresh:
                if self._rngs[slot] is None:
                    raise ValueError(f"slots: {slot} must be reset before it can meet noise")
            for slot in fresh:
                self._noise[slot] = self._rngs[slot].standard_normal((BLOCK, 2))
            actions = actions + self._actuation_std * self._noise[slots, column]
        return actions + self._actuation_mean if self._biased else actions
