"""Whether a sampler keeps to its contract, as far as a few draws in one state can tell."""

from __future__ import annotations

import numpy as np

from sport_ray.errors import UserError
from sport_ray.samplers.sampler import Array
from sport_ray.samplers.user import UserSampler

TRIED = 64
"""Actions drawn at once."""


def require_sampler(sampler: UserSampler, observation: Array) -> None:
    """Draw twice from equal generators: the same actions, whatever was drawn before.

    What a promise needs beyond that, that one of the M is drawn as one alone would be, is
    ``require_exchangeable``'s affair.

    Raises:
        UserError: actions that differ, or whatever ``UserSampler.sample`` raises.
    """
    first = sampler.sample(observation, TRIED, np.random.default_rng(7))
    sampler.sample(observation, 1, np.random.default_rng(8))
    again = sampler.sample(observation, TRIED, np.random.default_rng(7))
    if not np.array_equal(first, again):
        raise UserError(
            f"base sampler {sampler.spec.entry!r} does not repeat itself: with the same generator "
            "it gave other actions. It must draw only from the generator that it is given, and "
            "keep nothing between calls"
        )
