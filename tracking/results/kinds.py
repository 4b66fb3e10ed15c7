"""Kinds of constraint as they stand in a results table: which is which, and which cells kept to it.

Works on the table of cells and on its `aggregate`.
"""

from __future__ import annotations

import pandas as pd

RATIO, UNCONSTRAINED = "ratio", "unconstrained"
BY_STEP = (RATIO, "gauss_renyi", "violation_time")
"""Kinds with one α for every step: what each allows is the same, what it promises is not."""
BY_PATH = ("pathwise", "pathwise_spread", "pathwise_all")
"""Kinds with a budget of the realised log ratio of a whole path, ``log_budget``."""
MEAN_SHIFT = "mean_shift"
ORDER = {name: rank for rank, name in enumerate((*BY_STEP, MEAN_SHIFT, *BY_PATH))}


def kind_of(table: pd.DataFrame) -> pd.Series:
    """The kind of constraint of each row."""
    return table["constraint"].astype(object)


def is_unconstrained(table: pd.DataFrame) -> pd.Series:
    """Rows to which nothing is promised. A budget has no α either, but is no such row."""
    return kind_of(table) == UNCONSTRAINED


def is_reference(table: pd.DataFrame) -> pd.Series:
    """Rows of the policy that PPO trains without a bound, which gains are measured against."""
    return (table["source"] == UNCONSTRAINED) & is_unconstrained(table)


def is_paper(table: pd.DataFrame) -> pd.Series:
    """Rows under the paper's constraint, the only ones whose prior bound is ε·α^T."""
    return kind_of(table) == RATIO


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

    - with an α: the largest log ratio of any step is at most log α;
    - with a budget of the path: the largest log ratio of any prefix is at most ``log_budget``;
    - mean shift: each step's cost was checked when it was paid, and an overspent budget fails the
      cell, so every finished cell held;
    - unconstrained, or a kind that is not known here and has neither: false.
    """
    kind, finished = kind_of(frame), frame["status"] == "finished"
    # NaN compares false: a cell that was not evaluated kept to nothing.
    by_step = frame["max_log_ratio"] <= frame["log_alpha"]
    by_path = frame["max_prefix_log_ratio"] <= frame["log_budget"]
    with_alpha, with_budget = frame["alpha"].notna(), frame["log_budget"].notna()
    held = (
        (with_alpha & by_step)
        | (~with_alpha & with_budget & by_path)
        | (~with_alpha & ~with_budget & (kind == MEAN_SHIFT))
    )
    return finished & held & (kind != UNCONSTRAINED)
