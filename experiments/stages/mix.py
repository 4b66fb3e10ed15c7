"""The stage after a sweep: the best mixtures of its cells, run on fresh scenarios."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sport_ray.bounds import scenario_lower_bound
from sport_ray.bounds.perturbation import level_within
from sport_ray.canonical import write_json
from sport_ray.certificates import Certificate, load_certificate
from sport_ray.certificates.promise import REFUTATION_LEVEL
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import world_factor
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.alarm import require_no_alarm
from sport_ray.experiments.results.folder import StudyFolder, read_model
from sport_ray.experiments.stages.progress import counting
from sport_ray.experiments.sweep.mixed_scenarios import FreshScenarios
from sport_ray.experiments.sweep.mixtures import Mixed, mixtures_at, settings_at
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import family_of
from sport_ray.samplers import read_base
from sport_ray.tracking.results.files import writing
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.mixtures import FILE, SCHEMA, sealed
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import table_of

ELSEWHERE = "copy the results to where you may write"
"""What is to be done where nothing can be written beside the cells."""


def folder_of(root: Path) -> StudyFolder:
    """The folder of a study that has run, with the study as it ran.

    Raises:
        UserError: no study in it.
    """
    study = read_model(ResultFolder(root).study_json, Study)
    if study is None:
        raise UserError(f"{root} holds no study: give a result folder")
    return StudyFolder(root, study)


def mix(
    folder: StudyFolder,
    console: Console,
    levels: Sequence[float] | None = None,
    count: int | None = None,
) -> list[dict[str, Any]]:
    """Choose the best mixtures, run them on fresh scenarios, and write ``mixtures.json``; its rows.

    levels: of risk; default the study's ``mixtures.eps_max``, else ``sweep.eps_max``. count: fresh
    scenarios of each cell; default the study's ``mixtures.num_scenarios``.

    Raises:
        UserError: cells that are not there, a level that is out of reach at every T, a folder that
            cannot be written to, or a study whose promises its own data refute, these fresh ones
            included.
    """
    study = folder.study
    section = study.mixtures
    levels = levels or (section and section.eps_max) or study.sweep.eps_max
    if not levels:
        raise UserError(
            "no level of risk to mix for: give --eps-max, or sweep.eps_max in the study"
        )
    with writing(folder.root, ELSEWHERE), tempfile.TemporaryFile(dir=folder.root):
        pass  # told now, not after the scenarios
    count = count or (section.num_scenarios if section else study.evaluation.num_scenarios)
    require_no_alarm(folder.root, "nothing is mixed")
    certificate, base = load_certificate(folder.certificate), read_base(folder.base)
    plan = Plan.of(study, certificate, family_of(base))
    frame = table_of(read_results(folder.root))
    fresh = FreshScenarios(folder, base, count)
    rows: list[dict[str, Any]] = []
    for horizon in plan.horizons:
        settings = settings_at(plan, frame, horizon)
        world = world_factor(study, horizon)
        reached = [
            one for one in sorted(set(levels)) if level_within(one, world) >= settings[0].bound
        ]
        refused = study.sweep.out_of_reach == "refuse"
        if refused and not reached and horizon == plan.horizons[-1] and not rows:
            reached = [max(levels)]  # says why not
        found = [one for level in reached for one in mixtures_at(plan, settings, horizon, level)]
        base_cells = settings[0].cells
        needed = [*base_cells.values()]
        needed += [cell for one in found for part in one.settings for cell in part.cells.values()]
        missing = fresh.missing(needed)
        what = f"mix: fresh scenarios, T = {horizon}"
        with counting(console, what, count * len(missing)) as advance:
            for cell in missing:
                fresh.of(cell)
                advance(count)
        rows += [_row(one, fresh.mixed(one, base_cells)) for one in found]
    with writing(folder.root, ELSEWHERE):
        write_json(folder.root / FILE, sealed(_content(folder, certificate, count, rows)))
    _require_unrefuted(rows)
    return rows


def _row(mixed: Mixed, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    pairs = zip(mixed.settings, mixed.mixture.parts, strict=True)
    return {
        "horizon": mixed.horizon,
        "eps_max": mixed.eps_max,
        "kind": mixed.kind,
        "bound": mixed.bound,
        "weights": list(mixed.mixture.weights),
        "parts": [
            {
                "name": one.name,
                "constraint": constraint.to_json(),
                "cells": {str(seed): cell.id for seed, cell in one.cells.items()},
            }
            for one, constraint in pairs
        ],
        "expected_saved": mixed.saved,
        "seeds": seeds,
    }


def _content(
    folder: StudyFolder, certificate: Certificate, count: int, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "study": folder.study.name,
        "certificate": certificate.digest,
        "num_scenarios": count,
        "rows": rows,
    }


def _require_unrefuted(rows: list[dict[str, Any]]) -> None:
    """Refuse promises that the fresh scenarios refute, as the alarm of cells does.

    Raises:
        UserError: naming the first.
    """
    many = sum(len(row["seeds"]) for row in rows)
    for row in rows:
        for one in row["seeds"]:
            counts = one["num_scenarios"], one["num_violations"]
            if scenario_lower_bound(*counts, REFUTATION_LEVEL / many) > row["bound"]:
                raise UserError(
                    f"REFUTED: the {row['kind']} for eps_max = {row['eps_max']:g} was promised "
                    f"{row['bound']:.4g}, and {counts[1]} of {counts[0]} fresh scenarios violated "
                    f"(seed {one['seed']})"
                )
