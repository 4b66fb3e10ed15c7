"""Kinds of constraint as they stand in a results table: which is which, and which cells kept to it.

Works on the table of cells and on its `aggregate`. What a kind is like is asked of its class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from sport_ray.constraints import Constraint, RatioConstraint, Unconstrained, constraint_class
from sport_ray.constraints.constraint import LAST
from sport_ray.errors import UserError

PAPER, UNCONSTRAINED = RatioConstraint.name, Unconstrained.name
"""The constraint of the paper, which published numbers are about; and its absence."""


def class_of(kind: object) -> type[Constraint] | None:
    """The class of a kind of constraint; None for one that this installation does not have."""
    try:
        return constraint_class(kind)
    except UserError:
        return None


def order_of(kind: object) -> int:
    """The rank of a kind in tables and legends."""
    found = class_of(kind)
    return LAST if found is None else found.order


def ranks(kinds: Iterable[object]) -> dict[str, int]:
    """Kinds with their place among each other: by order, then by name."""
    found = sorted({str(kind) for kind in kinds}, key=lambda kind: (order_of(kind), kind))
    return {kind: rank for rank, kind in enumerate(found)}


def is_unconstrained(table: pd.DataFrame) -> pd.Series:
    """Rows to which nothing is promised. A budget has no α either, but is no such row."""
    return table["constraint"] == UNCONSTRAINED


def is_reference(table: pd.DataFrame) -> pd.Series:
    """Rows of the policy that PPO trains without a bound, which gains are measured against."""
    return (table["source"] == UNCONSTRAINED) & is_unconstrained(table)


def is_paper(table: pd.DataFrame) -> pd.Series:
    """Rows under the paper's constraint, the only ones whose prior bound is ε·α^T."""
    return table["constraint"] == PAPER


def is_base(table: pd.DataFrame) -> pd.Series:
    """Rows that are the base policy itself: α = 1, of whatever method and kind."""
    return (table["alpha"] == 1.0) & ~is_unconstrained(table)


def promise_of(table: pd.DataFrame) -> pd.Series:
    """Which promises each row carries, in words, from `certified` and its posterior bound.

    prior: of the constraint, before any rollout, if it held in all that was seen. posterior: of
    this policy (of a setting: its worst seed's), after its evaluation. A bound of 1 is none.
    """
    after = table["posterior_bound"].astype(float) < 1
    before = table["certified"].astype(bool)
    words = {
        (True, True): "prior, posterior",
        (True, False): "prior",
        (False, True): "posterior",
        (False, False): "none",
    }
    pairs = zip(before, after, strict=True)
    named = [words[bool(prior), bool(posterior)] for prior, posterior in pairs]
    return pd.Series(named, index=table.index, dtype=object)


def constraint_held(frame: pd.DataFrame) -> pd.Series:
    """Whether a finished cell kept to its constraint in all that was seen of it.

    The constraint says so itself (`sport_ray.constraints.Constraint.held`), made again from the
    record's numbers. False for a kind that is not known here, and for numbers that make none.
    """
    held = [row["status"] == "finished" and _held(row) for row in frame.to_dict("records")]
    return pd.Series(held, index=frame.index, dtype=bool)


def _held(row: dict[Any, Any]) -> bool:
    kind = class_of(row["constraint"])
    known = {str(name): value for name, value in row.items() if not pd.isna(value)}
    try:
        return kind is not None and kind.from_record(known).held({**row, **known})
    except UserError:
        return False
