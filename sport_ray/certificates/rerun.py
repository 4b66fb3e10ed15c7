"""Scenarios that a certificate rests on, run again from their seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.choice import Choice, choose_horizon
from sport_ray.certificates.comparison import contradicts, same_bits
from sport_ray.certificates.recount import CheckFailed, certified_plan
from sport_ray.errors import UserError
from sport_ray.rollouts import Outcomes, ScenarioPlan, base_behaviour, run_scenarios
from sport_ray.rollouts.table_file import num_rows, read_rows
from sport_ray.samplers import BaseFile
from sport_ray.versions import DEVICE

BLOCK = 50
"""Scenarios run again in one piece; the pieces are drawn at random from the table."""

SAMPLE = 20
"""Scenarios run again before anything is built upon a certificate."""

PORTION = 1_000
"""Scenarios of a choice that are held at a time."""


def run_again(
    certificate: Certificate,
    table: Path,
    base: BaseFile,
    wanted: int,
    progress: Callable[[int], None] | None,
) -> str:
    """Run ``wanted`` scenarios of the table again; what was found, in words.

    Imports the module of a user's sampler: whoever calls has seen that it is trusted.

    Raises:
        CheckFailed: a row that differs in any bit.
        UserError: a table without one of them.
    """
    behaviour = base_behaviour(base, run_module=True)  # the caller has asked
    plan = certified_plan(certificate)
    device = _device_of(certificate)
    differ: list[int] = []
    done = 0
    for first, count in _blocks(certificate.num_scenarios, wanted):
        if device is None:
            fresh = run_scenarios(plan, behaviour, first, count)
        else:
            from sport_ray.tensors.running import run_tensor_scenarios

            fresh = run_tensor_scenarios(plan, behaviour, first, count, device=device)
        certified = read_rows(table, range(first, first + count))
        for at in range(count):
            row = slice(at, at + 1)
            if not same_bits(fresh.rows(row), certified.rows(row)):
                differ.append(first + at)
        done += count
        if progress is not None:
            progress(count)
    if differ:
        raise CheckFailed(
            f"{len(differ)} of {done} scenarios run again gave other rows (first: {differ[0]}); "
            "on another processor or with other versions the last bits may differ"
        )
    return f"{done} scenarios run again from their seeds gave the same rows, to the bit"


def _device_of(certificate: Certificate) -> str | None:
    """The device that the scenarios ran on; None for the ordinary path.

    Raises:
        CheckFailed: it is not here.
    """
    name = certificate.versions.get(DEVICE)
    if name is None:
        return None
    from sport_ray.tensors.placing import device_named

    try:
        return device_named(name)
    except UserError as error:
        raise CheckFailed(str(error)) from None


Runner = Callable[[ScenarioPlan, list[int]], Iterable[Outcomes]]
"""Runs scenarios of a plan and gives the row of each."""


def sample(table: Path) -> Outcomes:
    """SAMPLE rows of a table, drawn afresh: whoever changes something must not know which."""
    count = num_rows(table)
    drawn = np.random.default_rng().choice(count, min(SAMPLE, count), replace=False)
    return read_rows(table, drawn.tolist())


def require_same_world(rows: Outcomes, plans: Iterable[ScenarioPlan], run: Runner) -> str:
    """Run certified scenarios again, here and now, and refuse another outcome; words for the rest.

    rows: of the certificate's table. plans: how the scenarios are run, one for each T; an episode
    of T steps must be the certified one cut at T. Verdicts by step, lengths and times of decision
    must be the same; robustness and reward may differ in their last bits, as they do on another
    processor or with other versions.

    Raises:
        UserError: naming the scenario, and what differs.
    """
    scenarios = rows.index.tolist()
    horizons, other_bits = [], 0
    for plan in plans:
        horizons.append(plan.horizon)
        for at, fresh in enumerate(run(plan, scenarios)):
            certified = rows.rows(slice(at, at + 1))
            found = contradicts(fresh, certified, plan.horizon)
            if found is not None:
                raise UserError(
                    f"environment {plan.env_id!r} is not the one that was certified: scenario "
                    f"{scenarios[at]}, run again here for {plan.horizon} steps, is another: "
                    f"{found}. Restore what changed (code, data, packages), or run `sport-ray "
                    "certify` again"
                )
            whole = certified.length[0] <= plan.horizon
            other_bits += whole and not (
                np.array_equal(fresh.robustness, certified.robustness)
                and np.array_equal(fresh.total_reward, certified.total_reward)
            )
    text = ", ".join(str(horizon) for horizon in horizons)
    bits = f"; {other_bits} differ in the last bits of a number" if other_bits else ""
    return f"{len(scenarios)} certified scenarios run again at T = {text}: as certified{bits}"


def choose_again(certificate: Certificate, choice: Choice, base: BaseFile) -> str:
    """Choose again, on the choice's own scenarios: T must not have been picked afterwards.

    Raises:
        CheckFailed: another choice, or one that was made for something else.
    """
    behaviour = base_behaviour(base, run_module=True)  # the caller has asked
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
