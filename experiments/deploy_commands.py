"""Commands about deployed policies: export, audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from experiments.certificate_commands import MARKS
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which --help should not
    from experiments.cells import Cell
    from experiments.study import Study
    from sport_ray.certificates import Certificate

EVIDENCE = (
    "num_scenarios", "num_violations", "posterior_bound", "posterior_beta", "max_log_ratio",
    "max_prefix_log_ratio",
)  # fmt: skip


def export_command(
    cell: Annotated[
        str,
        typer.Argument(metavar="CELL", help="A cell's id, its beginning, or RESULTS/cells/ID."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")],
    results: Annotated[
        Path | None, typer.Option("--results", help="Result folder that the cell is in.")
    ] = None,
) -> None:
    """Write a finished cell's policy as a folder that needs torch and numpy only.

    The folder holds both policies (safetensors), the constraint, the certificate with its table,
    and a manifest with the sha256 of each: load it with sport_ray.deploy.load.
    """
    from sport_ray.deploy.bundle import MANIFEST
    from sport_ray.deploy.export import write_bundle

    root, cell_id = locate_cell(cell, results)
    found = write_bundle(out, export_of(root, cell_id))
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
) -> None:
    """Show that a log is whole and every action in it was within bounds; exit status 1 if not.

    Checks the chain of digests, the order of episodes and steps, and each step's limit, distance
    from the base policy, cost and budget from its own numbers; with --bundle also that these are
    the bundle's policies, and that every action is what its episode's seed draws.
    """
    from sport_ray.deploy import audit_log, read_bundle

    checks = audit_log(log, None if bundle is None else read_bundle(bundle), expect)
    table = Table("check", "", "", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.name, MARKS[check.passed], check.detail)
    console = Console(soft_wrap=True)
    console.print(table)
    failed = [check.name for check in checks if check.passed is False]
    if failed:
        console.print(f"[bold red]{log} does not hold[/]: {', '.join(failed)}")
        raise typer.Exit(1)
    console.print(f"{log} holds")


def locate_cell(given: str, results: Path | None) -> tuple[Path, str]:
    """The result folder and the whole id of a cell.

    Raises:
        UserError: no such cell, or more than one.
    """
    path = Path(given)
    if results is None:
        if path.parent.name != "cells":
            raise UserError(f"cell {given!r}: name its result folder with --results")
        results, given = path.parent.parent, path.name
    elif path.parent.name == "cells":
        given = path.name
    cells = results / "cells"
    if not cells.is_dir():
        raise UserError(f"result folder {results} has no cells: run `sport-ray run` first")
    found = sorted(p.name for p in cells.iterdir() if p.is_dir() and p.name.startswith(given))
    if given in found:
        found = [given]
    if len(found) != 1 or not given:
        what = "is not one of those" if not found else f"could be any of {', '.join(found[:5])}"
        raise UserError(f"cell {given!r} {what} in {cells}: see cell_id in cells.csv")
    return results, found[0]


def export_of(root: Path, cell_id: str) -> Any:
    """All that a bundle of a cell is made of.

    Raises:
        UserError: a cell that is not finished, or that the study in the folder does not have.
    """
    from experiments.deployment import deployment_kwargs, perturbation
    from experiments.evaluation import prior_bound
    from experiments.results import read_record
    from sport_ray.certificates import load_certificate
    from sport_ray.deploy.export import Export
    from sport_ray.policies import load_policy

    record = read_record(root, cell_id)
    if record is None:
        raise UserError(f"cell {cell_id} has no record that can be read: run the study again")
    if record["status"] != "finished":
        raise UserError(f"cell {cell_id} failed ({record['reason']}): only finished cells go out")
    certificate = load_certificate(root / "certificate.json")
    task = root / "policies" / str(record["policy_digest"])[:16]
    trained = load_policy(task)
    if trained.digest != record["policy_digest"]:
        raise UserError(f"cell {cell_id}: {task} holds another policy than its record names")
    study = _study(root)
    cell = _cell(study, certificate, cell_id, trained.provenance)
    require_certified(study, certificate, root, cell.horizon)
    bound = prior_bound(study, cell, certificate)
    return Export(
        base=root / "base",
        task=task,
        certificate=root / "certificate.json",
        constraint=cell.constraint,
        horizon=cell.horizon,
        bound=bound,
        env_kwargs=deployment_kwargs(study),
        **perturbation(study)._asdict(),
        source={
            "study": study.name,
            "cell_id": cell_id,
            "method": cell.method,
            "seed": cell.seed,
            "eps_max": cell.eps_max,
            **({} if cell.task_policy is None else {"task_policy": cell.task_policy}),
        },
        evidence={name: record.get(name) for name in EVIDENCE},
    )


def require_certified(study: Study, certificate: Certificate, root: Path, horizon: int) -> None:
    """Refuse to export from a certificate for another study, or that its table, its sources or
    this world belie.

    Raises:
        UserError: says which, see ``experiments.world``.
    """
    from experiments.world import require_sources_unchanged, require_world
    from sport_ray.certificates.recount import require_counted
    from sport_ray.policies import load_policy

    table, base = root / certificate.outcomes.file, load_policy(root / "base")
    certificate.require_match(
        base_digest=base.digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
    )
    require_counted(certificate, table)
    require_sources_unchanged(certificate)
    require_world(study, certificate, table, base, [horizon])


def _study(root: Path) -> Study:
    from pydantic import ValidationError

    from experiments.study import Study

    try:
        return Study.model_validate_json((root / "study.json").read_text())
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"study {root / 'study.json'} cannot be read: {reason}") from None


def _cell(study: Study, certificate: Certificate, cell_id: str, provenance: dict[str, Any]) -> Cell:
    """The cell with this id: planned by the study now, or when its policy was trained."""
    from experiments.cells import Cell
    from experiments.grid import plan_jobs

    planned = [cell for job in plan_jobs(study, certificate) for cell in job.cells]
    trained = [Cell.model_validate(one) for one in provenance.get("job", {}).get("cells", [])]
    for cell in (*planned, *trained):
        if cell.cell_id(study, certificate) == cell_id:
            return cell
    raise UserError(
        f"cell {cell_id} is of other settings or another certificate than {study.name!r} has now: "
        "run the study again"
    )
