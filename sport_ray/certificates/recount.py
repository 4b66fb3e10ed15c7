"""A certificate's numbers counted again from its outcome table, in memory that stays small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sport_ray.certificates.build import build_certificate
from sport_ray.certificates.certificate import Certificate
from sport_ray.errors import UserError
from sport_ray.properties import NEVER, parse_property
from sport_ray.rollouts import Outcomes, OutcomeTotals, ScenarioPlan, Tally
from sport_ray.rollouts.outcomes import unpack_verdicts
from sport_ray.rollouts.seeding import Purpose
from sport_ray.rollouts.table_file import file_sha256, read_outcomes


class CheckFailed(Exception):
    """A check that came out wrong."""


class NotThere(CheckFailed):
    """A file without which nothing can be checked."""


def require_counted(certificate: Certificate, table: Path) -> None:
    """Refuse a certificate whose numbers its table does not give: counts, bounds, and means.

    Raises:
        UserError: no such table, another one, or other numbers.
    """
    try:
        for check in (check_bytes, check_rows, check_numbers):
            check(certificate, table)
    except NotThere as error:
        raise UserError(
            f"{error}: a certificate without it claims nothing; certify again"
        ) from None
    except (CheckFailed, ValueError, ArithmeticError) as error:
        raise UserError(
            f"the certificate does not follow from {table}: {error}; run `sport-ray certify` again"
        ) from None


def check_bytes(certificate: Certificate, table: Path) -> str:
    """The table is, byte for byte, the one that was certified; what was found, in words.

    Raises:
        NotThere, CheckFailed: it is missing, or another one.
    """
    try:
        found = file_sha256(table)
    except FileNotFoundError:
        raise NotThere(f"outcome table {table} does not exist") from None
    except OSError as error:
        raise CheckFailed(f"outcome table {table} cannot be read: {error.strerror}") from None
    if found != certificate.outcomes.sha256:
        raise CheckFailed(
            f"{table.name} was altered: sha256 {found[:16]}… is not the one certified"
        )
    return f"{table.name}: sha256 {found[:16]}…"


def check_rows(certificate: Certificate, table: Path) -> str:
    """Each row tells one story; how many there are, in words.

    Raises:
        CheckFailed: one that does not.
    """
    prop = parse_property(certificate.property)
    count = 0
    for part in _portions(certificate, table):
        if (found := _contradiction(part, certificate.max_horizon)) is not None:
            raise CheckFailed(found)
        count += part.num_scenarios
    return f"{count} rows, each verdict agrees with its robustness and times ({prop.formula})"


def _contradiction(part: Outcomes, horizon: int) -> str | None:
    """The first row of a base's table whose columns do not tell one story, in words; or None.

    Verdicts by step, robustness, length and the times at which the verdict was fixed say the same
    thing in different ways, and the base policy has no ratio to itself.
    """
    verdicts = unpack_verdicts(part.verdicts, horizon)
    steps = np.arange(1, horizon + 1)
    settled = (part.satisfied_at != NEVER)[:, None] & (steps >= part.satisfied_at[:, None])
    lost = (part.violated_at != NEVER)[:, None] & (steps >= part.violated_at[:, None])
    over = steps >= part.length[:, None]
    wrong = {
        "a verdict contradicts satisfied_at": (settled & ~verdicts).any(axis=1),
        "a verdict contradicts violated_at": (lost & verdicts).any(axis=1),
        "a verdict changes after the last step": (over & (verdicts != verdicts[:, -1:])).any(
            axis=1
        ),
        "the robustness contradicts the verdict": (part.robustness >= 0) != verdicts[:, -1],
        "the length is out of range": (part.length < 1) | (part.length > horizon),
        "the base policy has a ratio to itself": (part.max_log_ratio != 0)
        | (part.sum_realised_log_ratio != 0),
    }
    for what, rows in wrong.items():
        if rows.any():
            return f"scenario {part.index[rows.argmax()]}: {what}"
    return None


def check_numbers(certificate: Certificate, table: Path) -> str:
    """Build the certificate anew from the table and compare whole documents.

    Raises:
        CheckFailed: naming the field that differs.
    """
    totals = OutcomeTotals(certificate.max_horizon)
    for part in _portions(certificate, table):
        totals.add(part)
    anew = build_certificate(
        certified_plan(certificate),
        totals,
        Tally(totals.num_scenarios, totals.num_scenarios),
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


def _portions(certificate: Certificate, table: Path) -> Iterator[Outcomes]:
    return read_outcomes(table, most=certificate.num_scenarios, horizon=certificate.max_horizon)


def certified_plan(
    certificate: Certificate, purpose: Purpose = "certify", root_seed: int | None = None
) -> ScenarioPlan:
    """The scenarios that the certificate rests on, or those of another purpose and seed."""
    return ScenarioPlan(
        env_id=certificate.env_id,
        env_kwargs=certificate.env_kwargs,
        property=certificate.property,
        horizon=certificate.max_horizon,
        root_seed=certificate.root_seed if root_seed is None else root_seed,
        purpose=purpose,
    )
