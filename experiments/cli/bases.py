"""The command base: what a user must know about a base."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from sport_ray.experiments.cli.options import Study
from sport_ray.tracking.console import PlainConsole


def base_command(
    study_path: Study,
    bases: Annotated[
        list[str] | None,
        typer.Option(
            "--base",
            help="Another base than the study's: one that ships, a folder, or module:name.",
        ),
    ] = None,
) -> None:
    """Say what a base does: how often it violates, its times, its actions at their bounds.

    In fresh scenarios of the study's environment, a few seconds on the point robot. It warns of a
    base that leaves a policy within a ratio of it little to gain. Writes nothing.
    """
    from sport_ray.experiments.config.shipped import study_file
    from sport_ray.experiments.config.study import load_study

    path = study_file(study_path)
    study = load_study(path)
    from sport_ray.experiments.stages.base import load_base
    from sport_ray.experiments.stages.base_statistics import described, statistics_of
    from sport_ray.experiments.stages.propositions import require_propositions

    require_propositions(study)
    console = PlainConsole()
    for name in bases or study.all_bases:
        asked = study.of_base(name) if name in (study.bases or []) else study
        base = load_base(asked, name, path)
        console.print(f"base {escape(name)}, {base.digest[:12]}", highlight=False)
        for line in described(statistics_of(asked, base)):
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
