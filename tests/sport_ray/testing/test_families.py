"""The checks of a family: ours pass, and each check finds the mistake that it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.testing import (
    CheckFailed,
    Members,
    categorical_members,
    check_family,
    family_checks,
    gaussian_members,
)
from sport_ray.testing import families as checks
from tests.coins import Coin, coins

OURS = [gaussian_members(1), gaussian_members(4), categorical_members(2), categorical_members(7)]


@pytest.mark.parametrize("check", family_checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("members", OURS, ids=["1", "4", "of 2", "of 7"])
def test_ours_pass(check, members: Members) -> None:
    check(members)


class Longer(Coin):
    """One number too many."""

    @classmethod
    def num_parameters(cls, action_size):
        return action_size + 1


class Anything(Coin):
    """NaN is a member."""

    def valid(self):
        return torch.ones(len(self), dtype=torch.bool)


class OwnNoise(Coin):
    """Noise of no generator."""

    @classmethod
    def draw_noise(cls, generator, steps, action_size):
        return np.random.default_rng().random((steps, action_size))


class Upwards(Coin):
    """Comes up too often."""

    def sample(self, noise):
        return np.where(noise < self.arrays()[0] + 0.05, 1.0, -1.0)


class Half(Coin):
    """Half of the log ratio."""

    def log_ratio(self, base, action):
        return 0.5 * super().log_ratio(base, action)


class Negative(Coin):
    """A divergence below 0."""

    def kl(self, other):
        return super().kl(other) - 1e-3


class Beyond(Coin):
    """Projected onto a little more than the limit."""

    def projected(self, base, limit):
        return super().projected(base, torch.as_tensor(limit, dtype=torch.float64) * 1.000001)


class Restless(Coin):
    """Moves what is within."""

    def projected(self, base, limit):
        found = super().projected(base, limit)
        return type(self)(torch.lerp(base.parts[0].double(), found.parts[0].double(), 0.99))


class Lazy(Coin):
    """Always the base: within every limit, and close to nothing."""

    def projected(self, base, limit):
        return base


class Mixed(Coin):
    """A row depends on the others."""

    def projected(self, base, limit):
        found = super().projected(base, limit)
        mean = found.parts[0].double().mean(0, keepdim=True)
        return super(Mixed, type(self)(mean.expand_as(found.parts[0]))).projected(base, limit)


class Otherwise(Coin):
    """torch has another density."""

    def torch_distribution(self):
        return Coin(1.0 - self.parts[0]).torch_distribution()


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Longer, checks.its_numbers_go_there_and_back),
        (Anything, checks.what_is_no_member_is_refused),
        (OwnNoise, checks.noise_follows_from_the_generator),
        (Upwards, checks.samples_have_the_density),
        (Half, checks.ratios_are_those_of_the_densities),
        (Negative, checks.the_divergence_is_one),
        (Beyond, checks.projections_stay_within_their_limit),
        (Restless, checks.what_is_within_stays_as_it_is),
        (Lazy, checks.projections_are_the_closest),
        (Mixed, checks.rows_do_not_mix),
        (Otherwise, checks.torch_has_the_same_law),
    ],
)
def test_a_mistake_is_found(broken, check) -> None:
    def draw(generator, count):
        return broken(coins(1)(generator, count).parts[0])

    with pytest.raises(CheckFailed) as error:
        check(Members(draw, 1))
    assert "\n" not in str(error.value)


def test_all_of_them_name_the_one_that_failed() -> None:
    assert len(check_family(Members(coins(1), 1))) == len(family_checks())

    def draw(generator, count):
        return Negative(coins(1)(generator, count).parts[0])

    with pytest.raises(CheckFailed, match=r"it is found by its name: .* does not name Negative"):
        check_family(Members(draw, 1))
