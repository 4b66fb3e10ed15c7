"""Which engine trains a cell: a cohort, one run of its own, or its source in its own way."""

from __future__ import annotations

from typing import Literal

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies.source import source_class

UsedEngine = Literal["cohort", "single"]


def engine_of(study: Study, source: str) -> UsedEngine | None:
    """What trains the task policies of a source; None where they are not one run of PPO.

    It is part of a cell's identity, so the study and the source alone decide: never how many cells
    there are, which of them are missing, or how large the machine is. A cell that has no company is
    a cohort of one, whose numbers are those that it would have in any other.
    """
    if source_class(source).why_alone is not None:
        return None
    alone = study.engine == "single" or study.certificate.plan is not None
    return "single" if alone else "cohort"
