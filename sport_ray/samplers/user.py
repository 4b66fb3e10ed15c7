"""A user's own sampler: a function or a class, named ``module:name``."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.samplers.sampler import Array, BaseSampler

_FORM = "it must be a function (observation, count, generator) or a class with that method 'sample'"


class SamplerSpec(BaseModel):
    """All that is needed to find a user's sampler again.

    entry: ``module:name``. arguments: keyword arguments of the class, or of every call of the
    function. code: sha256 of the user's modules and data files, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: str = Field(pattern=r"^[^\W\d][\w.]*:[^\W\d]\w*$")
    arguments: dict[str, Any] = Field(default_factory=dict)
    observation_size: int = Field(ge=1)
    action_size: int = Field(ge=1)
    code: dict[str, str] = Field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module of the entry."""
        return self.entry.partition(":")[0]


class UserSampler(BaseSampler):
    """What the user's function or class draws, checked: finite actions of the right shape.

    The actions are the environment's own; nothing maps them. The user's code is imported at the
    first draw, in whatever process that is.

    run_module: import the module. Only for names that the user wrote, in a study: a name in a file
    of somebody else would run their choice of module.

    Raises:
        UserError: a module that is not to be run, or that cannot be imported.
    """

    def __init__(self, spec: SamplerSpec, *, run_module: bool = False) -> None:
        self.spec = spec
        self.observation_size, self.action_size = spec.observation_size, spec.action_size
        self.action_mapping = ActionMapping("none")
        if not run_module and spec.module not in sys.modules:
            raise UserError(
                f"base sampler {spec.entry!r} is defined in the module {spec.module!r}, which is "
                "not imported because a file names it: read it, and import it first if you trust it"
            )
        self._drawn: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the user's object: another process makes its own."""
        return {**self.__dict__, "_drawn": None}

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, D) at an observation (O,).

        Raises:
            UserError: code that fails, or actions of another shape or that are not finite.
        """
        if self._drawn is None:
            self._drawn = self._resolved()
        given = observation.copy()  # theirs to write into
        try:
            found = np.array(self._drawn(given, count, generator), dtype=np.float64)
        except Exception as error:  # the user's own code
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UserError(f"base sampler {self.spec.entry!r} failed: {reason}") from error
        if found.shape != (count, self.action_size):
            raise UserError(
                f"base sampler {self.spec.entry!r} gave actions of shape {found.shape}, expected "
                f"{(count, self.action_size)}: (count, entries of an action)"
            )
        if not np.isfinite(found).all():
            raise UserError(
                f"base sampler {self.spec.entry!r} gave the action "
                f"{found[~np.isfinite(found).all(axis=1)][0].tolist()}: actions must be finite"
            )
        return found

    def _resolved(self) -> Any:
        """The function (observation, count, generator) → actions."""
        name, arguments = self.spec.entry.partition(":")[2], self.spec.arguments
        where = f"base sampler {self.spec.entry!r}"
        try:
            module = importlib.import_module(self.spec.module)
        except Exception as error:  # the user's own code
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise UserError(f"{where}: cannot import {self.spec.module!r}: {reason}") from error
        found = getattr(module, name, None)
        if inspect.isclass(found):
            try:
                made = found(**arguments)
            except Exception as error:  # the user's own code
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                raise UserError(f"{where}: cannot be made of {arguments}: {reason}") from error
            found, arguments = getattr(made, "sample", None), {}
        if not callable(found):
            raise UserError(f"{where} is {found!r}: {_FORM}")
        function = found
        return lambda observation, count, generator: function(
            observation, count, generator, **arguments
        )
