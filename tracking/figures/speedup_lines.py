"""Which lines a figure of many kinds shows: picked by what they are, never by what they gained."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.tracking.analysis.speedup import CEILING, COIN_FLIP
from sport_ray.tracking.results.kinds import PAPER, class_of, order_of
from sport_ray.tracking.results.mixtures import BEST, KINDS, SINGLE
from sport_ray.tracking.results.mixtures import COIN_FLIP as FRESH_FLIP
from sport_ray.tracking.results.task_policies import SELECTIONS, parts_of_series

MAX_LINES = 9
EXACT = "task_density"
"""The source whose selection is the exact projection of a policy that was trained without it."""

Wanted = Callable[[str, str], bool]


def shown_kinds(table: pd.DataFrame) -> list[str]:
    """Names of the kinds of a `speedup_table` to show: most saved first, at most `MAX_LINES`.

    Of mixtures the best alone: what it is compared with on fresh scenarios is in the table. Where
    there are more: ceiling, coin flip and the best mixture, and of each role the first source and
    the last constraint in order: selection with a budget and under a constant ratio, the exact
    projection, the paper's fixed α, Gauss–Rényi, and a budget learned by PPO.
    """
    kinds = table.groupby("kind", sort=False)["saved"].mean().sort_values(ascending=False)
    beside = {KINDS[SINGLE], KINDS[FRESH_FLIP]}
    names = [str(name) for name in kinds.index if name not in beside]
    if len(names) <= MAX_LINES:
        return names
    suffixed = table.drop_duplicates("kind").set_index("kind")
    references = {name for name in names if name.startswith((CEILING, COIN_FLIP, KINDS[BEST]))}
    lines = [
        (name, str(suffixed.at[name, "series"]), str(suffixed.at[name, "constraint"]))
        for name in names
        if name not in references
    ]
    kept = references | {name for role in _ROLES for name in _first(lines, role)}
    return [name for name in names if name in kept]


def _first(lines: list[tuple[str, str, str]], role: Wanted) -> list[str]:
    found = [line for line in lines if role(line[1], line[2])]
    if not found:
        return []
    sources = (*SELECTIONS, "")
    return [min(found, key=lambda one: (sources.index(_source(one[1])), -order_of(one[2])))[0]]


def _source(series: str) -> str:
    source = parts_of_series(series)[1]
    return source if source in SELECTIONS else ""


def _is_budget(constraint: str) -> bool:
    kind = class_of(constraint)
    return kind is not None and kind.state_size > 0


_ROLES: tuple[Wanted, ...] = (
    lambda series, kind: _source(series) not in ("", EXACT) and _is_budget(kind),
    lambda series, kind: _source(series) not in ("", EXACT) and kind == PAPER,
    lambda series, kind: _source(series) == EXACT and kind == PAPER,
    lambda series, kind: series == "projected_ppo" and kind == PAPER,
    lambda series, kind: series == "projected_ppo" and kind == GaussRenyiConstraint.name,
    lambda series, kind: series == "projected_ppo" and _is_budget(kind),
)
