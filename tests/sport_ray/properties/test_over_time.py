"""What a verdict within T steps says of longer horizons, against all trajectories."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from sport_ray.properties import parse_property

LONGEST = 4
"""Steps within which T is looked for; continuations have two more."""

FORMULAS = {
    # kept from T, never mended
    "F goal": (1, False),
    "(!hazard) U goal": (1, False),
    "goal | X goal": (1, False),
    "hazard": (1, True),
    "G[0,3] !hazard": (3, True),
    "F goal & G[0,2] !hazard": (2, False),
    "F[0,2] goal": (1, False),
    "G !hazard": (None, True),
    "G (hazard -> F[0,2] goal)": (None, False),
    "F goal & G !hazard": (None, False),
    "F G goal": (None, False),
    "G (goal & !goal)": (None, True),
}


def words(length: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Every trajectory of ``length`` states with signals −1, 0, 1, (n, length) each."""
    values = np.array(list(product((-1.0, 0.0, 1.0), repeat=length * len(names))))
    return {name: values[:, i :: len(names)] for i, name in enumerate(names)}


@pytest.mark.parametrize(("formula", "expected"), FORMULAS.items())
def test_as_every_trajectory_says(formula, expected):
    prop = parse_property(formula)
    states = LONGEST + 3 if len(prop.signal_names) == 1 else LONGEST + 1
    longest = states - 2
    by_step = prop.evaluate(words(states, prop.signal_names)).by_step
    lost = [t for t in range(longest + 1) if (by_step[:, [t]] & ~by_step[:, t + 1 :]).any()]
    kept = max(lost) + 1 if lost else 0
    kept_from, never_mended = expected
    assert prop.kept_from(longest) == kept_from
    assert kept_from == (None if kept > longest else max(kept, 1))
    mended = any((~by_step[:, [t]] & by_step[:, t + 1 :]).any() for t in range(longest + 1))
    assert prop.is_never_mended == never_mended == (not mended)


def test_beyond_the_longest_horizon_is_none():
    assert parse_property("G[0,30] !hazard").kept_from(29) is None
    assert parse_property("G[0,30] !hazard").kept_from(30) == 30


def test_a_window_of_thousands_of_steps_is_counted_in_a_moment():
    assert parse_property("G[0,3000] !hazard").kept_from(10_000) == 3_000
