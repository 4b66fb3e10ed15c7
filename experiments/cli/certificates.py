"""Commands about certificates that exist: plan, verify, sign, new-key."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sport_ray.errors import UserError
from sport_ray.experiments.cli import options
from sport_ray.experiments.cli.changed import changed
from sport_ray.text import plain
from sport_ray.tracking.console import narrow_table

if TYPE_CHECKING:  # torch takes seconds, which --help should not
    from sport_ray.certificates.verify import Check

CertificatePath = Annotated[
    Path,
    typer.Argument(metavar="CERT", help="certificate.json, or a folder that holds one."),
]
MARKS = {True: "[green]passed[/]", False: "[bold red]FAILED[/]", None: "[yellow]not checked[/]"}
MISSING = "[bold red]MISSING[/]"
MANIFEST = "manifest.json"


def certificate_file(path: Path) -> Path:
    """The certificate that a path means: the file, or ``certificate.json`` in the folder.

    Raises:
        UserError: a folder of a study over several bases, each of which has its own.
    """
    if path.is_dir():
        from sport_ray.tracking.results.bases import require_one_base  # loads numpy

        require_one_base(path)
    return path / "certificate.json" if path.is_dir() else path


def bundle_folder(path: Path) -> Path | None:
    """The folder of the bundle that a path means; None for a certificate.

    It has a manifest (or is the manifest), or a task policy, to which one belongs.
    """
    if path.name == MANIFEST:
        return path.parent
    is_bundle = (path / MANIFEST).exists() or (path / "task").is_dir()
    return path if is_bundle else None


def checks_table(checks: Iterable[Any]) -> Table:
    """One line per check; what a file says may be anything: neither codes nor markup."""
    table = narrow_table("", "check", "verdict")
    table.add_column("found")
    for check in checks:
        mark = MISSING if getattr(check, "missing", False) else MARKS[check.passed]
        table.add_row(check.name, mark, escape(plain(check.detail)))
    return table


def verify_command(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="CERT", help="certificate.json, a folder that holds one, or a bundle."
        ),
    ],
    base: Annotated[
        Path | None,
        typer.Option("--base", help="Folder of the base policy (default: beside CERT)."),
    ] = None,
    rerun: Annotated[
        int,
        typer.Option("--rerun", min=0, help="Run so many scenarios again, spread over all."),
    ] = 0,
    trust: options.Trust = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", help="Require a signature (CERT.sig) by this key's holder."),
    ] = None,
) -> None:
    """Recompute every number of a certificate from its outcome table; exit status 1 if one fails.

    Checks the file byte for byte, the table's bytes and numbers, every count and bound, that
    the table's columns agree with each other, and the base policy's digest; of a bundle every
    file and its promise, too. With --rerun, also runs scenarios again from their seeds: they must
    give the same rows to the bit. Nothing that a file names is run unless --trust-module says so.
    """
    from sport_ray.certificates.verify import verify_certificate
    from sport_ray.experiments.stages.progress import counting

    console = Console()
    folder = bundle_folder(certificate)
    path = certificate_file(folder or certificate)
    checks: list[Any] = []
    if folder is not None:
        checks = _bundle(folder, trust or ())
    given: dict[str, Any] = {"base": base, "trust": trust or ()}
    if rerun:
        with counting(console, "run again: scenarios", rerun) as advance:
            checks += verify_certificate(path, rerun=rerun, progress=advance, **given)
    else:
        checks += verify_certificate(path, **given)
    if public_key is not None:
        checks.append(_signature(path, public_key))
    console.print(checks_table(checks))
    name = escape(plain(path if folder is None else folder))
    failed = [check for check in checks if check.passed is False]
    lost = [check.name for check in failed if getattr(check, "missing", False)]
    wrong = [check.name for check in failed if check.name not in lost]
    if wrong:
        console.print(f"[bold red]{name} does not hold[/]: {', '.join(wrong)}", soft_wrap=True)
    if lost:
        console.print(
            f"[bold red]{name} cannot be verified[/], a file is missing: {', '.join(lost)}",
            soft_wrap=True,
        )
    if failed:
        raise typer.Exit(1)
    console.print(f"{name} holds", soft_wrap=True)


def _bundle(folder: Path, trust: Collection[str]) -> list[Any]:
    """The checks of a bundle as such."""
    from sport_ray.certificates.verify import Check
    from sport_ray.deploy.verify import verify_bundle

    manifest = folder / MANIFEST
    if not manifest.exists():
        return [Check("manifest", False, f"{manifest} does not exist", missing=True)]
    return list(verify_bundle(folder, trust=trust))


def _signature(path: Path, public_key: Path) -> Check:
    from sport_ray.certificates.signing import check_signature
    from sport_ray.certificates.verify import Check

    try:
        check_signature(path, public_key)
    except UserError as error:
        return Check("signature", False, str(error))
    return Check("signature", True, f"by the holder of {public_key}")


def sign_command(
    certificate: CertificatePath,
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key (PEM); see new-key.")],
) -> None:
    """Sign a certificate: writes CERT.sig, which verify --public-key checks."""
    from sport_ray.certificates.signing import sign_certificate
    from sport_ray.experiments.storage.place import Place

    with changed(certificate, Console()) as path:
        target = sign_certificate(certificate_file(path), key)
    place = Place.of(certificate)
    kept = f"{str(place).removesuffix('/certificate.json')}/{target.name}" if place else target
    Console().print(f"signature written to {escape(str(kept))}", soft_wrap=True)


def new_key_command(
    path: Annotated[Path, typer.Argument(metavar="KEY.pem", help="Where to write the key.")],
) -> None:
    """Make a key to sign certificates with: KEY.pem (keep it) and KEY.pem.pub (give it away)."""
    from sport_ray.certificates.signing import new_key

    new_key(path)
    Console().print(escape(f"private key {path}, public key {path}.pub"), soft_wrap=True)


def _of_study(path: Path) -> Path:
    """The certificate in the usual result folder of a study file, if it is for that study.

    Raises:
        UserError: a study that cannot be read; no certificate, or one for another study.
    """
    from sport_ray.certificates import load_certificate
    from sport_ray.experiments.config.shipped import study_file
    from sport_ray.experiments.config.study import load_study
    from sport_ray.experiments.stages.propositions import require_propositions

    study = load_study(study_file(path))
    require_propositions(study)
    folder = Path("results") / study.name
    found = certificate_file(folder) if folder.is_dir() else folder / "certificate.json"
    loaded = load_certificate(found)
    loaded.require_match(
        base_digest=loaded.base_digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
    )
    return found


def plan_command(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="CERT|STUDY.yaml",
            help="certificate.json, a folder that holds one, or a study that has one in results/.",
        ),
    ],
    eps_max: Annotated[
        list[float] | None,
        typer.Option("--eps-max", help="Acceptable risk; may be given more than once."),
    ] = None,
    horizon: Annotated[int | None, typer.Option("--horizon", min=1, help="Only this T.")] = None,
    alpha_mu: Annotated[
        float, typer.Option("--alpha-mu", min=1.0, help="Ratio of the initial laws, deployed/base.")
    ] = 1.0,
    alpha_p: Annotated[
        float, typer.Option("--alpha-p", min=1.0, help="Ratio of the dynamics, per step.")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for plan.csv and the figure (default: CERT's folder)."),
    ] = None,
) -> None:
    """How large may α be, and at which T, for a risk that is acceptable? Nothing is trained.

    Prints the best (T, α) for each ε_max where the property, once satisfied, stays satisfied, as
    a goal that is reached. Of any other, such as G !hazard, a shorter T permits more and promises
    less: no T is recommended, and the table says what each T costs. Writes plan.csv (every T) and
    the figure of the largest permitted log α against T. All T and all α hold together with the
    certificate's confidence, so picking costs nothing. Of a study with sweep.choose also its lists
    of limits, and what scenarios of the base have allowed so far.
    """
    from sport_ray.certificates import load_certificate
    from sport_ray.experiments.cli.limit_lists import show_lists
    from sport_ray.experiments.cli.permitted import advice, plan_table
    from sport_ray.experiments.stages.permitted import plan_rows, write_plan

    is_study = certificate.suffix in (".yaml", ".yml")
    path = _of_study(certificate) if is_study else certificate_file(certificate)
    loaded = load_certificate(path)
    world = {"alpha_mu": alpha_mu, "alpha_p": alpha_p}
    rows = plan_rows(loaded, eps_max, horizon, **world)
    console = Console()
    console.print(plan_table(loaded, rows))
    if is_study:
        show_lists(console, certificate, loaded, path.parent)
    if horizon is None and (told := advice(loaded)) is not None:
        console.print(escape(plain(told)), soft_wrap=True, highlight=False)
    table, figure = write_plan(loaded, rows, out or path.parent, **world)
    drawn = "" if figure is None else f" and {figure}.png, .svg"
    console.print(escape(f"written: {table}{drawn}"), soft_wrap=True)
