"""The stream of a deployed episode: of its seed, and of nothing else that has the same seed.

``env.reset(seed=s)`` draws from ``PCG64(SeedSequence(s))``. If ``policy.reset(s)`` did so too, the
policy's draws would be the world's, and a promise that rests on their independence would be void.
So whatever is given gets a spawn key that is ours, ``SeedSequence(words, spawn_key=KEY + (n,))``.

A seed has many spellings (5, [5], [5, 0], …) that numpy mixes into one stream. Here it has one: its
32-bit words, as ``SeedSequence`` puts them together. So two seeds are one stream exactly if their
words are the same.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from sport_ray.constraints.mixture import Mixture
from sport_ray.errors import UserError
from sport_ray.text import plain

Seed = int | np.random.SeedSequence | None
Words = tuple[int, ...]

KEY = tuple(b"sport-ray deploy")
"""Ends every spawn key of a deployed policy; no child of ``spawn`` has such a key by chance."""
PART_KEY = tuple(b"sport-ray deploy part")
"""The same of the number that draws an episode's part of a mixture: no stream of its actions."""
POOL, MOST_WORDS = 4, 64
_BITS, _WORD = 32, 2**32


def seed_words(seed: Any) -> Words:
    """A seed in its one spelling: at least four words, each below 2³²; None: fresh entropy.

    Raises:
        UserError: what is no seed, or a Generator: its state cannot be named in a log, and whoever
            else holds it draws the same numbers or shifts them.
    """
    if isinstance(seed, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
        raise UserError(
            f"seed is a {type(seed).__name__}, which others may draw from, too: give an integer, a "
            "SeedSequence (such as generator.bit_generator.seed_seq.spawn(1)[0]), or None"
        )
    try:
        if isinstance(seed, np.random.SeedSequence):
            if seed.pool_size != POOL:
                raise TypeError(f"pool_size {seed.pool_size}, expected {POOL}")
            entropy, key = _words(seed.entropy), _words(seed.spawn_key)
        else:
            given = np.random.SeedSequence().entropy if seed is None else seed
            entropy, key = _words(given), ()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"seed {_shown(seed)} is none ({error}): give an integer of at least 0, several in a "
            "list, a SeedSequence, or None for fresh entropy"
        ) from None
    words = (*entropy, *(0,) * (POOL - len(entropy)), *key)
    if len(words) > MOST_WORDS:
        raise UserError(f"seed has {len(words)} words of {_BITS} bits: give at most {MOST_WORDS}")
    return words


def stream(words: Words, number: int) -> np.random.Generator:
    """The generator of an episode; after a draw that no action came of the next ``number``."""
    return np.random.default_rng(np.random.SeedSequence(words, spawn_key=(*KEY, number)))


def part_number(words: Words) -> float:
    """The uniform number in [0, 1), a multiple of 2⁻⁵³, that draws an episode's part."""
    return float(np.random.default_rng(np.random.SeedSequence(words, spawn_key=PART_KEY)).random())


def drawn_part(mixture: Mixture, words: Words) -> int:
    """Which part of a mixture the episode of a seed is played by."""
    return int(mixture.drawn(np.array([part_number(words)]))[0])


def are_words(value: Any) -> bool:
    """Whether a log's words are spelled as ``seed_words`` spells them."""
    return (
        isinstance(value, list)
        and POOL <= len(value) <= MOST_WORDS
        and all(type(word) is int and 0 <= word < _WORD for word in value)
    )


def _shown(value: Any) -> str:
    try:
        return repr(plain(value)[:60])
    except ValueError:  # an integer of more digits than Python writes
        return f"of the type {type(value).__name__}"


def _words(value: Any) -> Words:
    """An integer, or several, as numpy cuts them: words of 32 bits, the lowest first."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise TypeError(f"a {type(value).__name__}")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, numbers.Integral):
        number = operator.index(value)
        if number < 0:
            raise ValueError("negative")
        if number.bit_length() > _BITS * MOST_WORDS:
            raise ValueError(f"more than {_BITS * MOST_WORDS} bits")
        found = []
        while True:
            number, low = divmod(number, _WORD)
            found.append(low)
            if not number:
                return tuple(found)
    if isinstance(value, Iterable) and not isinstance(value, dict | set | frozenset):
        words: list[int] = []
        for entry in value:
            words += _words(entry)
            if len(words) > MOST_WORDS:
                raise ValueError(f"more than {MOST_WORDS} words")
        return tuple(words)
    raise TypeError(f"a {type(value).__name__}")
