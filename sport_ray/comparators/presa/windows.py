"""Windows of L steps within episodes: what they earned, whether they are unsafe, which compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sport_ray.comparators.presa.episodes import Episodes
from sport_ray.errors import UserError
from sport_ray.properties import NEVER, parse_property


@dataclass(frozen=True, eq=False)
class Windows:
    """Every window of L steps: its episode, its first step, its reward, whether it is unsafe."""

    episode: NDArray[np.int64]
    start: NDArray[np.int64]
    reward: NDArray[np.float64]
    unsafe: NDArray[np.bool_]

    @classmethod
    def cut(cls, episodes: Episodes, length: int) -> Windows:
        """All windows of all episodes.

        Raises:
            UserError: no episode is that long.
        """
        longest = int(episodes.lengths.max())
        if length > longest:
            raise UserError(
                f"segment_length = {length} is longer than every episode (at most {longest} "
                "steps): lower it"
            )
        counts = np.maximum(episodes.lengths - length + 1, 0)
        episode = np.repeat(np.arange(len(counts)), counts)
        start = np.concatenate([np.arange(count) for count in counts])
        steps = start[:, None] + np.arange(length + 1)
        prop = parse_property(episodes.formula)
        states = episodes.signals[episode[:, None], steps]
        verdict = prop.evaluate({name: states[:, :, k] for k, name in enumerate(prop.signal_names)})
        reward = episodes.rewards[episode[:, None], steps[:, :-1]].sum(axis=1)
        return cls(episode, start, reward, verdict.violated_at != NEVER)


def with_share(
    unsafe: NDArray[np.bool_], share: float | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The most segments among which that share is unsafe, in order."""
    if share is None:
        return np.arange(len(unsafe))
    groups = [rng.permutation(np.flatnonzero(unsafe == label)) for label in (True, False)]
    if not all(len(group) for group in groups):
        word = "unsafe" if not len(groups[0]) else "safe"
        raise UserError(f"unsafe_share = {share} cannot be had: no segment is {word}")
    total = min(len(groups[0]) / share, len(groups[1]) / (1.0 - share))
    wanted = max(round(total * share), 1), max(round(total * (1.0 - share)), 1)
    return np.sort(
        np.concatenate([group[:count] for group, count in zip(groups, wanted, strict=True)])
    )


def comparable_pairs(
    start: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Pairs (count, 2) of different segments with the same first step, with repetition."""
    order = np.argsort(start, kind="stable")
    _, begins, sizes = np.unique(start[order], return_index=True, return_counts=True)
    if (sizes < 2).all():
        raise UserError(
            "no two segments begin at the same step: collect more episodes, or choose shorter "
            "segments"
        )
    # A segment uniformly among those that have a companion, then a companion uniformly.
    usable = np.where(sizes > 1, sizes, 0)
    group = rng.choice(len(sizes), size=count, p=usable / usable.sum())
    one = rng.integers(sizes[group])
    other = (one + rng.integers(1, sizes[group])) % sizes[group]
    return np.stack([order[begins[group] + one], order[begins[group] + other]], axis=1)
