"""Tags of runs whose evaluation refutes what was promised of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sport_ray.tracking.results.refutation import Refutation, headline

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REFUTED_TAG, REFUTATION_TAG = "sport_ray.refuted", "sport_ray.refutation"


def mark_refuted(
    client: MlflowClient, found: Sequence[Refutation], parent: Run, cells: Mapping[str, Run]
) -> None:
    """Tag the cells whose evaluation refutes their promise, and the sweep with them."""
    refuted = {one.cell_id: one.text for one in found}
    runs = [(parent, headline(found) if found else None)]
    runs += [(run, refuted.get(cell)) for cell, run in cells.items()]
    for run, text in runs:
        wanted = {} if text is None else {REFUTED_TAG: "true", REFUTATION_TAG: text}
        for name in (REFUTED_TAG, REFUTATION_TAG):
            if name in wanted and run.data.tags.get(name) != wanted[name]:
                client.set_tag(run.info.run_id, name, wanted[name])
            elif name not in wanted and name in run.data.tags:  # of an earlier evaluation
                client.delete_tag(run.info.run_id, name)
