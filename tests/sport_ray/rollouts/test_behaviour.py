"""What a behaviour samples from: the base, or the projection of a task policy, checked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour

EMPTY = np.zeros((50, 0))


@pytest.fixture
def observations() -> np.ndarray:
    """Fifty observations of the point robot's size."""
    return np.random.default_rng(0).normal(size=(50, 44))


@pytest.mark.parametrize("alpha", [1.0, 1.1, 3.0, 1e6])
def test_the_largest_ratio_is_that_of_the_numbers_sampled_from(
    robot_base, robot_task, observations, alpha
):
    step = ProjectedBehaviour(robot_base, robot_task, RatioConstraint(alpha)).step(
        observations, EMPTY
    )
    for values in (*step.chosen.arrays(), *step.base.arrays(), *step.task.arrays()):
        np.testing.assert_array_equal(values.astype(np.float32).astype(np.float64), values)
    np.testing.assert_array_equal(step.max_log_ratio, step.chosen.max_log_ratio(step.base))
    assert (step.max_log_ratio <= math.log(alpha)).all()
    assert not step.base.differs(robot_base.distribution(observations)).any()
    (mean, std), (task_mean, task_std) = step.chosen.arrays(), step.task.arrays()
    same = (mean == task_mean).all(axis=1) & (std == task_std).all(axis=1)
    np.testing.assert_array_equal(step.projected, ~same)


def test_without_a_constraint_the_task_policy_acts(robot_base, robot_task, observations):
    step = ProjectedBehaviour(robot_base, robot_task, Unconstrained()).step(observations, EMPTY)
    assert not step.chosen.differs(robot_task.distribution(observations)).any()
    assert not step.projected.any()
    assert np.isinf(step.max_log_ratio).any()  # where its std is above the base's


def test_the_base_acts_as_itself(robot_base, observations):
    step = BaseBehaviour(robot_base).step(observations, EMPTY)
    assert not step.chosen.differs(robot_base.distribution(observations)).any()
    assert not step.max_log_ratio.any()
    assert not step.projected.any()


@pytest.mark.parametrize(
    ("offset", "message"), [(1.0, r"log ratio inf exceeds 0\.40"), (np.nan, r"mean must be finite")]
)
def test_a_projection_outside_its_bound_is_an_error(
    robot_base, robot_task, observations, offset, message
):
    class Leaky(RatioConstraint):
        """Returns the base's std and a mean off it: an infinite ratio, or none at all."""

        def project(self, base, task, limits=None):
            return Gaussian(base.mean + offset, base.std)

    with pytest.raises((ArithmeticError, ValueError), match=message):
        ProjectedBehaviour(robot_base, robot_task, Leaky(1.5)).step(observations, EMPTY)


def test_not_even_a_hair_beyond_the_bound(robot_base, robot_task, observations):
    class Generous(RatioConstraint):
        """Projects onto a bound larger than it says, by 1e-6."""

        def project(self, base, task, limits=None):
            return RatioConstraint(self.alpha * (1.0 + 1e-6)).project(base, task)

    with pytest.raises(ArithmeticError, match=r"log ratio 0\.4054\d+ exceeds 0\.4054"):
        ProjectedBehaviour(robot_base, robot_task, Generous(1.5)).step(observations, EMPTY)


def test_nan_observations_are_refused(robot_base, robot_task, observations):
    observations[3, 4] = np.nan
    for behaviour in (
        BaseBehaviour(robot_base),
        ProjectedBehaviour(robot_base, robot_task, RatioConstraint(1.5)),
    ):
        with pytest.raises(UserError, match="observation 3 is nan at entry 4"):
            behaviour.step(observations, EMPTY)


@pytest.mark.parametrize(
    "change", [{"squash": "none"}, {"action_size": 3}, {"observation_size": 9}]
)
def test_policies_that_cannot_be_compared_are_refused(robot_base, change):
    other = FrozenPolicy(PolicyNetwork(robot_base.spec.model_copy(update=change)))
    with pytest.raises(ValueError, match="differ in family, squashing, action or observation size"):
        ProjectedBehaviour(robot_base, other, RatioConstraint(1.5))
