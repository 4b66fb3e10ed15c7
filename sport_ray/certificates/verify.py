"""Check a certificate against everything it rests on, trusting no number that can be computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sport_ray.certificates.build import build_certificate
from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.consistency import contradiction
from sport_ray.certificates.rerun import CheckFailed, certified_plan, choose_again, run_again
from sport_ray.certificates.store import load_certificate
from sport_ray.errors import UserError
from sport_ray.policies import PolicyFile, load_policy
from sport_ray.properties import parse_property
from sport_ray.rollouts import OutcomeTotals, Tally
from sport_ray.rollouts.table_file import file_sha256, read_outcomes
from sport_ray.versions import source_digests, versions


@dataclass(frozen=True)
class Check:
    """One thing that was checked; ``passed`` is None where it could not be."""

    name: str
    passed: bool | None
    detail: str


def verify_certificate(
    path: Path,
    *,
    base: Path | None = None,
    rerun: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Check]:
    """Recompute every number of a certificate from its outcome table, and check the table.

    The file must be, byte for byte, what its content and digest make it; the table's bytes and
    numbers must have the digests that it names; counts, bounds, and steps follow from the table;
    the table's own columns must agree with each other; the base policy (in ``base``, by default
    the folder ``base`` or the folder of the certificate) must have the digest that it names; and
    ``rerun`` scenarios, drawn at random, are run again from their seeds and must give the
    same rows to the bit.

    What this cannot find: a table that was made up whole, by someone who also rewrote the
    certificate, unless ``rerun`` covers a forged row; whose work it is says only a signature.
    """
    path = Path(path)
    try:
        certificate = load_certificate(path)
    except UserError as error:
        return [Check("file", False, str(error))]
    violations = certificate.num_scenarios, certificate.beta, certificate.max_horizon
    checks = [
        Check("file", True, f"as written; digest {certificate.digest[:16]}…"),
        Check(
            "bounds",
            True,
            "{} scenarios, β = {:g}: bounds at T = 1 … {} follow from the counts".format(
                *violations
            ),
        ),
    ]
    table = path.parent / certificate.outcomes.file
    steps: list[tuple[str, Callable[[], str]]] = [
        ("table file", lambda: _check_bytes(certificate, table)),
        ("table rows", lambda: _check_rows(certificate, table)),
        ("numbers", lambda: _check_numbers(certificate, table)),
    ]
    folder = _base_folder(path, base)
    if folder is None:
        missing = "the policy is not beside the certificate: name its folder with --base"
        checks_after = [Check("base policy", None, missing)]
        if rerun:  # asked for and not possible: no pass
            checks_after.append(Check("rerun", False, missing))
    else:
        checks_after = []
        load = cache(load_policy)  # once for all checks; one that fails does so in each
        steps.append(("base policy", lambda: _check_base(certificate, folder, load(folder))))
        if rerun:
            steps.append(
                ("rerun", lambda: run_again(certificate, table, load(folder), rerun, progress))
            )
            if (choice := certificate.choice) is not None:
                steps.append(("choice", lambda: choose_again(certificate, choice, load(folder))))
    for name, step in steps:
        try:
            checks.append(Check(name, True, step()))
        except (CheckFailed, UserError, ValueError, ArithmeticError, LookupError) as error:
            checks.append(Check(name, False, " ".join(str(error).split())))
    if certificate.choice is not None and (folder is None or not rerun):
        checks_after.append(Check("choice", None, "believed, not made again: use --rerun"))
    return [*checks, *checks_after, _code(certificate), _versions(certificate)]


def _check_bytes(certificate: Certificate, table: Path) -> str:
    try:
        found = file_sha256(table)
    except OSError:
        raise CheckFailed(f"outcome table {table} cannot be read") from None
    if found != certificate.outcomes.sha256:
        raise CheckFailed(
            f"{table.name} was altered: sha256 {found[:16]}… is not the one certified"
        )
    return f"{table.name}: sha256 {found[:16]}…"


def _check_rows(certificate: Certificate, table: Path) -> str:
    prop = parse_property(certificate.property)
    count = 0
    for part in read_outcomes(table):
        if (found := contradiction(part, certificate.max_horizon)) is not None:
            raise CheckFailed(found)
        count += part.num_scenarios
    return f"{count} rows, each verdict agrees with its robustness and times ({prop.formula})"


def _check_numbers(certificate: Certificate, table: Path) -> str:
    """Build the certificate anew from the table and compare whole documents."""
    totals, tally = OutcomeTotals(certificate.max_horizon), Tally()
    for part in read_outcomes(table):
        totals.add(part)
        tally.add(Tally(part.num_scenarios, part.num_scenarios, 0))
    anew = build_certificate(
        certified_plan(certificate),
        totals,
        tally,
        sampling=certificate.sampling,
        beta=certificate.beta,
        base_digest=certificate.base_digest,
        outcomes_file=certificate.outcomes.file,
        outcomes_sha256=certificate.outcomes.sha256,
        versions=certificate.versions,
        code=certificate.code,
        choice=certificate.choice,
    )
    mine, theirs = anew.body(), certificate.body()
    for name, value in mine.items():
        if name == "table":  # another version of SciPy may differ in the last digits of a bound
            same = all(
                column == theirs["table"][key]
                for key, column in mine["table"].items()
                if not key.startswith("eps_base")
            )
        else:
            same = value == theirs[name]
        if not same:
            raise CheckFailed(f"{name} does not follow from the outcome table")
    return "every count, bound and mean recomputed from the table"


def _check_base(certificate: Certificate, folder: Path, base: PolicyFile) -> str:
    found = base.digest
    if found != certificate.base_digest:
        raise CheckFailed(
            f"policy in {folder} has the digest {found[:16]}…, the certificate is for "
            f"{certificate.base_digest[:16]}…"
        )
    return f"weights have the digest {found[:16]}…"


def _base_folder(path: Path, base: Path | None) -> Path | None:
    if base is not None:
        return base
    for folder in (path.parent / "base", path.parent):
        if (folder / "policy.json").is_file():
            return folder
    return None


def _code(certificate: Certificate) -> Check:
    """Whether the environment's code is the one that was certified."""
    try:
        here = source_digests(certificate.env_id)
    except UserError as error:
        return Check("code", None, str(error))
    other = [name for name, value in certificate.code.items() if here.get(name) != value]
    if not other:
        return Check("code", True, "of sport_ray and of the environment: as when certified")
    return Check("code", None, f"of {' and '.join(other)}: not the same as when certified")


def _versions(certificate: Certificate) -> Check:
    """Informative: with other versions a number may differ in its last digits."""
    here = versions()
    other = {k: v for k, v in certificate.versions.items() if here.get(k) != v}
    if not other:
        return Check("versions", True, "made with the versions that are installed here")
    listed = ", ".join(f"{name} {value}" for name, value in other.items())
    return Check("versions", None, f"made with others than are installed here: {listed}")
