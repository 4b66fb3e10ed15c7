"""Learning curves of a whole study as one tidy table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sport_ray.tracking.results.curves import QUANTITIES, read_curves
from sport_ray.tracking.results.records import read_results


def load_curves(path: str | Path) -> pd.DataFrame:
    """A row per cell and point: ``cell_id`` and `QUANTITIES`, NaN where nothing was measured.

    ``load_results(path).merge(load_curves(path), on="cell_id")`` has what the cells are.

    Raises:
        UserError: no results, or a damaged file.
    """
    folder = read_results(path)
    parts = []
    for record in folder.records:
        curves = read_curves(folder.files, record["cell_id"])
        if curves is not None:
            columns = {name: curves[name] for name in QUANTITIES}
            parts.append(pd.DataFrame({"cell_id": record["cell_id"], **columns}))
    if not parts:
        return pd.DataFrame(columns=["cell_id", *QUANTITIES]).astype({"cell_id": str})
    return pd.concat(parts, ignore_index=True)
