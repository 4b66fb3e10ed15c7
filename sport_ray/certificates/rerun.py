"""Scenarios that a certificate rests on, run again from their seeds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.choice import Choice, choose_horizon
from sport_ray.policies import FrozenGaussian, PolicyFile
from sport_ray.rollouts import BaseBehaviour, Outcomes, ScenarioPlan, run_scenarios
from sport_ray.rollouts.seeding import Purpose
from sport_ray.rollouts.table_file import read_outcomes

BLOCK = 50
"""Scenarios run again in one piece; the pieces are drawn at random from the table."""

PORTION = 1_000
"""Scenarios of a choice that are held at a time."""


class CheckFailed(Exception):
    """A check that came out wrong."""


def run_again(
    certificate: Certificate,
    table: Path,
    base: PolicyFile,
    wanted: int,
    progress: Callable[[int], None] | None,
) -> str:
    """Run ``wanted`` scenarios of the table again; what was found, in words.

    Raises:
        CheckFailed: a row that differs in any bit, or a table without it.
    """
    behaviour = BaseBehaviour(FrozenGaussian(base.network))
    plan = certified_plan(certificate)
    blocks = _blocks(certificate.num_scenarios, wanted)
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
                    raise CheckFailed("the table ends before the scenarios that were to run again")
                at = first + row - int(held.index[0])
                if not _same_row(fresh, row, held, at):
                    differ.append(first + row)
            done += count
            if progress is not None:
                progress(count)
    if differ:
        raise CheckFailed(
            f"{len(differ)} of {done} scenarios run again gave other rows (first: {differ[0]}); "
            "on another processor or with other versions the last bits may differ"
        )
    return f"{done} scenarios run again from their seeds gave the same rows, to the bit"


def choose_again(certificate: Certificate, choice: Choice, base: PolicyFile) -> str:
    """Choose again, on the choice's own scenarios: T must not have been picked afterwards.

    Raises:
        CheckFailed: another choice, or one that was made for something else.
    """
    behaviour = BaseBehaviour(FrozenGaussian(base.network))
    plan = certified_plan(certificate, "choose", choice.root_seed)
    told = (choice.env_id, choice.env_kwargs, choice.property, choice.max_horizon)
    if told != (plan.env_id, plan.env_kwargs, plan.property, plan.horizon):
        raise CheckFailed(
            "the choice was made for another environment, property or longest horizon"
        )
    portions = (
        run_scenarios(plan, behaviour, first, min(PORTION, choice.num_scenarios - first))
        for first in range(0, choice.num_scenarios, PORTION)
    )
    horizon, log_alpha = choose_horizon(portions, plan.horizon, choice.beta, choice.eps_max)
    if horizon != choice.horizon or log_alpha is None:
        raise CheckFailed(f"choosing again gives T = {horizon}, not {choice.horizon}")
    better = [c.base for c in choice.candidates if (c.log_alpha or -1.0) > log_alpha + 1e-9]
    if better:
        raise CheckFailed(
            f"the candidate {better[0]!r} is stated to be better than what was chosen"
        )
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
