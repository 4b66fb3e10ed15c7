"""A price of violations: when it rises, what it is charged for, and what it must be told."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.comparators.ppo_lagrangian import Penalty, moved
from sport_ray.errors import UserError
from sport_ray.projected_ppo.objective import Sampled

USUAL = {"target": 0.1, "rate": 0.5, "most": 10.0}


def sampled(violated, over, taken=None) -> Sampled:
    over = np.array(over, dtype=bool)
    taken = np.ones_like(over) if taken is None else np.array(taken, dtype=bool)
    violated = None if violated is None else np.array(violated, dtype=bool)
    return Sampled(np.ones(over.shape), over, taken, violated, lambda: np.zeros(over.shape))


@pytest.mark.parametrize("violations", range(21))
def test_the_price_rises_exactly_while_more_than_the_target_violates(violations):
    after = moved(2.0, violations, 20, **USUAL)
    assert np.sign(round(after - 2.0, 12)) == np.sign(violations - 2)


def test_a_batch_moves_it_as_its_episodes_do_one_by_one():
    one = moved(2.0, 3, 8, **USUAL)
    each = 2.0
    for violated in (1, 0, 1, 1, 0, 0, 0, 0):
        each = moved(each, violated, 1, **USUAL)
    assert each == pytest.approx(one)
    assert moved(0.1, 0, 50, **USUAL) == 0.0
    assert moved(9.9, 50, 50, **USUAL) == 10.0


def test_an_episode_pays_once_at_the_price_after_its_batch():
    """Two copies; the second's first row only resets, and what it says counts for nothing."""
    run = Penalty(target=0.1, rate=0.5, start=2.0, most=10.0).begin()
    part = sampled(
        violated=[[0, 1], [1, 0], [0, 0]], over=[[0, 1], [0, 0], [1, 0]],
        taken=[[1, 0], [1, 1], [1, 1]],
    )  # fmt: skip
    (rewards,) = run.rewards([part], learns=True)
    price = 2.0 + 0.5 * (1 - 0.1)  # one episode ended, and violated
    assert run.told == {"violation_price": pytest.approx(price)}
    assert rewards == pytest.approx(np.array([[1, 1], [1 - price, 1], [1, 1]]))


def test_while_only_the_critic_learns_the_price_stays():
    run = Penalty(target=0.1, rate=0.5, start=2.0, most=10.0).begin()
    (rewards,) = run.rewards([sampled([[1]], [[1]])], learns=False)
    assert rewards == pytest.approx(np.array([[-1.0]]))
    assert run.told == {"violation_price": 2.0}


def test_an_environment_that_tells_nothing_is_refused():
    run = Penalty(target=0.1, rate=0.5, start=0.0, most=1.0).begin()
    with pytest.raises(UserError, match="tells its signals"):
        run.rewards([sampled(None, [[1]])], learns=True)
