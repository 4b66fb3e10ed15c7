"""Whether an environment remembers earlier episodes, its neighbours or its process.

The scenarios of a certificate must be independent. Certifying itself cannot tell: hundreds of
instances live through a few episodes each, and a deployed one lives through thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np

from sport_ray.certificates.comparison import described, same_bits
from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.repeat import run_in_turn
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios
from sport_ray.rollouts.table_file import num_rows, read_rows

LIVED = 100
"""Episodes that an instance lives through before scenarios are repeated on it."""
VIOLATING = 10
"""Scenarios with a violation among those repeated: it may be what leaves a mark."""
EDGE = 5
"""Scenarios repeated from each end of the table: of young and of old worker processes."""
NEIGHBOURS = 20
SLOTS = 7
"""Scenarios repeated side by side, in another company than they had."""


class Again(Protocol):
    """How scenarios are run again: where the table was made, since bits are compared."""

    def in_turn(
        self, parts: Sequence[tuple[ScenarioPlan, Sequence[int]]], behaviour: Behaviour
    ) -> Iterable[Outcomes]:
        """The row of each scenario, one after the other on one instance."""
        ...

    def beside(
        self, plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int, slots: int
    ) -> Outcomes:
        """The table of scenarios that run side by side."""
        ...


class AgainHere:
    """In this process, on arrays."""

    def in_turn(
        self, parts: Sequence[tuple[ScenarioPlan, Sequence[int]]], behaviour: Behaviour
    ) -> Iterable[Outcomes]:
        """The row of each scenario."""
        with closing(parts[0][0].environment(1)) as environment:
            for plan, scenarios in parts:
                yield from run_in_turn(plan, behaviour, scenarios, environment)

    def beside(
        self, plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int, slots: int
    ) -> Outcomes:
        """The table."""
        return run_scenarios(plan, behaviour, first, count, slots=slots)


def require_no_memory(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    table: Path,
    again: Again | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Repeat scenarios of a table on an instance that has lived long: they must be the same rows.

    One instance lives through LIVED episodes (of the table; where that has fewer, of other seeds
    first), then through at most 20 chosen ones, forwards and backwards. All of the table's are
    compared to the bit. Then NEIGHBOURS others run side by side. At most 160 episodes in all,
    whatever the number of scenarios. again: default in this process. progress: told after each
    episode how many of how many have run.

    Raises:
        UserError: other rows; the table is of no use.
    """
    count = num_rows(table)
    lives, chosen = _which(plan, table, count)
    stranger = plan.model_copy(update={"purpose": "age"})
    order = [*lives, *chosen, *reversed(chosen)]
    was = read_rows(table, order)
    again = again or AgainHere()
    strangers = range(LIVED - len(lives))
    first = max(count - NEIGHBOURS, 0)
    total = len(strangers) + len(order) + count - first
    told = progress or (lambda done, of: None)
    rows = again.in_turn([(stranger, strangers), (plan, order)], behaviour)
    for age, row in enumerate(rows):
        told(age + 1, total)
        if age >= len(strangers):
            where = f"on an instance that had lived through {age} other episodes"
            _compare(plan, row, was, where)
    beside = again.beside(plan, behaviour, first, count - first, SLOTS)
    told(total, total)
    was = read_rows(table, range(first, count))
    for at in range(beside.num_scenarios):
        _compare(plan, beside.rows(slice(at, at + 1)), was, f"beside up to {SLOTS - 1} others")


def _which(plan: ScenarioPlan, table: Path, count: int) -> tuple[list[int], list[int]]:
    """The scenarios to live through, and those to repeat afterwards."""
    young = read_rows(table, range(min(count, 1_000)))
    violating = np.flatnonzero(~young.satisfied_by(plan.horizon))[:VIOLATING].tolist()
    edges = {*range(min(EDGE, count)), *range(max(count - EDGE, 0), count)}
    lives = [index for index in range(young.num_scenarios) if index not in violating][:LIVED]
    return lives, sorted({*violating, *edges})


def _compare(plan: ScenarioPlan, row: Outcomes, table: Outcomes, where: str) -> None:
    at = int(np.searchsorted(table.index, row.index[0]))
    was = table.rows(slice(at, at + 1))
    if not same_bits(row, was):
        raise UserError(
            f"environment {plan.env_id!r} does not repeat itself: scenario {row.index[0]}, run "
            f"again {where}, is {described(row, plan.horizon)}; the table says "
            f"{described(was, plan.horizon)}. It must draw only from what reset(seed=) seeds, and "
            "reset must restore everything that an episode may change"
        )
