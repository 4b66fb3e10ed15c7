"""Check a certificate against everything it rests on, trusting no number that can be computed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sport_ray.bounds import scenario_bound
from sport_ray.certificates.build import build_certificate
from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.choice import best_horizon
from sport_ray.certificates.consistency import contradiction
from sport_ray.certificates.store import load_certificate
from sport_ray.errors import UserError
from sport_ray.policies import FrozenGaussian, load_policy
from sport_ray.properties import parse_property
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    OutcomeTotals,
    ScenarioPlan,
    Tally,
    run_scenarios,
)
from sport_ray.rollouts.seeding import Purpose
from sport_ray.rollouts.table_file import file_sha256, read_outcomes
from sport_ray.versions import source_digests, versions

BLOCK = 50
"""Scenarios run again in one piece; the pieces are spread evenly over the table."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked; ``passed`` is None where it could not be."""

    name: str
    passed: bool | None
    detail: str


class _Failed(Exception):
    """A check that came out wrong."""


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
    ``rerun`` scenarios, spread over the table, are run again from their seeds and must give the
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
        steps.append(("base policy", lambda: _check_base(certificate, folder)))
        if rerun:
            steps.append(
                ("rerun", lambda: _check_rerun(certificate, table, folder, rerun, progress))
            )
            if certificate.choice is not None:
                steps.append(("choice", lambda: _check_choice(certificate, folder)))
    for name, step in steps:
        try:
            checks.append(Check(name, True, step()))
        except (_Failed, UserError, ValueError, ArithmeticError, LookupError) as error:
            checks.append(Check(name, False, " ".join(str(error).split())))
    if certificate.choice is not None and (folder is None or not rerun):
        checks_after.append(Check("choice", None, "believed, not made again: use --rerun"))
    return [*checks, *checks_after, _code(certificate), _versions(certificate)]


def _check_bytes(certificate: Certificate, table: Path) -> str:
    try:
        found = file_sha256(table)
    except OSError:
        raise _Failed(f"outcome table {table} cannot be read") from None
    if found != certificate.outcomes.sha256:
        raise _Failed(f"{table.name} was altered: sha256 {found[:16]}… is not the one certified")
    return f"{table.name}: sha256 {found[:16]}…"


def _check_rows(certificate: Certificate, table: Path) -> str:
    prop = parse_property(certificate.property)
    count = 0
    for part in read_outcomes(table):
        if (found := contradiction(part, certificate.max_horizon)) is not None:
            raise _Failed(found)
        count += part.num_scenarios
    return f"{count} rows, each verdict agrees with its robustness and times ({prop.formula})"


def _check_numbers(certificate: Certificate, table: Path) -> str:
    """Build the certificate anew from the table and compare whole documents."""
    totals, tally = OutcomeTotals(certificate.max_horizon), Tally()
    for part in read_outcomes(table):
        totals.add(part)
        tally.add(Tally(part.num_scenarios, part.num_scenarios, 0))
    anew = build_certificate(
        _plan(certificate),
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
            raise _Failed(f"{name} does not follow from the outcome table")
    return "every count, bound and mean recomputed from the table"


def _check_base(certificate: Certificate, folder: Path) -> str:
    found = load_policy(folder).digest
    if found != certificate.base_digest:
        raise _Failed(
            f"policy in {folder} has the digest {found[:16]}…, the certificate is for "
            f"{certificate.base_digest[:16]}…"
        )
    return f"weights have the digest {found[:16]}…"


def _check_rerun(
    certificate: Certificate,
    table: Path,
    folder: Path,
    rerun: int,
    progress: Callable[[int], None] | None,
) -> str:
    behaviour = BaseBehaviour(FrozenGaussian(load_policy(folder).network))
    plan = _plan(certificate)
    blocks = _blocks(certificate.num_scenarios, rerun)
    differ: list[int] = []
    done = 0
    portions = read_outcomes(table)
    with closing(portions):
        held = next(portions, None)
        for first, count in blocks:
            fresh = run_scenarios(plan, behaviour, first, count)
            for row in range(count):
                while held is not None and held.index[-1] < first + row:
                    held = next(portions, None)
                if held is None:
                    raise _Failed("the table ends before the scenarios that were to run again")
                at = first + row - int(held.index[0])
                if not _same_row(fresh, row, held, at):
                    differ.append(first + row)
            done += count
            if progress is not None:
                progress(count)
    if differ:
        raise _Failed(
            f"{len(differ)} of {done} scenarios run again gave other rows (first: {differ[0]}); "
            "on another processor or with other versions the last bits may differ"
        )
    return f"{done} scenarios run again from their seeds gave the same rows, to the bit"


def _check_choice(certificate: Certificate, folder: Path) -> str:
    """Choose again, on the choice's own scenarios: T must not have been picked afterwards."""
    choice = certificate.choice
    assert choice is not None
    behaviour = BaseBehaviour(FrozenGaussian(load_policy(folder).network))
    plan = _plan(certificate, "choose", choice.root_seed)
    told = (choice.env_id, choice.env_kwargs, choice.property, choice.max_horizon)
    if told != (plan.env_id, plan.env_kwargs, plan.property, plan.horizon):
        raise _Failed("the choice was made for another environment, property or longest horizon")
    totals = OutcomeTotals(plan.horizon)
    for first in range(0, choice.num_scenarios, 1_000):
        totals.add(run_scenarios(plan, behaviour, first, min(1_000, choice.num_scenarios - first)))
    bounds = [scenario_bound(choice.num_scenarios, k, choice.beta) for k in totals.num_violations]
    horizon, log_alpha = best_horizon(bounds, choice.eps_max)
    if horizon != choice.horizon or log_alpha is None:
        raise _Failed(f"choosing again gives T = {horizon}, not {choice.horizon}")
    better = [c.base for c in choice.candidates if (c.log_alpha or -1.0) > log_alpha + 1e-9]
    if better:
        raise _Failed(f"the candidate {better[0]!r} is stated to be better than what was chosen")
    return f"T = {horizon} chosen again on {choice.num_scenarios} scenarios of their own"


def _same_row(one: Outcomes, row: int, other: Outcomes, at: int) -> bool:
    mine, theirs = one.to_arrays(), other.to_arrays()
    return all(np.array_equal(mine[name][row], theirs[name][at]) for name in mine)


def _blocks(total: int, wanted: int) -> list[tuple[int, int]]:
    """(first, count) of ``wanted`` scenarios in pieces of at most BLOCK, in order.

    Drawn afresh at every call: whoever forges a row must not know that it will be spared.
    """
    pieces = [(first, min(BLOCK, total - first)) for first in range(0, total, BLOCK)]
    chosen: list[tuple[int, int]] = []
    for piece in np.random.default_rng().permutation(len(pieces)).tolist():
        missing = wanted - sum(count for _, count in chosen)
        if missing <= 0:
            break
        first, count = pieces[piece]
        chosen.append((first, min(count, missing)))
    return sorted(chosen)


def _plan(
    certificate: Certificate, purpose: Purpose = "certify", root_seed: int | None = None
) -> ScenarioPlan:
    return ScenarioPlan(
        env_id=certificate.env_id,
        env_kwargs=certificate.env_kwargs,
        property=certificate.property,
        horizon=certificate.max_horizon,
        root_seed=certificate.root_seed if root_seed is None else root_seed,
        purpose=purpose,
    )


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
