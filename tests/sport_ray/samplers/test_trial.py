"""Samplers that break their contract are refused, those that keep it are not."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.samplers import SamplerSpec, UserSampler
from sport_ray.samplers.trial import require_exchangeable, require_sampler

HERE = np.zeros(3)
STATES = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 0.5]])

SAMPLERS = """
    from scipy.special import ndtri

    # Those that keep the contract.

    def independent(o, count, g):
        return o[:2] + g.standard_normal((count, 2))

    def sorted_ones(o, count, g):
        return np.sort(independent(o, count, g), axis=0)

    def antithetic(o, count, g):
        half = g.standard_normal(((count + 1) // 2, 2))
        return o[:2] + np.concatenate([half, -half])[:count]

    def stratified(o, count, g):
        cells = np.stack([g.permutation(count) for _ in range(2)], axis=1)
        return o[:2] + ndtri((cells + g.random((count, 2))) / count)

    def one_for_all(o, count, g):
        return np.tile(independent(o, 1, g), (count, 1))

    def discrete(o, count, g):
        return g.choice([-0.5, 0.0, 0.5], (count, 2), p=[0.1, 0.8, 0.1])

    def deterministic(o, count, g):
        return np.tile(o[:2], (count, 1))

    def of_a_child(o, count, g):
        return independent(o, count, g.spawn(1)[0])

    def seeded_by_a_draw(o, count, g):
        return independent(o, count, np.random.default_rng(g.integers(2**63)))

    # Those that do not.

    def first_is_the_mean(o, count, g):
        drawn = independent(o, count, g)
        drawn[0] = o[:2]
        return drawn

    def wider_where_many(o, count, g):
        return o[:2] + (1.0 if count == 1 else 2.5) * g.standard_normal((count, 2))

    def shifted_second_entry(o, count, g):
        return independent(o, count, g) + [0.0, count > 1]

    def grid(o, count, g):
        return np.tile(np.linspace(-1.0, 1.0, count)[:, None], (1, 2)) + o[:2]

    def own_seed(o, count, g):
        return np.random.default_rng(0).standard_normal((count, 2))

    def best_of_many(o, count, g):
        drawn = independent(o, max(count, 2), g)
        return drawn[np.argsort(drawn[:, 0])][-count:]

    def otherwise_elsewhere(o, count, g):
        return independent(o, count, g) + (2.0 if o[0] > 0.5 and count > 1 else 0.0)

    # Those that do not repeat themselves.

    def own_randomness(o, count, g):
        return np.random.standard_normal((count, 2))

    calls = []

    def remembers(o, count, g):
        calls.append(count)
        return independent(o, count, g) + 0.01 * len(calls)

    class Drifts:
        def __init__(self):
            self.last = 0.0
        def sample(self, o, count, g):
            drawn = independent(o, count, g) + 0.5 * self.last
            self.last = drawn[0, 0]
            return drawn

    class DriftsInAnEpisode:
        # It moves on M times in a step of selection, where the base's moved on once.
        def __init__(self):
            self.last = {}
        def sample(self, o, count, g):
            drawn = independent(o, count, g) + 0.5 * self.last.get(id(g), (g, 0.0))[1]
            self.last[id(g)] = g, drawn[0, 0]
            return drawn

    # Those that have the same noise at every step, until somebody else draws.

    def looks_at_the_state(o, count, g):
        seed = g.bit_generator.state["state"]["state"]
        return independent(o, count, np.random.default_rng(seed))

    def looks_at_the_seed(o, count, g):
        return independent(o, count, np.random.default_rng(g.bit_generator.seed_seq.entropy))
"""
KEEP = ["independent", "sorted_ones", "antithetic", "stratified", "one_for_all", "discrete",
        "deterministic", "of_a_child", "seeded_by_a_draw"]  # fmt: skip
BREAK = ["first_is_the_mean", "wider_where_many", "shifted_second_entry", "grid", "own_seed",
         "best_of_many", "otherwise_elsewhere"]  # fmt: skip


def sampler(module: str, name: str) -> UserSampler:
    spec = SamplerSpec(entry=f"{module}:{name}", observation_size=3, action_size=2)
    return UserSampler(spec, run_module=True)


@pytest.mark.parametrize("name", [*KEEP, *BREAK])
def test_what_repeats_itself_is_let_through_the_first_trial(module, name):
    require_sampler(sampler(module(SAMPLERS), name), HERE)


@pytest.mark.parametrize("name", ["own_randomness", "remembers", "Drifts", "DriftsInAnEpisode"])
def test_own_randomness_and_memory_are_refused(module, name):
    with pytest.raises(UserError, match=f":{name}' does not repeat itself: .*only from the gener"):
        require_sampler(sampler(module(SAMPLERS), name), HERE)


@pytest.mark.parametrize("name", ["looks_at_the_state", "looks_at_the_seed"])
def test_a_generator_that_is_only_looked_at_is_refused(module, name):
    """The base's noise would be one for a whole episode, and selection's another."""
    with pytest.raises(UserError, match=f":{name}' looks at its generator without drawing"):
        require_sampler(sampler(module(SAMPLERS), name), HERE)


@pytest.mark.parametrize("count", [2, 64])
@pytest.mark.parametrize("name", KEEP)
def test_candidates_may_depend_on_each_other(module, name, count):
    require_exchangeable(sampler(module(SAMPLERS), name), STATES, count, name)


@pytest.mark.parametrize("name", BREAK)
def test_candidates_of_another_law_are_refused(module, name):
    with pytest.raises(UserError, match=f"'{name}' draws 64 actions otherwise than one"):
        require_exchangeable(sampler(module(SAMPLERS), name), STATES, 64, name)


def test_the_entry_is_named(module):
    found = sampler(module(SAMPLERS), "shifted_second_entry")
    with pytest.raises(UserError, match=r"entry 1 of one of the 16 picked at random .*0\.[2-9]"):
        require_exchangeable(found, STATES, 16, "mine")


def test_what_the_trial_cannot_see_is_let_through(module):
    """Written down, so that nobody takes the trial for a proof."""
    name = module("""
        def slightly_other(o, count, g):
            return 0.1 * (count > 1) + g.standard_normal((count, 2))
        def other_only_together(o, count, g):
            drawn = g.standard_normal((count, 2))
            if count > 1:
                drawn[:, 1] = drawn[:, 0]
            return drawn
    """)
    for one in ("slightly_other", "other_only_together"):
        require_exchangeable(sampler(name, one), STATES, 16, one)
