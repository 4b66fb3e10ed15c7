"""What a study promises of its training, in words, before it starts."""

from __future__ import annotations

from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import source_class
from sport_ray.tracking.results.labels import bound_text, confidence_text


def training_lines(plan: Plan) -> list[str]:
    """One line on what training may cost in violations, and lines on what promises nothing."""
    running = [promise for promise in plan.promises if promise is not None and promise.episodes]
    empty = [promise for promise in running if promise.says_nothing]
    running = [promise for promise in running if not promise.says_nothing]
    lines = []
    if running:
        told = plan.training_promise
        risks = [promise.risk for promise in running]
        least, most = bound_text(min(risks)), bound_text(max(risks))
        each = most if least == most else f"{least} to {most}"
        episodes = sum(promise.episodes for promise in running)
        lines.append(
            f"training, promised before it starts: {_runs(len(running))} of {episodes} episodes at "
            f"most, each violating with probability at most {each}: "
            f"{told['expected']:.1f} violations expected at most, and more than {told['bound']} "
            f"with probability at most {told['beta']:g} (given the certificate, "
            f"{confidence_text(plan.certificate.beta)})"
        )
    if empty:
        lines.append(
            f"training: nothing is promised of {len(empty)} of "
            f"{_runs(len(empty) + len(running))}, "
            "whose prior bound is 1 or more"
        )
    silent = sorted(
        {
            job.kind
            for job, promise in zip(plan.jobs, plan.promises, strict=True)
            if promise is None and source_class(job.kind).trains
        }
    )
    if silent:
        they = f"{', '.join(silent)} train{'s' if len(silent) == 1 else ''}"
        lines.append(f"training: nothing is promised while {they}")
    return lines


def _runs(count: int) -> str:
    return f"{count} run{'s' if count != 1 else ''}"
