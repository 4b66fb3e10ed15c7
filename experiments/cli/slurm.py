"""The command slurm: a study as a batch job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sport_ray.errors import UserError
from sport_ray.experiments.cli.options import Results, Study


def slurm_command(
    study_path: Study,
    results: Results = None,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="How many.")] = 1,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, help="Of each node (default: whole nodes).")
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="Of each node.")] = 0,
    time: Annotated[
        str | None, typer.Option("--time", metavar="[D-]HH:MM:SS", help="The job's time limit.")
    ] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="Where it runs.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Who pays.")] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            "--sbatch", metavar="OPTION", help="Another one of sbatch, as --sbatch=--mem=16G."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The script (default: <name of the study>.sbatch).")
    ] = None,
) -> None:
    """Write a batch script that runs the study on nodes of a Slurm cluster, without root.

    It starts Ray's head and workers by srun, with a token of its own, runs the study and ends
    them. Submit it with sbatch; submit it again, or let Slurm requeue it, to resume. Study,
    results (but those in an object store) and this Python must be at the same paths on every node.
    """
    from sport_ray.experiments.cluster.slurm import SlurmJob
    from sport_ray.experiments.config.shipped import study_file
    from sport_ray.experiments.config.study import load_study
    from sport_ray.experiments.storage.place import Place

    path = study_file(study_path)
    study = load_study(path)
    job = SlurmJob(
        study=path.resolve(),
        results=Place.of(results or "") or (results or Path("results") / study.name).absolute(),
        name=study.name,
        nodes=nodes,
        cpus=cpus,
        gpus=gpus,
        time=time,
        partition=partition,
        account=account,
        more=tuple(sbatch or ()),
    )
    target = out or Path(f"{study.name}.sbatch")
    try:
        target.write_text(job.script(), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from None
    sys.stdout.write(f"{target}\nsubmit it, and again to resume: sbatch {target}\n")
