"""Paths in a study's settings, once the study lies in a result folder."""

from __future__ import annotations

from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.config.paths import exists, user_path
from sport_ray.tracking.results.folder import ResultFolder


def settled_place(
    study_folder: Path, given: str, named: str, key: tuple[str, str], digest: str | None
) -> tuple[Path, str | None] | None:
    """Where a path of a study file leads; None where nothing is.

    In a result folder, whose study.yaml has paths relative to where it came from, it is the path of
    its study.json, with the digest of what was there.

    named: begins the line of an error. key: the source and the setting. digest: what it must be of.
    """
    path = Path(study_folder, user_path(given)).absolute()
    if exists(path, named):
        return path, None
    source, name = key
    try:
        study = ResultFolder(Path(study_folder)).read_study() or {}
        known = study["task_policies"][source]
        place, found = str(known[name]), known["digest" if name == "path" else "data_digest"]
    except (UserError, KeyError, TypeError):
        return None
    fits = isinstance(found, str) and digest in (None, found) and same_place(place, given)
    return (Path(place), found) if fits else None


def same_place(settled: str, given: str) -> bool:
    """Whether a full path may be what a relative one of the study file stood for.

    >>> same_place("/home/ann/study/policies/mine", "policies/mine")
    True
    >>> same_place("/home/ann/study/policies/mine", "policies/other")
    False
    """
    wanted = [part for part in Path(given).parts if part not in ("..", ".")]
    return list(Path(settled).parts[-len(wanted) :]) == wanted if wanted else False
