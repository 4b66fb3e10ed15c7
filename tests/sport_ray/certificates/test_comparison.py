"""Rows side by side: the same bits, the same story cut short, or another one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sport_ray.certificates.comparison import contradicts, described, same_bits
from sport_ray.properties import NEVER
from sport_ray.rollouts import Outcomes
from sport_ray.rollouts.outcomes import pack_verdicts
from tests.sport_ray.certificates.conftest import reaching


def row(reached: int, horizon: int) -> Outcomes:
    return reaching(np.array([reached]), horizon)


def changed(one: Outcomes, **columns) -> Outcomes:
    return dataclasses.replace(one, **{name: np.array([v]) for name, v in columns.items()})


@pytest.mark.parametrize("reached", [3, 8, 9, 15, 30, 40])
@pytest.mark.parametrize("horizon", [1, 8, 9, 20, 30])
def test_a_shorter_run_is_the_longer_one_cut(reached, horizon):
    assert contradicts(row(reached, horizon), row(reached, 30), horizon) is None


def test_the_same_bits():
    one = row(7, 30)
    assert same_bits(one, row(7, 30))
    assert not same_bits(one, changed(one, robustness=np.nextafter(one.robustness[0], 9)))
    assert described(one, 30) == "satisfied after 7 steps (robustness 0.5, reward 0)"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"length": 6}, "it takes 6 steps, not 7"),
        ({"satisfied_at": 5}, "satisfied_at is 5, not 7"),
        ({"violated_at": 5}, "violated_at is 5, not -1"),
        ({"robustness": 0.6}, "robustness is 0.6, not 0.5"),
        ({"total_reward": 1.0}, "total_reward is 1, not 0"),
        ({"total_reward": np.nan}, "total_reward is nan, not 0"),
    ],
)
def test_another_story(columns, words):
    assert contradicts(changed(row(7, 20), **columns), row(7, 30), 20) == words


def test_another_verdict_at_any_step():
    by_step = np.arange(31) >= 7
    by_step[12] = False
    other = dataclasses.replace(row(7, 30), verdicts=pack_verdicts(by_step[None]))
    assert contradicts(other, row(7, 30), 30) == "within 12 steps it is violated, not satisfied"
    assert contradicts(row(7, 30), other, 30) == "within 12 steps it is satisfied, not violated"


def test_last_bits_and_what_lies_beyond_the_cut_are_no_contradiction():
    one = row(7, 30)
    assert contradicts(changed(one, robustness=0.5 * (1 + 1e-12)), one, 30) is None
    long, short = row(25, 30), row(25, 10)
    assert contradicts(changed(short, robustness=-7.0, total_reward=3.0), long, 10) is None
    told_ = contradicts(changed(short, satisfied_at=9), long, 10)
    assert told_ == f"satisfied_at is 9, not {NEVER}"
