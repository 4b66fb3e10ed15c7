"""The file of a task: what a study says of it, and what its bases differ by."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from sport_ray.experiments.benchmark.files import HERE, NamedSection, merged, read_all
from sport_ray.experiments.config.base import Keywords, Section
from sport_ray.experiments.config.mistakes import did_you_mean, shown
from sport_ray.experiments.config.task_policies import by_source

TASKS = HERE / "tasks"
LEVELS = ("smooth", "middle", "sharp")
"""Of smoothness: how wide a base is, and how much it therefore leaves to gain."""
BASE_SEEDS = (0, 1, 2)
KEYS = (
    "environment",
    "property",
    "horizon",
    "base_training",
    "certificate",
    "training",
    "unconstrained_training",
    "evaluation",
    "resources",
    "engine",
    "settings",
)
"""Of a task's ``study``; all else is composed."""
NEEDED = ("environment", "property", "horizon", "certificate", "evaluation")


class LevelsSection(Section):
    """What of ``base_training`` differs by the level of smoothness."""

    smooth: Keywords
    """Bases that leave much to gain."""
    middle: Keywords
    """Between both."""
    sharp: Keywords
    """Bases that leave little."""


class TaskFile(NamedSection):
    """A task of the benchmark."""

    extra: str | None = None
    """Extra of the package that its environment needs."""
    study: Keywords
    """As in a study file, and `horizon`, T, in steps; `settings` are those of sources here."""
    levels: LevelsSection
    """What of `study.base_training` differs by the level of smoothness."""
    tiny: Keywords = Field(default_factory=dict)
    """What differs in the tiny suite, key by key."""

    @field_validator("study", "tiny")
    @classmethod
    def _settings_by_source(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "settings": by_source(given["settings"])} if "settings" in given else given

    @model_validator(mode="after")
    def _keys(self) -> TaskFile:
        for name, given in (("study", self.study), ("tiny", self.tiny)):
            for key in given:
                if key not in KEYS:
                    raise ValueError(
                        f"{name} has the key {shown(key)}, which is not a task's to say: "
                        f"{did_you_mean(key, KEYS)}"
                    )
        for key in NEEDED:
            if key not in self.study:
                raise ValueError(f"study.{key} is missing")
        return self

    def sections(self, level: str, seed: int, *, tiny: bool) -> dict[str, Any]:
        """What a study with a base of that level and seed says; ``horizon`` and ``settings`` too.

        tiny: nothing of the rule by which bases that ship were picked: too little is trained.
        """
        found = merged(self.study, {"base_training": getattr(self.levels, level)})
        found = merged(found, {"base_training": {"seed": seed}})
        if tiny:
            found = merged(found, {"base_training": {"accept": None}})
            found = merged(found, self.tiny)
        return found


def tasks() -> dict[str, TaskFile]:
    """Every task by name.

    Raises:
        UserError: a file with a mistake.
    """
    return read_all(TASKS, TaskFile)
