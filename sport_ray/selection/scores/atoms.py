"""A law of the return on a grid of values, from the best one down, and what a step does to it."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from sport_ray.errors import UserError

Finite = Annotated[float, Field(allow_inf_nan=False)]
MOST_ATOMS = 1000


class Atoms(BaseModel):
    """The values best, best − spacing, … (``count`` of them), and ``failure`` as the last.

    A return (sum of rewards to come) lies on one of ``count + 1`` atoms. The last stands for
    episodes that fail (violate, or do not get there) and for returns below the grid; ``failure``
    is its price in a mean. Bellemare, Dabney, Munos 2017 (arXiv 1707.06887) with such a class.

    >>> Atoms.of_steps(3).values.tolist()
    [-1.0, -2.0, -3.0, -4.5]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    best: Finite
    spacing: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    count: Annotated[int, Field(ge=1, le=MOST_ATOMS)]
    failure: Finite

    @model_validator(mode="after")
    def _ordered(self) -> Atoms:
        lowest = self.best - self.spacing * (self.count - 1)
        if not self.failure < lowest:
            raise ValueError(f"failure ({self.failure}) must be below the lowest atom ({lowest})")
        return self

    @classmethod
    def of_steps(cls, horizon: int) -> Atoms:
        """Remaining steps 1 … horizon as returns −1 per step; a failure is priced at 1.5 horizon.

        Raises:
            UserError: a horizon outside 1 … ``MOST_ATOMS``.
        """
        if not 1 <= horizon <= MOST_ATOMS:
            raise UserError(f"horizon is {horizon}: expected 1 to {MOST_ATOMS} steps")
        return cls(best=-1.0, spacing=1.0, count=horizon, failure=-1.5 * max(horizon, 2))

    @classmethod
    def of_returns(cls, returns: NDArray[np.floating], count: int = 51) -> Atoms:
        """A grid from the largest to the smallest of these returns (n,) of episodes and their ends.

        A failure is priced at half a range below the smallest.

        Raises:
            UserError: no return, or one that is not finite.
        """
        given = np.asarray(returns, dtype=np.float64)
        if not given.size or not np.isfinite(given).all():
            raise UserError("returns: expected at least one, all of them finite")
        best, lowest = float(given.max()), float(given.min())
        width = max(best - lowest, 1e-6 * max(1.0, abs(best)))
        return cls(
            best=best,
            spacing=width / max(count - 1, 1),
            count=count,
            failure=min(lowest, best - width) - 0.5 * width,
        )

    @property
    def outputs(self) -> int:
        """How many probabilities a law has."""
        return self.count + 1

    @property
    def values(self) -> NDArray[np.float64]:
        """The value of each class (count + 1,), from the best to a failure."""
        grid = self.best - self.spacing * np.arange(self.count)
        return np.append(grid, self.failure)

    def of_values(self, values: Tensor, failed: Tensor) -> Tensor:
        """Laws (n, count + 1) that are certain of these returns (n,), or of failure (n,) bool.

        A value between two atoms is shared by them so that the mean is kept.
        """
        place = ((self.best - values.double()) / self.spacing).clamp(min=0.0)
        # Rounding must not share a value that is on an atom.
        near = place.round()
        place = torch.where((place - near).abs() < 1e-9, near, place)
        bad = failed | (place > self.count - 1)
        place = torch.where(bad, torch.full_like(place, float(self.count)), place)
        lower = place.floor()
        share = place - lower
        at = lower.long()
        law = torch.zeros((len(values), self.outputs))
        law.scatter_add_(1, at[:, None], (1.0 - share).float()[:, None])
        law.scatter_add_(1, (at + 1).clamp(max=self.count)[:, None], share.float()[:, None])
        return law

    def after(self, rewards: Tensor, law: Tensor) -> Tensor:
        """The law of reward + return (n, count + 1), where the return has ``law``; rewards (n,).

        Values above the grid go to the best atom, those below it to failure; between two atoms
        they are shared. With rewards of −spacing the law moves by one class, exactly.
        """
        moved = -rewards.double() / self.spacing
        near = moved.round()
        moved = torch.where((moved - near).abs() < 1e-9, near, moved)
        lower = moved.floor()
        share = (moved - lower).float()
        offset = lower.long()
        found = (1.0 - share)[:, None] * self._moved(law, offset)
        if bool((share > 0.0).any()):
            found = found + share[:, None] * self._moved(law, offset + 1)
        return found

    def _moved(self, law: Tensor, offset: Tensor) -> Tensor:
        """Laws moved down by whole classes (n,), negative ones up; failures stay failures."""
        if bool((offset == offset[0]).all()):
            return self._moved_alike(law, int(offset[0]))
        target = torch.arange(self.count)[None] + offset[:, None]
        target = target.clamp(min=0, max=self.count)
        found = torch.zeros_like(law).scatter_add_(1, target, law[:, :-1])
        found[:, -1] += law[:, -1]
        return found

    def _moved_alike(self, law: Tensor, offset: int) -> Tensor:
        found = torch.zeros_like(law)
        offset = max(min(offset, self.count), -self.count)
        if offset >= 0:
            found[:, offset : self.count] = law[:, : self.count - offset]
            found[:, -1] = law[:, self.count - offset :].sum(1)
        else:
            found[:, : self.count + offset] = law[:, -offset : self.count]
            found[:, 0] += law[:, :-offset].sum(1)
            found[:, -1] = law[:, -1]
        return found

    def nats(self) -> float:
        """The entropy of a law that knows nothing: log(count + 1)."""
        return math.log(self.outputs)
