"""Commands about deployed policies: export, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sport_ray.experiments.cli import options
from sport_ray.experiments.cli.certificates import checks_table
from sport_ray.text import plain


def export_command(
    cell: Annotated[
        str,
        typer.Argument(metavar="CELL", help="A cell's id, its beginning, or RESULTS/cells/ID."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")],
    results: Annotated[
        Path | None, typer.Option("--results", help="Result folder that the cell is in.")
    ] = None,
    trust: options.Trust = None,
) -> None:
    """Write a finished cell's policy as a folder that needs neither Ray nor MLflow.

    The folder holds both policies (safetensors; of a sampler of yours its name, arguments and the
    sha256 of its code), the constraint, the certificate with its table, and a manifest with the
    sha256 of each: load it with sport_ray.deploy.load.
    """
    from sport_ray.deploy.bundle_files import MANIFEST
    from sport_ray.deploy.export import write_bundle
    from sport_ray.experiments.stages.export import export_of, locate_cell

    root, cell_id = locate_cell(cell, results)
    found = write_bundle(out, export_of(root, cell_id, trust or ()))
    console = Console(soft_wrap=True)
    console.print(f"bundle written to {out}; {MANIFEST} has the digest {found}")
    console.print(f"check its certificate with: sport-ray verify {out}")


def audit_command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log of a deployed policy.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Bundle it was loaded from: compute every step again."),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option("--digest", help="The log's digest, kept elsewhere when it was closed."),
    ] = None,
    trust: options.Trust = None,
) -> None:
    """Show that a log is whole and every action in it was within bounds; exit status 1 if not.

    Checks the chain of digests, the order of episodes and steps, and each step's limit, distance
    from the base policy, cost and budget from its own numbers; with --bundle also that these are
    the bundle's policies, and that every action is what its episode's seed draws (of a choice,
    that the candidates drawn again hold it).
    """
    from sport_ray.deploy import audit_log, read_bundle
    from sport_ray.samplers import SamplerFile

    # A sampler's module is imported once its code has been compared, when the draws are made again.
    whole = None if bundle is None else read_bundle(bundle, trust_module=trust or ())
    base = None if whole is None else whole.base
    later = base.spec.module if isinstance(base, SamplerFile) else None
    options.run_trusted(one for one in trust or () if one != later)
    checks = audit_log(log, whole, expect)
    console, name = Console(soft_wrap=True), escape(plain(log))
    console.print(checks_table(checks))
    failed = [check.name for check in checks if check.passed is False]
    if failed:
        console.print(f"[bold red]{name} does not hold[/]: {', '.join(failed)}")
        raise typer.Exit(1)
    console.print(f"{name} holds")
