"""From the totals of a complete set of base outcomes to a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.choice import Choice
from sport_ray.certificates.parts import BoundTable, Counts, OutcomeTable
from sport_ray.certificates.sampling import Sampling

if TYPE_CHECKING:  # torch takes seconds, which reading a certificate should not
    from sport_ray.rollouts.scenarios import ScenarioPlan
    from sport_ray.rollouts.tally import Tally
    from sport_ray.rollouts.totals import OutcomeTotals


def build_certificate(
    plan: ScenarioPlan,
    totals: OutcomeTotals,
    tally: Tally,
    *,
    sampling: Sampling,
    beta: float,
    base_digest: str,
    outcomes_file: str,
    outcomes_sha256: str,
    versions: dict[str, str],
    code: dict[str, str],
    choice: Choice | None = None,
) -> Certificate:
    """Turn the totals of a complete set of base outcomes into a certificate.

    Raises:
        ValueError: an incomplete set, a number of scenarios that the sampling rule does not
            allow, or scenarios that were run for another purpose (their seeds may have been
            looked at before).
    """
    if plan.purpose != "certify":
        raise ValueError(f"plan must have the purpose 'certify', got {plan.purpose!r}")
    if totals.horizon != plan.horizon:
        raise ValueError(f"totals cover {totals.horizon} steps, the plan {plan.horizon}")
    count = totals.num_scenarios
    if count < 1 or not sampling.allows(count):
        raise ValueError(
            f"{count} of {sampling.planned} planned scenarios are there: an incomplete set "
            "certifies nothing"
        )
    tally.require_complete(count)
    violations = totals.num_violations
    each = beta / plan.horizon
    return Certificate(
        base_digest=base_digest,
        env_id=plan.env_id,
        env_kwargs=plan.env_kwargs,
        property=plan.property,
        sampling=sampling,
        num_scenarios=count,
        beta=beta,
        root_seed=plan.root_seed,
        max_horizon=plan.horizon,
        choice=choice,
        counts=Counts(
            planned=count, started=tally.started, finished=tally.finished, aborted=tally.aborted
        ),
        table=BoundTable(
            horizon=[*range(1, plan.horizon + 1)],
            num_violations=violations,
            num_settled=totals.num_settled,
            num_running=totals.num_running,
            eps_base=[sampling.bound(count, k, beta) for k in violations],
            eps_base_simultaneous=[sampling.bound(count, k, each) for k in violations],
        ),
        mean_steps_to_goal=totals.mean_steps_to_goal,
        std_steps_to_goal=totals.std_steps_to_goal,
        outcomes=OutcomeTable(file=outcomes_file, sha256=outcomes_sha256, digest=totals.digest),
        versions=versions,
        code=code,
    )
