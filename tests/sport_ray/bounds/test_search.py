"""Searches find what looking at every number finds."""

from __future__ import annotations

import itertools

import pytest

from sport_ray.bounds.search import first_that, last_that


@pytest.mark.parametrize(("low", "high"), itertools.combinations_with_replacement(range(-2, 7), 2))
def test_they_find_what_looking_at_all_finds(low, high):
    for edge in range(low, high + 1):
        assert first_that(low, high, lambda number, edge=edge: number >= edge) == edge
        assert last_that(low, high, lambda number, edge=edge: number <= edge) == edge


def test_the_last_is_searched_for_near_the_beginning():
    """Far numbers may cost more: it looks no further than four times as far as it goes."""
    seen = []
    assert last_that(0, 10**9, lambda number: seen.append(number) or number <= 100) == 100
    assert max(seen) <= 400
    assert len(seen) <= 20
