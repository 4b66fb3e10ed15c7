"""How much a switch allows: the loosest threshold that keeps to a risk on fresh rollouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sport_ray.bounds import scenario_bound


class Choice(NamedTuple):
    """A threshold, and what was run for it.

    threshold: 0 where none passed, at which the base acts alone. violations: of its rollouts, None
    where none passed. tried: how many thresholds were. all_violations: in the rollouts of all.
    """

    threshold: float
    violations: int | None
    tried: int
    all_violations: int


def loosest(
    violations: Callable[[float], int],
    thresholds: Sequence[float],
    episodes: int,
    aim: float,
    beta: float,
) -> Choice:
    """The last of rising thresholds before the first whose upper bound is above the aim.

    The bound is Clopper–Pearson's at 1 − β. Tried from the tightest on, so that whoever calibrates
    violates little; none beyond the first that fails is run.

    violations: how many of ``episodes`` rollouts violate at a threshold. aim: ε, the risk.

    Raises:
        ValueError: thresholds that do not rise.

    >>> loosest({0.1: 0, 0.2: 3, 0.4: 60}.__getitem__, [0.1, 0.2, 0.4], 500, 0.05, 1e-3)
    Choice(threshold=0.2, violations=3, tried=3, all_violations=63)
    """
    if list(thresholds) != sorted(set(thresholds)):
        raise ValueError(f"thresholds must rise, got {list(thresholds)}")
    found, total, tried = Choice(0.0, None, 0, 0), 0, 0
    for threshold in thresholds:
        count = violations(threshold)
        total, tried = total + count, tried + 1
        if scenario_bound(episodes, count, beta) > aim:
            break
        found = Choice(threshold, count, 0, 0)
    return found._replace(tried=tried, all_violations=total)
