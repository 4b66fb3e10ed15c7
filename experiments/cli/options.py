"""Arguments and options that several commands have."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sport_ray.errors import UserError

Study = Annotated[
    Path,
    typer.Argument(metavar="STUDY.yaml", help="The study file, or the name of one that ships."),
]
StudyOrResults = Annotated[
    Path, typer.Argument(metavar="STUDY.yaml|RESULTS", help="Study file or result folder.")
]
Results = Annotated[
    Path | None,
    typer.Option("--results", help="Result folder (default: results/<name of the study>)."),
]
Address = Annotated[
    str | None, typer.Option("--address", help="Join this Ray cluster instead of starting Ray.")
]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-module",
        metavar="MODULE",
        help="This module, which the file names (environment or constraint), may run.",
    ),
]


def run_trusted(modules: Iterable[str] | None) -> None:
    """Import the modules that the user trusts, so that the constraints in them are known.

    Raises:
        UserError: one that cannot be imported.
    """
    for module in modules or ():
        try:
            importlib.import_module(module)
        except Exception as error:  # the module's own code
            raise UserError(f"--trust-module: cannot import {module!r}: {error}") from error
