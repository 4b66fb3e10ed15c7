"""What is known of the base policy before a task policy is trained: all that a promise rests on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """The base certificate at one horizon T.

    eps_base: upper bound on the base's violation probability within T steps.
    beta: what the bounds at this horizon fail with at most.
    num_scenarios, num_violations: N, and how many of them violated within T steps.
    fixed_number: whether N was fixed beforehand, not found by a stopping rule.
    settled: (T,) scenarios whose violation was settled by step t = 1 … T.
    steps_left: (T,) mean steps that the base takes after t = 0 … T − 1 of them, given that its
        episode goes on; cut off at T. No promise rests on it: it only shapes how a budget is spent.
    """

    horizon: int
    eps_base: float
    beta: float
    num_scenarios: int
    num_violations: int
    fixed_number: bool
    settled: tuple[int, ...]
    steps_left: tuple[float, ...]
