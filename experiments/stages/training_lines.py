"""What a study promises of its training, in words, before it starts."""

from __future__ import annotations

from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import source_class
from sport_ray.tracking.results.labels import bound_text, confidence_text


def training_lines(plan: Plan) -> list[str]:
    """One line on what training may cost in violations, and one on what nothing is promised of."""
    every = zip(plan.jobs, plan.promises, strict=True)
    made = [(job, promise) for job, promise in every if promise is not None]
    running = [(job, promise) for job, promise in made if promise.episodes]
    lines = []
    if running:
        told = plan.training_promise
        risks = [promise.risk for _, promise in running]
        least, most = bound_text(min(risks)), bound_text(max(risks))
        each = most if least == most else f"{least} to {most}"
        episodes = sum(promise.episodes for _, promise in running)
        lines.append(
            f"training, promised before it starts: {len(running)} runs of {episodes} episodes at "
            f"most, each violating with probability at most {each}: "
            f"{told['expected']:.1f} violations expected at most, and more than {told['bound']} "
            f"with probability at most {told['beta']:g} (given the certificate, "
            f"{confidence_text(plan.certificate.beta)})"
        )
    silent = sorted(
        {
            job.kind
            for job, promise in zip(plan.jobs, plan.promises, strict=True)
            if promise is None and source_class(job.kind).trains
        }
    )
    if silent:
        lines.append(f"training: nothing is promised while {', '.join(silent)} trains")
    return lines
