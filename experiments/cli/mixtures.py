"""The command mix: random budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sport_ray.errors import UserError
from sport_ray.experiments.cli.changed import changed
from sport_ray.experiments.cli.options import Results, StudyOrResults, Trust, run_trusted
from sport_ray.tracking.console import PlainConsole, say


def mix_command(
    study_path: StudyOrResults,
    results: Results = None,
    eps_max: Annotated[
        list[float] | None,
        typer.Option("--eps-max", help="Level of risk; more than one if given again."),
    ] = None,
    scenarios: Annotated[
        int | None, typer.Option("--scenarios", min=1, help="Fresh scenarios of each cell.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the mixture of one level as a bundle; must not exist."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Whose policies the bundle holds.")] = 0,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="T of the bundle, where there are several.")
    ] = None,
    trust: Trust = None,
) -> None:
    """Mix a study's cells for the most gain at a level of risk: a random budget.

    Which of two policies acts is drawn at the start of each episode, so the bound is the mean of
    both bounds, each at most 1. Needs a finished study. The best mixture is found from its cells,
    then run on fresh scenarios beside the best one setting and the coin flip. Writes
    mixtures.json; speedup.csv and the report then have them, too. --out writes one bundle.
    """
    run_trusted(trust)
    from sport_ray.experiments.results.status import locate
    from sport_ray.experiments.stages.mix import folder_of, mix
    from sport_ray.tracking.analysis.mixtures_table import print_mixtures
    from sport_ray.tracking.results.bases import require_one_base

    console = PlainConsole()
    if out is not None and len(eps_max or ()) != 1:
        raise UserError("--out writes one bundle: give one --eps-max")
    with changed(results or study_path, console) as place:
        root, _ = locate(study_path, place) if results else locate(place, None)
        require_one_base(root)
        rows: list[dict[str, Any]] = mix(folder_of(root), console, eps_max, scenarios)
    print_mixtures(console, rows)
    if out is not None:
        assert eps_max is not None
        from sport_ray.deploy.export import write_bundle
        from sport_ray.experiments.stages.export import export_of_mixture

        found = write_bundle(out, export_of_mixture(root, eps_max[0], seed, horizon, trust or ()))
        say(console, f"bundle written to {out}; its digest is {found}")
