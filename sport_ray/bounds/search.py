"""Search among whole numbers for where a condition begins or ends to hold."""

from __future__ import annotations

from collections.abc import Callable


def first_that(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least of low … high that holds; all after it do, and ``high`` does."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def last_that(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest of low … high that holds; all before it do, and ``low`` does."""
    step = 1
    while low + step <= high and holds(low + step):  # up to where it is worth halving
        step *= 2
    top = min(low + step, high + 1)
    return first_that(low, top, lambda number: number >= top or not holds(number)) - 1
