"""The file of a method: whose cells it is, and what is promised of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.files import HERE, NamedSection, merged, read_all
from sport_ray.experiments.config.base import Keywords, Listed
from sport_ray.experiments.config.mistakes import did_you_mean, shown
from sport_ray.experiments.config.sections import require_constraint
from sport_ray.experiments.config.task_policies import SourceName, checked_sources
from sport_ray.tracking.benchmark.manifest import Kind, Promise

METHODS = HERE / "methods"


class MethodFile(NamedSection):
    """A method of the benchmark."""

    promise: Promise
    """What is known of the risk before the policy acts: `prior`, before training; `data`, from
    scenarios of the base; `expected`, on the mean alone; `posterior`, nothing before it is run."""
    kind: Kind = "cells"
    """What its rows are: cells of its source; limits of a `list`, chosen with confidence or by the
    `conformal` rule; a `mixture`, or the `coin_flip`, of cells of other methods."""
    source: SourceName | None = None
    """Source of task policies, as in a study's `task_policies`."""
    settings: Keywords = Field(default_factory=dict)
    """Its settings."""
    constraint: str | None = None
    """Kind that it is projected onto; without one it is used as it is."""
    limits: Annotated[list[float], Listed] | None = None
    """Of a list, in the constraint's unit; rising. [of the kind]"""
    of: Annotated[list[str], Listed] = Field(default_factory=list)
    """Methods whose cells a mixture is made of."""
    tiny: bool = False
    """Whether it is in the tiny suite."""
    tiny_settings: Keywords = Field(default_factory=dict)
    """Settings that differ there."""

    @field_validator("constraint")
    @classmethod
    def _recorded_constraint(cls, given: str | None) -> str | None:
        """Under the name that records have, one of the user's with its module."""
        return None if given is None else require_constraint(given, shown(given)).name

    @model_validator(mode="after")
    def _one_kind(self) -> MethodFile:
        mixes = self.kind in ("mixture", "coin_flip")
        if mixes != bool(self.of) or mixes != (self.source is None):
            raise ValueError(
                f"kind = {self.kind!r}: a mixture and the coin flip have methods in `of` and no "
                "source, all else has a source and no `of`"
            )
        listed = self.kind in ("list", "conformal")
        if listed != (self.limits is not None) or (listed and self.constraint is None):
            raise ValueError(
                f"kind = {self.kind!r}: a list (or conformal) has limits and a constraint, all "
                "else has no limits"
            )
        if self.source is not None:
            for settings in (self.settings, self.settings_in(tiny=True)):
                checked_sources({self.source: settings})
        return self

    def settings_in(self, *, tiny: bool) -> dict[str, Any]:
        """Its settings in the suite or in the tiny one."""
        return merged(self.settings, self.tiny_settings) if tiny else dict(self.settings)


def methods() -> dict[str, MethodFile]:
    """Every method by name.

    Raises:
        UserError: a file with a mistake; a mixture of what is no method.
    """
    found = read_all(METHODS, MethodFile)
    for one in found.values():
        for other in one.of:
            if other not in found:
                raise UserError(
                    f"{METHODS / one.name}.yaml: of holds {other!r}, which is no method; "
                    f"{did_you_mean(other, found)}"
                )
    return found
