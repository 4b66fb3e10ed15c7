"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sport_ray.errors import UserError
from sport_ray.experiments.cli.completion import studies_like

Study = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY.yaml",
        help="The study file, or the name of one that ships.",
        autocompletion=studies_like,
    ),
]
StudyOrResults = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY.yaml|RESULTS",
        help="Study file or result folder (or s3://…).",
        autocompletion=studies_like,
    ),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="Result folder (default: results/<name of the study>), or s3://, gs:// or az://…",
    ),
]
WorkDir = Annotated[
    Path | None,
    typer.Option("--work-dir", help="Where the copy of results in an object store lies here."),
]
Address = Annotated[
    str | None, typer.Option("--address", help="Join this Ray cluster instead of starting Ray.")
]
NoRay = Annotated[
    bool,
    typer.Option("--no-ray", help="This process does all, one thing after the other, without Ray."),
]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-module",
        metavar="MODULE",
        help="This module, which the file names (environment, constraint or sampler), may run.",
    ),
]


def run_trusted(modules: Iterable[str] | None) -> None:
    """Import the modules that the user trusts: constraints in them are known, samplers may run.

    Raises:
        UserError: one that cannot be imported.
    """
    if not modules:
        return
    from sport_ray.samplers import trust_module  # torch takes seconds

    for module in modules:
        try:
            trust_module(module)
        except UserError as error:
            raise UserError(f"--trust-module: {error}") from error.__cause__
