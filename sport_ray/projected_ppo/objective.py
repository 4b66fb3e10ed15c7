"""What a policy is trained for, where that is not its environment's reward alone.

An ``Objective`` says it once and for all; ``begin`` gives what one training run keeps, such as a
multiplier. A run is told what each batch was and gives the rewards that are learned from. Its
numbers follow from its own batches alone, so that cells of a cohort do not depend on each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families import Distribution

Array = NDArray[np.float64]


class Sampled(NamedTuple):
    """T steps of E environments side by side, as far as an objective sees them.

    rewards: (T, E), the environment's. over: (T, E), the episode ended, for good or cut, with this
    step. taken: (T, E); the others only reset, and nothing is learned from them. violated: (T, E),
    by this step it is settled that the episode violates the property within T, lateness included;
    at one step of such an episode, at none of any other; None where the environment does not tell.
    log_ratio: computes log π/π_base of the actions taken, nats (T, E), 0 where none was taken.
    """

    rewards: Array
    over: NDArray[np.bool_]
    taken: NDArray[np.bool_]
    violated: NDArray[np.bool_] | None
    log_ratio: Callable[[], Array]


class Pursuit(ABC):
    """One training run's pursuit of an objective."""

    @abstractmethod
    def rewards(self, batch: Sequence[Sampled], *, learns: bool) -> list[Array]:
        """The rewards (T, E) that the batch's parts are learned from.

        learns: False while only the critic does, and the policy is where it began.

        Raises:
            UserError: something that the environment does not tell and the objective needs.
        """

    @property
    def told(self) -> dict[str, float]:
        """Its numbers by name, for records; finite."""
        return {}


class Surrogate(ABC):
    """A policy's loss in the place of PPO's clipped one; immutable, and picklable."""

    @abstractmethod
    def losses(
        self, now: Distribution, old: Distribution, ratio: Tensor, advantages: Tensor
    ) -> Tensor:
        """What is to become small at each row, (n,); differentiable in ``now`` and ``ratio``.

        now, old: the policy's laws, now and when the batch was sampled. ratio: (n,), of their
        densities at the actions that were taken. advantages: (n,), standardised over the batch.
        """


class Objective(ABC):
    """An objective; immutable, and picklable."""

    @property
    def surrogate(self) -> Surrogate | None:
        """The policy's loss, where it is not PPO's."""
        return None

    needs_base = False
    """Whether it asks for ``log_ratio``."""

    @abstractmethod
    def begin(self) -> Pursuit:
        """A new training run."""
