"""The lists of limits of a study, as `sport-ray plan` shows them, and what was chosen from them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from sport_ray.certificates import Certificate
from sport_ray.constraints import constraint_class
from sport_ray.experiments.config.shipped import study_file
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.sweep.limit_lists import beta_of, levels_at, limit_lists, settings
from sport_ray.tracking.results.labels import confidence_text


def show_lists(console: Console, study_path: Path, certificate: Certificate, folder: Path) -> None:
    """Print each list with how it is tested, and the table of choices where cells are finished.

    Raises:
        UserError: a study whose lists cannot be made.
    """
    study = load_study(study_file(study_path))
    asked = settings(study)
    if asked is None:
        return
    whose = (
        f"{asked.num_scenarios} fresh scenarios"
        if asked.scenarios == "fresh"
        else ("the certificate's scenarios")
    )
    for horizon in study.horizons(certificate):
        levels = levels_at(study, certificate, horizon)
        if not levels:
            continue
        beta = beta_of(asked, certificate, levels)
        for members in limit_lists(study, certificate, horizon, trained=True):
            limits = ", ".join(f"{one.limit:.6g}" for one in members)
            title = constraint_class(members[0].name).title
            console.print(
                escape(
                    f"limits from base scenarios, {title}, T = {horizon}: {limits}, tested in this "
                    f"order on {whose} for ε_max = {', '.join(f'{x:g}' for x in levels)}, each "
                    f"with confidence {confidence_text(beta)}"
                ),
                soft_wrap=True,
                highlight=False,
            )
    if any((folder / "cells").glob("*/record.json")):
        from sport_ray.tracking.analysis.limits import limits_table
        from sport_ray.tracking.analysis.limits_table import print_limits
        from sport_ray.tracking.results.records import read_results
        from sport_ray.tracking.results.table import table_of

        print_limits(console, limits_table(table_of(read_results(folder))))
