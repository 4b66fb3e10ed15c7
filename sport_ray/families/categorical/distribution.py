"""Categorical distributions as a family: what is drawn is the index of an outcome.

Probabilities are integer multiples of 2^-52 with sum exactly one. So the cumulative sums are exact
in float64, and an index drawn with a uniform number of 53 bits has exactly its probability.

That grid ends at 2^-52: of weights e^0, e^-1000, e^-2000 it keeps the first. Their order still
matters to a projection, which fills one outcome after another. So a member may be *of log weights*:
beside its probabilities it holds what they were rounded from. The law, and all that a promise
rests on, are the probabilities; ``projected``, ``kl`` to it and ``log_prob`` use the log weights.
What is written to a file is the law.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sport_ray.families.categorical.kernels import UNITS
from sport_ray.families.categorical.law import IndexDistribution
from sport_ray.families.categorical.on_grid import OnGrid
from sport_ray.families.categorical.projection import log_ratio_range, on_grid, project
from sport_ray.families.family import Array, Numbers
from sport_ray.streams import uniform_rows

_NEAR = 1e-5
"""Of the base's probability: what another processor may round otherwise."""
_LOG_ERROR = 8.0 * 2.0**-53


@functools.lru_cache(maxsize=64)
def _uniform_row(size: int) -> Array:
    """(1, n), read-only: every step of an episode has the same one."""
    each, more = divmod(2**52, size)
    row: Array = ((each + (np.arange(size) < more)) / UNITS)[None]
    row.setflags(write=False)
    return row


class Categorical(OnGrid):
    """Index j with probability p_j: probabilities (..., n) on the grid; actions (..., 1).

    An ``action_size`` is the number of outcomes n; an action is one number, the index.

    >>> base = Categorical.uniform(1, 4)
    >>> greedy = Categorical.of_log_weights(np.array([[0.0, -1e3, -2e3, -3e3]]))
    >>> greedy.projected(base, np.log(2.0)).arrays()[0].round(12).tolist()
    [[0.5, 0.5, 0.0, 0.0]]
    """

    name: ClassVar[str] = "categorical"

    @classmethod
    def uniform(cls, count: int, size: int) -> Self:
        """``count`` rows, each p_j = 1/n to within a unit of the grid (exact where n = 2^k).

        Where 2^52 is no multiple of n, the first outcomes have a unit more. For candidates drawn
        alike any fixed p gives the same law, so that nothing rests on it.

        Raises:
            ValueError: n < 1.
        """
        if size < 1:
            raise ValueError(f"a categorical needs one outcome at least, got {size}")
        if count == 1:
            return cls(_uniform_row(size).copy())
        return cls(np.tile(_uniform_row(size), (count, 1)))

    @classmethod
    def weights_on_grid(cls, log_weights: Numbers) -> Any:
        """Softmax on the grid, (..., n)."""
        return on_grid(log_weights)

    @classmethod
    def num_parameters(cls, action_size: int) -> int:
        """One probability for each of ``action_size`` outcomes."""
        return action_size

    @classmethod
    def noise_size(cls, action_size: int) -> int:
        """1, whatever the number of outcomes."""
        return 1

    @classmethod
    def draw_noise(cls, generator: np.random.Generator, steps: int, action_size: int) -> Array:
        """Uniform numbers of [0, 1) in multiples of 2^-53, (steps, 1)."""
        return generator.random((steps, 1))

    @classmethod
    def draw_each(
        cls, generators: Sequence[np.random.Generator], steps: int, action_size: int
    ) -> Array:
        """The same from each generator, (n, steps, 1)."""
        return uniform_rows(generators, steps)[..., None]

    def valid(self) -> Tensor:
        """Whether p_j ≥ 0, on the grid, Σ_j p_j = 1 exactly, (...)."""
        units = self.probabilities.detach().double() * UNITS
        fine = (units >= 0.0) & (units == units.floor())
        # Exact: sums of integers up to 2^53, and those beyond it never come back.
        return fine.all(-1) & (torch.where(fine, units, 0.0).sum(-1) == UNITS)

    def agrees(self, other: Categorical, base: Categorical) -> Tensor:
        """Within 1e-5 of the base's probability, in every outcome."""
        allowed = _NEAR * base.probabilities
        near = (self.probabilities - other.probabilities).abs() <= allowed
        return near.all(-1)

    def sample(self, noise: Array) -> Array:
        """The number of cumulative sums ≤ noise: index j with probability exactly p_j."""
        below = self.arrays()[0].cumsum(axis=-1) <= noise
        drawn: Array = below.sum(axis=-1, keepdims=True).astype(np.float64)
        return drawn

    def log_probs(self) -> Tensor:
        """Log p (..., n), nats; of the log weights where it is made of such; differentiable."""
        if self._log_weights is None:
            return torch.as_tensor(self.log_weights)
        return torch.log_softmax(torch.as_tensor(self._log_weights), dim=-1)

    def likeliest(self) -> Array:
        """Max_j p_j."""
        found: Array = self.arrays()[0].max(axis=-1)
        return found

    def log_prob(self, action: Tensor) -> Tensor:
        """Log p_j, nats; of the log weights where it is made of such."""
        return IndexDistribution(self.probabilities, self.log_probs()).log_prob(action)

    def torch_distribution(self) -> torch.distributions.Distribution:
        """Indices (..., 1), drawn as :meth:`sample` draws them."""
        return IndexDistribution(self.probabilities, self.log_probs())

    @classmethod
    def learned_law(cls, learned: Tensor) -> torch.distributions.Distribution:
        """Of log p (..., n), which need not be on the grid."""
        return IndexDistribution(learned.exp(), learned)

    def log_ratio(self, base: Categorical, action: Array) -> Array:
        """Log p_j / q_j, nats; −inf where p_j = 0, 0 where both are one number.

        >>> base = Categorical.uniform(1, 4)
        >>> one = Categorical(np.array([[0.5, 0.5, 0.0, 0.0]]))
        >>> one.log_ratio(base, np.array([[1.0]])).round(12).tolist()
        [0.69314718056]
        """
        index = action.astype(np.int64)
        mine, its = self.arrays()[0], base.arrays()[0]
        if mine.shape == its.shape and mine.ndim == index.ndim == 2 and len(index) == len(mine):
            at = np.arange(len(mine)), index[:, 0]  # rows: what follows takes longer than all else
            p, q = mine[at], its[at]
        else:
            mine, its = np.broadcast_arrays(mine, its)
            p, q = (np.take_along_axis(x, index, axis=-1)[..., 0] for x in (mine, its))
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Array = np.where(p == q, 0.0, np.log(p / q))
        return found

    def log_ratio_above(self, base: Categorical, action: Array) -> Array:
        """The log ratio and more than its rounding error; exactly 0 where p_j = q_j."""
        ratio = self.log_ratio(base, action)
        # p/q errs by half a unit, its logarithm by a few units in its last place.
        exact = (ratio == 0.0) | np.isinf(ratio)
        return ratio + np.where(
            exact, 0.0, _LOG_ERROR * (1.0 + np.abs(np.where(exact, 0.0, ratio)))
        )

    def max_log_ratio(self, base: Categorical) -> Tensor:
        """Max_j log p_j / q_j; inf where p_j > 0 = q_j."""
        return log_ratio_range(self._held[0], base._held[0])[0]

    def min_log_ratio(self, base: Categorical) -> Tensor:
        """Min_j log p_j / q_j; −inf where p_j = 0 < q_j."""
        return log_ratio_range(self._held[0], base._held[0])[1]

    def kl(self, other: Categorical) -> Tensor:
        """Σ_j p_j log(p_j / other_j), 0 where p_j = 0; inf where only other_j is 0."""
        p, its = self.probabilities.double(), other.log_probs().double()
        some = p > 0.0
        logs = torch.where(some, p, 1.0).log() - torch.where(some, its, 0.0)
        return torch.where(some, p * logs, 0.0).sum(-1)

    def projected(self, base: Categorical, limit: float | Tensor) -> Categorical:
        """p_j = min(K w_j, e^limit q_j) on the grid: see projection.py."""
        return self.projected_within(base, 0.0, limit)

    def projected_within(
        self, base: Categorical, floor: float | Tensor, limit: float | Tensor
    ) -> Categorical:
        """p_j = clip(K w_j, floor · q_j, e^limit q_j) on the grid: see projection.py."""
        weights = self.log_weights
        held = self.held_as(base)[0]
        if isinstance(held, Tensor):
            weights = torch.as_tensor(weights)
        return Categorical(project(weights, held, base._held[0], limit, floor))
