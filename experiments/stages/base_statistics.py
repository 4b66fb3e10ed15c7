"""What a base does in fresh scenarios of a study's environment, and the same in words."""

from __future__ import annotations

from sport_ray.experiments.config.study import Study
from sport_ray.policies.threads import one_thread
from sport_ray.properties import parse_property
from sport_ray.rollouts import base_behaviour
from sport_ray.rollouts.base_statistics import (
    NEAR_BOUND,
    NEARLY_SURE,
    BaseStatistics,
    Widths,
    run_for_statistics,
)
from sport_ray.samplers import BaseFile

SCENARIOS, FEWEST, STEPS = 2_000, 100, 200_000
"""As many scenarios as ``STEPS`` steps allow, within these."""


def statistics_of(study: Study, base: BaseFile, root_seed: int = 0) -> BaseStatistics:
    """Of a base in the study's environment; scenarios of the purpose 'statistics'.

    Violations are counted at the study's horizons, or at T_max where the study chooses later.

    Raises:
        what ``run_scenarios`` raises.
    """
    longest = study.certificate.max_horizon
    horizons = sorted({*(study.sweep.horizons or []), longest})
    count = min(max(STEPS // longest, FEWEST), SCENARIOS)
    plan = study.task(longest, 0).plan("statistics", root_seed)
    goal = parse_property(study.property).eventual_goal is not None
    with one_thread():
        found, _ = run_for_statistics(
            plan, base_behaviour(base, run_module=True), 0, count, horizons, has_goal=goal
        )
    return found


def described(found: BaseStatistics) -> list[str]:
    """One line per statistic, in plain words; the warnings last."""
    rates = ", ".join(
        f"{count / found.num_scenarios:.2%} within {horizon}"
        for horizon, count in found.num_violations.items()
    )
    lines = [f"in {found.num_scenarios:,} fresh scenarios it violates: {rates} steps"]
    if found.times is not None:
        spread, fastest = found.times.spread, found.times.fastest_tenth
        lines.append(
            f"time to satisfaction: {spread.mean:.2f} steps, std {spread.std:.2f}, 5–95% "
            f"{spread.low:g}–{spread.high:g}; the fastest tenth takes {fastest:.2f}"
        )
    if found.at_bounds is not None:
        lines.append(
            f"drawn actions beyond ±{NEAR_BOUND} of their bounds: "
            f"{' and '.join(f'{one:.1%}' for one in found.at_bounds)} by dimension, "
            f"{found.at_any_bound:.1%} in any"
        )
    if found.std is not None:
        lines.append(f"std before the action mapping: {_widths(found.std)}")
    if found.sure is not None:
        lines.append(
            f"one action has more than {NEARLY_SURE:.0%} in {found.sure:.1%} of its steps; "
            f"entropy of the action: {found.entropy:.2f} nats"
        )
    elif found.entropy is not None:
        lines.append(f"entropy of the squashed action: {found.entropy:.2f} nats")
    lines += [
        f"warning: {why}; a policy within a ratio of it has little to gain "
        "(docs/your-own-base.md, What makes a good base)"
        for why in found.warnings()
    ]
    return lines


def _widths(std: Widths) -> str:
    def row(values: list[float]) -> str:
        return ", ".join(f"{one:.2g}" for one in values)

    return (
        f"median {row(std.median)}; 5% {row(std.low)}; 95% {row(std.high)}; "
        f"largest {row(std.largest)}"
    )
