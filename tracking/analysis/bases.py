"""Everything that a study over several bases has in common, computed from their results once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sport_ray.errors import UserError
from sport_ray.tracking.analysis.side_by_side import published_of, side_by_side
from sport_ray.tracking.analysis.steps_saved import steps_saved
from sport_ray.tracking.results.bases import with_results
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import headline
from sport_ray.tracking.results.table import table_of


@dataclass(frozen=True)
class Bases:
    """The results of each base by its name, their tables of cells, and the joint tables.

    published: what the study names (`read_published`), or None. beside: `side_by_side` of each
    base, with the column ``base``. saved: `steps_saved`.
    """

    name: str
    folders: dict[str, Results]
    frames: dict[str, pd.DataFrame]
    published: pd.DataFrame | None
    beside: pd.DataFrame
    saved: pd.DataFrame

    @property
    def refuted(self) -> str:
        """One line that names each base whose data refute its promises; '' where none do."""
        found = {base: headline(one.refutations) for base, one in self.folders.items()}
        return "; ".join(f"base {base}: {text}" for base, text in found.items() if text)


def read_bases(root: str | Path) -> Bases:
    """Read the folder of a study over several bases; bases without any cell yet are left out.

    Raises:
        UserError: none of them has results, or any of them cannot be read.
    """
    root = Path(root)
    folders = {
        base: found
        for base, path in with_results(root).items()
        if (found := read_results(path, may_be_empty=True)).records
    }
    if not folders:
        raise UserError(f"no results of any base in {root}: run `sport-ray run STUDY.yaml` first")
    study = ResultFolder(root).read_study() or {}
    published = published_of(study)
    frames = {base: table_of(folder) for base, folder in folders.items()}
    tables = []
    for base, frame in frames.items():
        table = side_by_side(frame, published)
        tables.append(table.assign(base=base)[["base", *table.columns]])
    beside, saved = pd.concat(tables), steps_saved(frames, published)
    return Bases(str(study["name"]), folders, frames, published, beside, saved)
