"""Observations that are no vectors, flattened to vectors by a fixed rule.

The rule (:mod:`sport_ray.envs.described_spaces`) belongs to the policy file: it is part of the
digest, environments of another space are refused by name, and a deployed policy takes the
observation as the environment gives it. It is a fixed function of the observation, applied before
both policies, so densities of actions and their ratios are those of policies that see the
observation itself.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatten_space
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from sport_ray.envs.described_spaces import (
    AnySpace,
    Description,
    Numbers,
    difference,
)
from sport_ray.errors import UserError

MOST_ENTRIES = 2**20
"""Of an observation."""


def _as_given(given: Any) -> Any:
    return given


class Flattening(BaseModel):
    """From an observation of a space to a vector (O,), as gymnasium flattens.

    ``space`` has kinds, shapes, dtypes and the order of keys; bounds are not part of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["gymnasium"] = "gymnasium"
    space: AnySpace

    @model_validator(mode="after")
    def _some(self) -> Flattening:
        if not 1 <= self.size <= MOST_ENTRIES:
            raise ValueError(f"the space has {self.size} entries, expected 1 to {MOST_ENTRIES}")
        return self

    @property
    def size(self) -> int:
        """O, entries."""
        return self.space.size

    def __call__(
        self, observation: Any, numbers: Numbers = _as_given, count: int | None = None
    ) -> NDArray[Any]:
        """The vector (O,) of an observation: a fresh array; Discrete and dtypes are exact.

        numbers: what arrays are first sent through. count: of how many copies ``observation``
        holds batches, as gymnasium's vector environments give them; then (count, O).

        Raises:
            UserError: what does not lie in the space, and where in the observation.
        """
        lead = () if count is None else (count,)
        parts = self.space.rows(observation, lead, "the observation", numbers)
        found: NDArray[Any] = np.concatenate(parts, axis=-1)
        return found

    def entry(self, index: int) -> str:
        """Where in an observation the vector's entry comes from, as ``['camera'][3]``."""
        return self.space.entry(index)

    @classmethod
    def needed(cls, env_id: str, space: spaces.Space[Any] | None) -> Flattening | None:
        """The flattening for an environment's observations; None for a box of one dimension.

        Raises:
            UserError: spaces that no policy here can see, by name, with the way out.
        """
        if isinstance(space, FlatBox):
            return space.flattening
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            return None
        found = Description().of(space, f"environment {env_id!r}: its observation_space")
        if not found.size:
            raise UserError(f"environment {env_id!r} has observations without entries: {found}")
        if found.size > MOST_ENTRIES:
            raise UserError(
                f"environment {env_id!r} has observations of {found.size} entries once flattened, "
                f"at most {MOST_ENTRIES} are possible ({_cut(str(found))}): make arrays smaller, "
                "and give an index of many values, which has an entry for each, as a Box"
            )
        return cls(space=found)

    def box(self, space: spaces.Space[Any]) -> FlatBox:
        """The space of the vectors, with the bounds of the space that is flattened."""
        flat = flatten_space(space)
        assert isinstance(flat, spaces.Box)
        return FlatBox(flat, self)


class FlatBox(spaces.Box):
    """The box of flattened observations, which knows what they come from."""

    def __init__(self, flat: spaces.Box, flattening: Flattening) -> None:
        super().__init__(flat.low, flat.high, dtype=flat.dtype)  # type: ignore[arg-type]
        self.flattening = flattening


def flattening_of(space: spaces.Space[Any]) -> Flattening | None:
    """What an environment behind our layer flattens; None where it gives vectors itself."""
    return space.flattening if isinstance(space, FlatBox) else None


def require_same_observations(env_id: str, mine: Flattening | None, its: Flattening | None) -> None:
    """Refuse an environment with other observations than a policy was made for.

    Raises:
        UserError: naming the first place where they differ.
    """
    if mine == its:
        return
    if mine is None or its is None:
        ours, theirs = ("a vector" if one is None else _cut(str(one.space)) for one in (mine, its))
        what = f"gives {theirs}, the policy was made for {ours}"
    else:
        found = difference(mine.space, its.space, "the observation") or "the rule differs"
        what = f"has other observations than the policy was made for: {found}"
    remedy = "give the environment that the policy was trained in"
    if mine is None:
        remedy += ", wrapped as it was there (gymnasium.wrappers.FlattenObservation)"
    raise UserError(f"environment {env_id!r} {what}; {remedy}")


def _cut(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}…"
