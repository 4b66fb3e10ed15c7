"""Whether a sampler keeps to its contract, as far as some draws in a few states can tell."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from sport_ray.errors import UserError
from sport_ray.random_streams import stream
from sport_ray.samplers.sampler import Array, BaseSampler
from sport_ray.samplers.user import UserSampler

TRIED = 64
"""Actions drawn at once."""
DRAWS = 400
"""Draws of each kind that are compared in a state."""
LEVEL = 1e-6
"""Chance that a sampler which keeps to the contract is refused, over all comparisons."""


def require_sampler(sampler: UserSampler, observation: Array) -> None:
    """Draw twice from equal generators: the same actions, whatever was drawn before.

    And other actions from the same generator each time: a draw has to move it on.

    Raises:
        UserError: anything else, or whatever ``UserSampler.sample`` raises.
    """
    generator = np.random.default_rng(7)
    first = sampler.sample(observation, TRIED, generator)
    other = sampler.sample(observation, TRIED, np.random.default_rng(8))
    again = sampler.sample(observation, TRIED, np.random.default_rng(7))
    # An episode has one generator. What is kept for *it*, a copy of it does not have.
    twin = copy.deepcopy(generator)
    moved = _position(twin) != _position(np.random.default_rng(7))
    following, its = (sampler.sample(observation, TRIED, one) for one in (generator, twin))
    name = f"base sampler {sampler.spec.entry!r}"
    if not (np.array_equal(first, again) and np.array_equal(following, its)):
        raise UserError(
            f"{name} does not repeat itself: with the same generator "
            "it gave other actions. It must draw only from the generator that it is given, and "
            "keep nothing between calls"
        )
    if not moved and not np.array_equal(first, other):
        raise UserError(
            f"{name} looks at its generator without drawing from it: all steps of an episode have "
            "the same noise then. Seed what draws by a draw, such as generator.integers(2**63)"
        )


def _position(generator: np.random.Generator) -> tuple[Any, ...]:
    """What a generator draws next, and of which seed its next child is."""
    bits = generator.bit_generator
    return bits.state, bits.seed_seq.n_children_spawned  # type: ignore[attr-defined]


def require_exchangeable(sampler: BaseSampler, observations: Array, count: int, name: str) -> None:
    """Refuse a sampler whose candidates are not drawn as one action alone is.

    The promise of selection needs a candidate picked at random of ``count`` to have the law of
    a single draw; the candidates may depend on each other (docs/bounds.md, section 9). Compared
    are DRAWS of each, by the two-sample Kolmogorov–Smirnov test (exact or conservative p-values)
    of every entry of the action at every observation (n, O), at LEVEL over all of them
    (Bonferroni). A difference in distribution functions below 0.2 is not seen, nor one of the
    joint law alone, nor one in other states.

    Raises:
        UserError: another law, with the entry and the distance of the distribution functions.
    """
    from scipy.stats import ks_2samp  # takes a second, and only studies come here

    each = LEVEL / (len(observations) * sampler.action_size)
    for row, observation in enumerate(observations):
        alone, picked = (np.empty((DRAWS, sampler.action_size)) for _ in range(2))
        for draw in range(DRAWS):
            generator = stream(row * DRAWS + draw, "sport_ray/samplers/trial")
            alone[draw] = sampler.sample(observation, 1, generator)[0]
            candidates = sampler.sample(observation, count, generator)
            picked[draw] = candidates[generator.integers(count)]
        for entry in range(sampler.action_size):
            found = ks_2samp(alone[:, entry], picked[:, entry])
            if found.pvalue < each:
                raise UserError(
                    f"base sampler {name!r} draws {count} actions otherwise than one: entry "
                    f"{entry} of one of the {count} picked at random has a distribution function "
                    f"that differs by {found.statistic:.2f} from that of a single draw "
                    f"(p = {found.pvalue:.1e}). Draw each of the {count} as you draw one"
                )
