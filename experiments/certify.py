"""The certificate stage: scenarios of the base on Ray workers, then the table and the file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np

from experiments.choose import load_choice
from experiments.results import ResultFolder
from sport_ray.certificates import (
    AnytimeSampling,
    Certificate,
    build_certificate,
    load_certificate,
    save_certificate,
)
from sport_ray.errors import UserError
from sport_ray.policies import FrozenGaussian, PolicyFile
from sport_ray.rollouts import (
    BaseBehaviour,
    OutcomeTotals,
    ScenarioPlan,
    Tally,
    run_scenarios,
)
from sport_ray.rollouts.seeding import Purpose
from sport_ray.rollouts.table_file import OutcomeWriter, file_sha256, read_outcomes
from sport_ray.rollouts.workers import stream_scenarios_on_ray
from sport_ray.versions import source_digests, versions

Look = Callable[[OutcomeTotals], None]
REPEATED = 20
"""Scenarios that are run twice, to see that the environment repeats itself."""


def base_plan(folder: ResultFolder, purpose: Purpose) -> ScenarioPlan:
    """Scenarios of the base policy in the environment and with the property of the study."""
    study = folder.study
    return ScenarioPlan(
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property=study.property,
        horizon=study.certificate.max_horizon,
        root_seed=study.certificate.root_seed,
        purpose=purpose,
        copies=study.environment.copies,
    )


def certify(
    folder: ResultFolder,
    base: PolicyFile,
    progress: Callable[[int], None] | None = None,
    look: Look | None = None,
) -> Certificate:
    """Run the scenarios and write ``certificate.json`` and the outcome table; needs Ray.

    Scenarios are counted and written as they come, in order of their index, so memory does not
    grow with their number. ``look`` sees the totals after each portion.
    """
    plan = base_plan(folder, "certify")
    choice = load_choice(folder, base_plan(folder, "choose"))
    if choice is not None and choice.base_digest != base.digest:
        raise UserError(
            f"{folder.choice} chose another base policy than is there now: choose another folder "
            "with --results"
        )
    # From here on the old certificate has no table: it must not survive if anything goes wrong.
    folder.certificate.unlink(missing_ok=True)
    settings = folder.study.certificate
    sampling = settings.sampling
    behaviour = BaseBehaviour(FrozenGaussian(base.network))
    totals, tally = OutcomeTotals(plan.horizon), Tally()
    portions = {}
    if isinstance(sampling, AnytimeSampling):
        portions["chunk"] = sampling.check_every
    stream = stream_scenarios_on_ray(
        plan, behaviour, sampling.planned, progress=progress, **portions
    )
    with OutcomeWriter(folder.outcomes) as writer, closing(stream):
        for outcomes, counted in stream:
            totals.add(outcomes)
            tally.add(counted)
            writer.add(outcomes)
            if look is not None:
                look(totals)
            if isinstance(sampling, AnytimeSampling):
                violations = totals.num_violations[sampling.horizon - 1]
                each = settings.beta / plan.horizon
                if sampling.verdict(totals.num_scenarios, violations, each) != "go on":
                    break
    require_reproducible(plan, behaviour, folder)
    certificate = build_certificate(
        plan,
        totals,
        tally,
        sampling=sampling,
        beta=settings.beta,
        base_digest=base.digest,
        outcomes_file=folder.outcomes.name,
        outcomes_sha256=file_sha256(folder.outcomes),
        versions=versions(),
        code=source_digests(plan.env_id),
        choice=choice,
    )
    save_certificate(folder.certificate, certificate)
    return certificate


def require_reproducible(
    plan: ScenarioPlan, behaviour: BaseBehaviour, folder: ResultFolder
) -> None:
    """Run a few scenarios again, elsewhere and in other company: they must give the same rows.

    An environment that draws from outside ``reset(seed=)``, or that remembers earlier episodes,
    has no independent scenarios, and then no bound on anything holds.

    Raises:
        UserError: other rows; the table that was written is of no use.
    """
    table = next(read_outcomes(folder.outcomes))
    first = max(table.num_scenarios // 2 - REPEATED // 2, 0)
    count = min(REPEATED, table.num_scenarios - first)
    again = run_scenarios(plan, behaviour, first, count, slots=7).to_arrays()
    was = table.rows(slice(first, first + count)).to_arrays()
    if not all(np.array_equal(again[name], was[name]) for name in was):
        raise UserError(
            f"environment {plan.env_id!r} does not repeat itself: the same scenarios, run again, "
            "gave other outcomes. It must draw only from what reset(seed=) seeds and remember "
            "nothing of earlier episodes"
        )


def load_matching(folder: ResultFolder, base: PolicyFile) -> Certificate:
    """The folder's certificate, if it is for this base, environment, property and section.

    Raises:
        UserError: none there, altered, or for something else.
    """
    certificate = load_certificate(folder.certificate)
    study = folder.study
    if folder.outcomes.exists() and file_sha256(folder.outcomes) != certificate.outcomes.sha256:
        raise UserError(
            f"outcome table {folder.outcomes} is not the one that the certificate rests on: run "
            "`sport-ray certify` again"
        )
    certificate.require_match(
        base_digest=base.digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
        code=source_digests(study.environment.id),
    )
    certificate.require_settings(
        sampling=study.certificate.sampling,
        beta=study.certificate.beta,
        max_horizon=study.certificate.max_horizon,
        root_seed=study.certificate.root_seed,
        choice=load_choice(folder, base_plan(folder, "choose")),
    )
    return certificate
