"""A result folder of a study over several bases: a sub-folder per base, each a whole study."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import ResultFolder

TASK_POLICIES = "task_policies"
"""Of the whole folder: task policies that do not depend on the base, for all of them."""
_TAKEN = frozenset({TASK_POLICIES, "figures", "base", "cells", "policies"})
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LONGEST = 60


def base_folders(bases: Sequence[str]) -> dict[str, str]:
    """The name of each base's sub-folder: safe on any file system, and no two alike.

    A name that is safe and alone is kept. Of any other (a path, ``module:name``, one that another
    base has but for capitals) the last part is kept, with six digits of the whole name's sha256,
    so that a base's folder does not depend on the others' order.

    >>> base_folders(["paper_0", "paper_1"])
    {'paper_0': 'paper_0', 'paper_1': 'paper_1'}
    >>> list(base_folders(["./mine", "old/mine"]).values())
    ['mine-892261', 'mine-508619']
    """
    alike = [base.casefold() for base in bases]
    found = {}
    for base, folded in zip(bases, alike, strict=True):
        safe = _SAFE.fullmatch(base) and len(base) <= _LONGEST and folded not in _TAKEN
        found[base] = base if safe and alike.count(folded) == 1 else _with_digest(base)
    return found


def _with_digest(base: str) -> str:
    last = re.split(r"[/\\]", base.rstrip("/\\"))[-1]
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", last).strip("_-")[:_LONGEST] or "base"
    return f"{kept}-{hashlib.sha256(base.encode()).hexdigest()[:6]}"


def size_name(size: int) -> str:
    """The name of the part of a study that is certified with so many scenarios."""
    return f"n_{size}"


def named_sizes(root: Path) -> list[int]:
    """The sizes of the study in a result folder, in its order; empty of a study with one.

    Raises:
        UserError: a damaged file.
    """
    found = (ResultFolder(root).read_study() or {}).get("sizes")
    if not isinstance(found, list) or not all(type(one) is int for one in found):
        return []
    return found


def named_bases(root: Path) -> list[str]:
    """The bases, or sizes, of the study in a result folder by name, in its order; or none.

    Raises:
        UserError: a damaged file.
    """
    if sizes := named_sizes(root):
        return [size_name(size) for size in sizes]
    study = ResultFolder(root).read_study() or {}
    found = study.get("bases")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return []
    return found


def sub_folders(root: Path) -> dict[str, Path]:
    """The result folder of each base, by the base's name; empty of a study with one base."""
    return {base: root / name for base, name in base_folders(named_bases(root)).items()}


def with_results(root: Path) -> dict[str, Path]:
    """Those of the sub-folders in which a study has begun, or of which results were published."""
    return {
        base: path
        for base, path in sub_folders(root).items()
        if ResultFolder(path).study_json.exists() or (path / "cells.csv").is_file()
    }


def require_one_base(root: Path) -> None:
    """Refuse, for something that is about one base, a folder of several.

    Raises:
        UserError: naming the sub-folders.
    """
    if folders := sub_folders(root):
        raise UserError(
            f"{root} holds a study over several bases: name the folder of one "
            f"({', '.join(str(path) for path in folders.values())})"
        )


def shared_policies(root: Path) -> Path | None:
    """Where a sub-folder finds the task policies of all bases; None of any other folder."""
    whole = root.parent
    return whole / TASK_POLICIES if root in sub_folders(whole).values() else None
