"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
