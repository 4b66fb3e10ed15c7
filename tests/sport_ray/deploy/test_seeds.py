"""A deployed episode's stream is its own, whoever else has the same seed, and has one spelling."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.deploy.seeds import KEY, POOL, are_words, seed_words, stream
from sport_ray.errors import UserError

SPELLINGS = [
    0, 5, [5], [5, 0], 2**40, 10**40, [2**40, 3], [], np.array([1, 2]), np.uint64(2**63),
    np.int64(3), (1, 2, 3, 4, 5), np.random.SeedSequence(7), np.random.SeedSequence([1, 2**35]),
    np.random.SeedSequence(7, spawn_key=(3, 2**40)).spawn(3)[2],
]  # fmt: skip


@pytest.mark.parametrize("seed", SPELLINGS, ids=str)
def test_words_are_what_numpy_makes_of_a_seed(seed: object) -> None:
    given = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    words = seed_words(seed)
    assert len(words) >= POOL
    assert are_words(list(words))
    mine = np.random.SeedSequence(words)
    assert (mine.generate_state(8) == given.generate_state(8)).all()
    ours = np.random.SeedSequence(given.entropy, spawn_key=(*given.spawn_key, *KEY, 2))
    expected = np.random.default_rng(ours).standard_normal(8)
    np.testing.assert_array_equal(stream(words, 2).standard_normal(8), expected)


def test_one_stream_has_one_spelling() -> None:
    sequence = np.random.SeedSequence
    same = [5, [5], [5, 0], [5, 0, 0], sequence(5), sequence([5]), sequence([5, 0, 0, 0])]
    assert len({seed_words(seed) for seed in same}) == 1
    children = [sequence(5).spawn(1)[0], [5, 0, 0, 0, 0], sequence(5, spawn_key=(0,))]
    assert len({seed_words(seed) for seed in children}) == 1
    assert seed_words(children[0]) != seed_words(5)


@pytest.mark.parametrize("seed", SPELLINGS, ids=str)
def test_no_number_is_that_of_whoever_else_has_the_seed(seed: object) -> None:
    """Of the sequence itself, as ``env.reset`` takes it, and of its children."""
    given = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    others = [given, *np.random.SeedSequence(given.entropy, spawn_key=given.spawn_key).spawn(20)]
    mine = {x for n in range(3) for x in stream(seed_words(seed), n).standard_normal(50)}
    assert len(mine) == 150
    for other in others:
        assert not mine & set(np.random.default_rng(other).standard_normal(200))


def test_none_is_fresh() -> None:
    assert seed_words(None) != seed_words(None)


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (True, "bool"), ("5", "str"), (b"5", "bytes"), (1.0, "float"), (np.float64(3), "float64"),
        (-1, "negative"), ([1, -1], "negative"), ({1: 2}, "dict"), ([1.0], "float"),
        ([None], "NoneType"), (np.array([True]), "bool"), (object(), "object"), (1j, "complex"),
        (10**700, "bits"), (10**5000, "bits"), (range(10**9), "words"), (list(range(65)), "words"),
        (np.random.SeedSequence(1, pool_size=8), "pool_size"),
        (np.random.default_rng(1), "Generator"), (np.random.PCG64(1), "PCG64"),
        (np.random.RandomState(1), "RandomState"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_seed_is_refused_in_one_line(seed: object, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as error:
        seed_words(seed)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("value", [None, 5, [1, 2, 3], [0, 0, 0, 2**32], [0, 0, 0, True], [0] * 65])
def test_what_a_log_may_not_call_words(value: object) -> None:
    assert not are_words(value)
