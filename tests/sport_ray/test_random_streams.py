"""One integer, many uses: no two streams are alike, and none is a plain generator's."""

from __future__ import annotations

import itertools

import numpy as np

from sport_ray.random_streams import seed_sequence, stream


def test_uses_and_seeds_are_apart():
    uses = ("a", "b", "ab", "training environments", "scpo probes")
    first = {
        (seed, use): stream(seed, use).integers(2**63)
        for seed, use in itertools.product((0, 1, 7, 2**32, 2**70), uses)
    }
    assert len(set(first.values())) == 25
    for (seed, use), drawn in first.items():
        assert drawn == stream(seed, use).integers(2**63)
        assert drawn != np.random.default_rng(seed).integers(2**63)
    assert seed_sequence(None, "a").entropy != seed_sequence(None, "a").entropy
