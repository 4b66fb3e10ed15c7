"""All tables of a study, computed from its records once."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sport_ray.tracking.analysis.conservativeness import ladder_table
from sport_ray.tracking.analysis.hypervolume import hypervolume_table
from sport_ray.tracking.analysis.limits import limits_table
from sport_ray.tracking.analysis.pareto import pareto_table
from sport_ray.tracking.analysis.side_by_side import published_of, side_by_side
from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.analysis.task_policies import task_policy_table
from sport_ray.tracking.analysis.training_cost import training_table
from sport_ray.tracking.analysis.trends import trend_table
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import table_of


@dataclass(frozen=True)
class Tables:
    """What was computed from the records: cells, settings, fronts, comparisons, tests."""

    frame: pd.DataFrame
    settings: pd.DataFrame
    front: pd.DataFrame
    hypervolume: pd.DataFrame
    speedup: pd.DataFrame
    published: pd.DataFrame
    trends: pd.DataFrame
    sources: pd.DataFrame
    ladder: pd.DataFrame
    limits: pd.DataFrame
    training: pd.DataFrame


def tables_of(folder: Results) -> Tables:
    """The tables of a result folder that was read."""
    frame = table_of(folder)
    settings = aggregate(frame)
    return Tables(
        frame,
        settings,
        pareto_table(settings),
        hypervolume_table(settings, folder.base_at),
        speedup_table(folder, frame),
        side_by_side(frame, published_of(folder.study)),
        trend_table(frame),
        task_policy_table(frame, settings),
        ladder_table(frame, folder.certificate),
        limits_table(frame),
        training_table(frame),
    )
