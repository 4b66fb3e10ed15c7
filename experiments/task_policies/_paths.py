"""Paths in a study's settings, once the study lies in a result folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from sport_ray.experiments.config.base import Section

Settings = TypeVar("Settings", bound=Section)


def settled_before(folder: Path, source: str, section: type[Settings]) -> Settings | None:
    """A source's settings in a result folder's study.json; None where the folder is none."""
    try:
        study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        return section.model_validate(study["task_policies"][source])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def same_place(settled: str, given: str) -> bool:
    """Whether a full path may be what a relative one of the study file stood for.

    >>> same_place("/home/ann/study/policies/mine", "policies/mine")
    True
    >>> same_place("/home/ann/study/policies/mine", "policies/other")
    False
    """
    wanted = [part for part in Path(given).parts if part not in ("..", ".")]
    return list(Path(settled).parts[-len(wanted) :]) == wanted if wanted else False
