"""What a benchmark consists of, as `sport-ray bench` wrote it: tasks, methods, result folders."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import damaged, read_object

FILE = "bench.json"
BENCH = "`sport-ray bench`"
MAIN_LEVEL = 0.1
"""The risk that is quoted, where the benchmark has it."""
LISTS = ("list", "conformal")
PROMISED = ("prior", "data")
"""Promises that hold before the policy acts; the others are judged by their evaluation."""
Promise = Literal["prior", "data", "expected", "posterior"]
Kind = Literal["cells", "list", "conformal", "mixture", "coin_flip"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Risk = Annotated[float, Field(gt=0.0, lt=1.0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True)


class Task(_Section):
    """A task. measure: what is compared; by default steps, where the property has an end."""

    name: Name
    title: str
    why: str = ""
    property: str
    horizon: int = Field(ge=1)
    extra: str | None = None
    measure: Literal["steps", "return"] | None = None


class Method(_Section):
    """A method: what its scores are made from.

    kind: `cells` of a source, projected onto a constraint, or as they are without one; a place in
    a `list` of limits, chosen by scenarios of the base with confidence, or by the `conformal` rule;
    a `mixture`, or the `coin_flip`, of other methods' cells.
    """

    name: Name
    title: str
    why: str = ""
    promise: Promise
    kind: Kind = "cells"
    source: str | None = None
    constraint: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Method:
        mixed = self.kind in ("mixture", "coin_flip")
        if mixed != (self.source is None) or (self.kind in LISTS and self.constraint is None):
            raise ValueError(f"method {self.name!r} of kind {self.kind!r} lacks its source")
        return self

    @property
    def from_list(self) -> bool:
        """Whether its limit is chosen from a list."""
        return self.kind in LISTS

    @property
    def promised(self) -> bool:
        """Whether its risk is known before it acts."""
        return self.promise in PROMISED


class Folder(_Section):
    """The result folder of one base of a task, relative to the benchmark's.

    level: how smooth the base is, in a word; seed: the one that it was trained with. left_out: why
    methods have no cells there, by their names.
    """

    task: Name
    base: Name
    level: str
    seed: int
    folder: str
    left_out: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _within(self) -> Folder:
        path = PurePosixPath(self.folder)
        if path.is_absolute() or ".." in path.parts or "\\" in self.folder:
            raise ValueError(f"folder {self.folder!r} is not within the benchmark's results")
        return self


class Manifest(_Section):
    """The content of ``bench.json``.

    failed: why a folder has no results, or not all. skipped: why a task was left out, by its name.
    """

    command: str
    tiny: bool
    risk_levels: tuple[Risk, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    tasks: tuple[Task, ...] = Field(min_length=1)
    methods: tuple[Method, ...] = Field(min_length=1)
    folders: tuple[Folder, ...]
    failed: dict[str, str] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for what, names in (
            ("task", [one.name for one in self.tasks]),
            ("method", [one.name for one in self.methods]),
            ("folder", [one.folder for one in self.folders]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"a {what} is there twice")
        unknown = {one.task for one in self.folders} - {one.name for one in self.tasks}
        if unknown:
            raise ValueError(f"no task {', '.join(sorted(unknown))}")
        return self

    @property
    def main_level(self) -> float:
        """The risk that is quoted: `MAIN_LEVEL`, or the middle one of those that there are."""
        levels = sorted(self.risk_levels)
        return MAIN_LEVEL if MAIN_LEVEL in levels else levels[len(levels) // 2]

    @property
    def reference(self) -> Method | None:
        """The paper's fixed α: Projected PPO under a constant ratio; None where it did not run."""
        found = (
            one
            for one in self.methods
            if (one.source, one.constraint, one.kind) == ("projected_ppo", "ratio", "cells")
        )
        return next(found, None)

    def task(self, name: str) -> Task:
        """The task of a name."""
        return next(one for one in self.tasks if one.name == name)


def read_manifest(results: Path) -> Manifest:
    """The manifest of a benchmark's results.

    Raises:
        UserError: none there, or a damaged one.
    """
    file = Path(results) / FILE
    content = read_object(file)
    if content is None:
        raise UserError(f"no benchmark in {results} (no {FILE}): make one with {BENCH}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise UserError(damaged(file, f"{where}: {first['msg']}", BENCH)) from error
