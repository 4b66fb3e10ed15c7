"""A user's own sampler: a function or a class, named ``module:name``."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from sport_ray.envs.flatten import Flattening
from sport_ray.envs.values import described
from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.samplers.entry import ENTRY, Draw, resolved, telling
from sport_ray.samplers.loaded import require_as_imported
from sport_ray.samplers.sampler import Array, BaseSampler
from sport_ray.samplers.trust import is_trusted


class SamplerSpec(BaseModel):
    """All that is needed to find a user's sampler again.

    entry: ``module:name``. arguments: keyword arguments of the class, or of every call of the
    function. code: sha256 of the user's modules and data files, by name. flattening: how the
    environment's observations become the vectors that it is given; None where they are vectors.
    first, sizes: of an environment that takes whole numbers, entry by entry: the least, and how
    many there are; None where it takes real ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: str = Field(pattern=f"^{ENTRY}$")
    arguments: dict[str, Any] = Field(default_factory=dict)
    observation_size: int = Field(ge=1)
    action_size: int = Field(ge=1)
    code: dict[str, str] = Field(default_factory=dict)
    flattening: Flattening | None = None
    first: tuple[int, ...] | None = None
    sizes: tuple[int, ...] | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in ("flattening", "first", "sizes"):  # digests of files without them stay theirs
            if fields.get(name, 0) is None:
                del fields[name]
        return fields

    @model_validator(mode="after")
    def _flattened(self) -> SamplerSpec:
        if self.flattening and self.flattening.size != self.observation_size:
            raise ValueError(
                f"flattening gives {self.flattening.size} entries, observations have "
                f"{self.observation_size}"
            )
        return self

    @model_validator(mode="after")
    def _whole(self) -> SamplerSpec:
        given = {None if each is None else len(each) for each in (self.first, self.sizes)}
        if given not in ({None}, {self.action_size}):
            raise ValueError("first and sizes have an entry for each of an action, or are null")
        if self.sizes is not None and min(self.sizes) < 1:
            raise ValueError(f"sizes are at least 1, got {list(self.sizes)}")
        return self

    @property
    def module(self) -> str:
        """The module of the entry."""
        return self.entry.partition(":")[0]

    @property
    def action_mapping(self) -> ActionMapping:
        """From what is drawn to the environment's action: nothing, or from an index to a number."""
        if self.first is None or self.sizes is None:
            return ActionMapping("none")
        return ActionMapping.of_indices(self.first, self.sizes)


class UserSampler(BaseSampler):
    """What the user's function or class draws, checked: finite actions of the right shape.

    The observation is rounded to float32, as Gaussian policies see it, and is theirs to write into.
    The actions are the environment's own: nothing clips them, and whole numbers are counted from 0
    within (``action_mapping`` counts from ``first`` again). The user's code is imported
    at the first draw, in whatever process that is.

    run_module: whether the module may be imported. Only for names that the user wrote, in a study:
    a name in a file of somebody else would run their choice of code. Otherwise ``trust_module``
    decides.

    Raises:
        UserError: a module that is not to be run.
    """

    def __init__(self, spec: SamplerSpec, *, run_module: bool = False) -> None:
        self.spec = spec
        self.observation_size, self.action_size = spec.observation_size, spec.action_size
        self.action_mapping = spec.action_mapping
        self.flattening = spec.flattening
        if not run_module and not is_trusted(spec.module):
            raise UserError(
                f"base sampler {spec.entry!r} is code in the module {spec.module!r}, which is not "
                "run because a file names it: read it; if you trust it say --trust-module "
                f"{spec.module}, or sport_ray.samplers.trust_module({spec.module!r}) in Python"
            )
        self._draw: Draw | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the user's object: another process makes its own."""
        return {**self.__dict__, "_draw": None}

    def ready(self) -> None:
        """Find the user's code and make their object now, not at the first draw.

        Raises:
            UserError: code that cannot be found or fails, or is not the spec's in this process.
        """
        if self._draw is None:
            draw = resolved(self.spec.entry, self.spec.arguments)
            require_as_imported(self.spec.entry, self.spec.code)
            self._draw = draw

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, D) at an observation (O,).

        Raises:
            UserError: code that cannot be found or fails, or actions of another shape or that are
                not finite numbers.
        """
        self.ready()
        assert self._draw is not None
        with np.errstate(over="ignore"):  # what overflows is inf and is refused
            given = observation.astype(np.float32).astype(np.float64)
        if not np.isfinite(given).all():
            at = int(np.argmin(np.isfinite(given)))
            raise UserError(
                f"an observation is {observation[at]} at entry {at}: the environment must return "
                "observations that are finite in float32"
            )
        with telling(f"{self._name} failed"):
            drawn = self._draw(given, count, generator)
        return self._checked(drawn, count)

    @property
    def _name(self) -> str:
        return f"base sampler {self.spec.entry!r}"

    def _checked(self, drawn: Any, count: int) -> Array:
        with telling(f"{self._name} gave {described(drawn)}"):
            array = np.asarray(drawn)
        if array.dtype.kind not in "iuf" or isinstance(drawn, np.ma.MaskedArray):
            raise UserError(f"{self._name} gave {described(drawn)}: expected an array of numbers")
        expected = (count, self.action_size)
        if array.shape != expected:
            raise UserError(
                f"{self._name} gave actions of shape {array.shape}, expected {expected}: count = "
                f"{count} actions of {self.action_size} entries"
            )
        with np.errstate(over="ignore"):
            found = np.array(array, dtype=np.float64)  # a copy: the user may keep theirs
        bad = ~np.isfinite(found).all(axis=1)
        if bad.any():
            raise UserError(
                f"{self._name} gave the action {found[bad][0].tolist()}: actions must be finite"
            )
        if self.spec.first is None or self.spec.sizes is None:
            return found
        index = found - self.spec.first
        wrong = ((index != np.floor(index)) | (index < 0) | (index >= self.spec.sizes)).any(axis=1)
        if wrong.any():
            pairs = zip(self.spec.first, self.spec.sizes, strict=True)
            ranges = ", ".join(f"{low} to {low + size - 1}" for low, size in pairs)
            raise UserError(
                f"{self._name} gave the action {found[wrong][0].tolist()}: the environment takes "
                f"whole numbers from {ranges}"
            )
        return index
