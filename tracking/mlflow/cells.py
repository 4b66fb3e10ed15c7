"""What the cells of one study are called and described by, known before the first has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sport_ray.tracking.mlflow.identity import params_of
from sport_ray.tracking.mlflow.names import run_name
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.varying import varying


@dataclass(frozen=True)
class CellRuns:
    """Names and params of the runs of a study's cells.

    varies: what tells their names apart. parameters: by source, those of training.
    """

    varies: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, folder: Results) -> CellRuns:
        """From the plan; without one, from the records that are there."""
        plan = folder.files.read_plan()
        varies = None if plan is None else plan.varies
        if varies is None:
            varies = varying(folder.records)
        return cls(varies, {} if plan is None else plan.parameters)

    def name(self, record: Mapping[str, Any]) -> str:
        """Of the cell's run."""
        return run_name(record, self.varies)

    def params(self, record: dict[str, Any]) -> dict[str, str]:
        """Of the cell's run."""
        return params_of(record, self.parameters.get(record["source"], {}))
