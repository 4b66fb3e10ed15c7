"""Names of runs, beginning with what sets a cell apart: MLflow's page shows their first letters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sport_ray.tracking.results.labels import constraint_text, method_text
from sport_ray.tracking.results.parameters import parameters_of
from sport_ray.tracking.results.varying import HORIZON, METHOD, SETTING

EVERYTHING = (SETTING, HORIZON, METHOD)


def run_name(record: Mapping[str, Any], varies: Collection[str] = EVERYTHING) -> str:
    """The name that the page shows for a cell's run: what varies in its study, and the seed.

    varies: what `varying` says of the study's cells.

    >>> cell = {"source": "projected_ppo", "projected": True, "constraint": "ratio", "seed": 1,
    ...     "alpha": 1.25, "horizon": 22, "hyperparameters": "lr=0.0001"}
    >>> run_name(cell)
    'α = 1.25 · T 22 · lr 0.0001 · s1 · PPO'
    >>> run_name(cell, ["setting"])
    'α = 1.25 · lr 0.0001 · s1'
    """
    free = not record["projected"]
    parameters = parameters_of(record.get("hyperparameters")).items()
    told = {
        SETTING: method_text(record) if free else constraint_text(record),
        HORIZON: f"T {record['horizon']}",
        METHOD: "" if free else method_text(record),
    }
    shown = {name: text for name, text in told.items() if name in varies}
    if not shown and not parameters:
        shown = {SETTING: told[SETTING]}
    parts = [shown.get(SETTING), shown.get(HORIZON)]
    parts += [f"{name} {value}" for name, value in parameters]
    return " · ".join(filter(None, [*parts, f"s{record['seed']}", shown.get(METHOD)]))
