"""By what candidates are chosen: a weight for each, which promises nothing.

Whatever the weights are, the constraint decides how far the choice may lean on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Steps
from sport_ray.samplers import BaseSampler

Array = NDArray[np.float64]
SCORES: dict[str, type[Score]] = {}


class Score(ABC):
    """Log weights of candidates; a subclass with a ``name`` is registered.

    Sealed numbers: what a score computes depends on what it is given and on nothing else, so that
    an audit finds the same.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            return
        known = SCORES.get(cls.name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"name {cls.name!r} is taken by the score {known.__qualname__}")
        SCORES[cls.name] = cls

    @abstractmethod
    def log_weights(
        self, observation: Array, candidates: Array, limits: Array, taken: Steps
    ) -> Array:
        """Log weights (n, M), nats up to a constant per row; −inf: not to be chosen.

        A row depends on its own inputs alone, to the bit.

        observation: (n, O). candidates: (n, M, D) as the sampler gave them. limits: (n,), log of
        the largest ratio that this step may have, nats. taken: (n,), steps taken before.
        """

    def bound_to(self, sampler: BaseSampler, constraint: Constraint) -> Score:
        """The score for candidates of this sampler under a constraint; itself, by default.

        Raises:
            UserError: a sampler that the score cannot be used with.
        """
        return self

    # On disk.

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that is no array, as JSON values."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""

    @classmethod
    @abstractmethod
    def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of both.

        Raises:
            ValueError, KeyError, TypeError: parts that do not fit.
        """


def score_class(name: Any) -> type[Score]:
    """The score of that name.

    Raises:
        UserError: an unknown one.
    """
    if not isinstance(name, str) or name not in SCORES:
        raise UserError(f"unknown score {name!r}; known: {', '.join(sorted(SCORES))}")
    return SCORES[name]
