"""Whether an environment remembers earlier episodes, its neighbours or its process.

The scenarios of a certificate must be independent. Certifying itself cannot tell: hundreds of
instances live through a few episodes each, and a deployed one lives through thousands.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

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


def require_no_memory(plan: ScenarioPlan, behaviour: Behaviour, table: Path) -> None:
    """Repeat scenarios of a table on an instance that has lived long: they must be the same rows.

    One instance lives through LIVED episodes (of the table; where that has fewer, of other seeds
    first), then through at most 20 chosen ones, forwards and backwards. All of the table's are
    compared to the bit. Then NEIGHBOURS others run side by side. At most 160 episodes in all,
    whatever the number of scenarios.

    Raises:
        UserError: other rows; the table is of no use.
    """
    count = num_rows(table)
    lives, chosen = _which(plan, table, count)
    stranger = plan.model_copy(update={"purpose": "age"})
    order = [*lives, *chosen, *reversed(chosen)]
    was = read_rows(table, order)
    with closing(plan.environment(1)) as environment:
        strangers = range(LIVED - len(lives))
        for _ in run_in_turn(stranger, behaviour, strangers, environment):
            pass
        rows = run_in_turn(plan, behaviour, order, environment)
        for age, row in enumerate(rows, start=len(strangers)):
            where = f"on an instance that had lived through {age} other episodes"
            _compare(plan, row, was, where)
    first = max(count - NEIGHBOURS, 0)
    beside = run_scenarios(plan, behaviour, first, count - first, slots=SLOTS)
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
