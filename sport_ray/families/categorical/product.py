"""Independent categoricals as one family: an action is one index for each factor.

Log ratios of factors add up, so one limit is shared among them. A factor i whose own largest log
ratio is m_i gets

    c_i = min(m_i, λ),  Σ c_i = c,

with the λ that spends the limit c, and is projected onto p_i ≤ e^{c_i} q_i by itself; a floor is
shared likewise. The bound holds for every joint action. It is the closest product to the task for
these shares, not for all: the best shares have no closed form (the cost is not convex in them).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sport_ray.families.categorical.distribution import Categorical
from sport_ray.families.categorical.law import IndexDistribution
from sport_ray.families.categorical.on_grid import OnGrid
from sport_ray.families.categorical.projection import on_grid
from sport_ray.families.family import Array, Distribution, Numbers, as_array
from sport_ray.streams import uniform_rows

_UNIT, _LEAST = 2.0**-52, 2.0**-1074
Ratio = Callable[[Categorical, Categorical, Array], Array]


class Categoricals(OnGrid):
    """Index j of factor i with probability p_ij: probabilities (..., Σ n_i); actions (..., K).

    Made by :func:`categorical_over`; ``sizes``: the numbers of outcomes n_i.
    """

    sizes: ClassVar[tuple[int, ...]]

    @classmethod
    def weights_on_grid(cls, log_weights: Numbers) -> Any:
        """Softmax of every factor on the grid."""
        return _joined([on_grid(one) for one in cls._split(log_weights)])

    @classmethod
    def num_parameters(cls, action_size: int) -> int:
        """One probability for each outcome of each factor."""
        return sum(cls.sizes)

    @classmethod
    def noise_size(cls, action_size: int) -> int:
        """K."""
        return len(cls.sizes)

    @classmethod
    def draw_noise(cls, generator: np.random.Generator, steps: int, action_size: int) -> Array:
        """Uniform numbers of [0, 1) in multiples of 2^-53, (steps, K)."""
        return generator.random((steps, len(cls.sizes)))

    @classmethod
    def draw_each(
        cls, generators: Sequence[np.random.Generator], steps: int, action_size: int
    ) -> Array:
        """The same from each generator, (n, steps, K)."""
        factors = len(cls.sizes)
        return uniform_rows(generators, steps * factors).reshape(-1, steps, factors)

    @classmethod
    def _split(cls, numbers: Any) -> list[Any]:
        if numbers.shape[-1] != sum(cls.sizes):
            raise ValueError(f"a {cls.name} needs {sum(cls.sizes)} numbers, got {numbers.shape}")
        ends = np.cumsum(cls.sizes).tolist()
        return [numbers[..., end - size : end] for size, end in zip(cls.sizes, ends, strict=True)]

    @property
    def factors(self) -> tuple[Categorical, ...]:
        """One categorical for each index of an action."""
        probabilities = self._split(self._held[0])
        weights: Sequence[Any] = [None] * len(self.sizes)
        if self._log_weights is not None:
            weights = self._split(self._log_weights)
        pairs = zip(probabilities, weights, strict=True)
        return tuple(Categorical(p, log_weights=w) for p, w in pairs)

    def _pairs(self, other: Categoricals) -> Any:
        return zip(self.factors, other.factors, strict=True)

    def valid(self) -> Tensor:
        """Whether every factor's are probabilities on the grid, (...)."""
        return torch.stack([one.valid() for one in self.factors], -1).all(-1)

    def agrees(self, other: Categoricals, base: Categoricals) -> Tensor:
        """Whether every factor does."""
        triples = zip(self.factors, other.factors, base.factors, strict=True)
        return torch.stack([one.agrees(two, near) for one, two, near in triples], -1).all(-1)

    def sample(self, noise: Array) -> Array:
        """An index from each factor, each with its own number."""
        drawn = [one.sample(noise[..., i : i + 1]) for i, one in enumerate(self.factors)]
        return np.concatenate(drawn, axis=-1)

    def log_probs(self) -> Tensor:
        """Log p_ij (..., Σ n_i), nats; differentiable."""
        return torch.cat([one.log_probs() for one in self.factors], -1)

    def likeliest(self) -> Array:
        """Π_i max_j p_ij."""
        return functools.reduce(np.multiply, [one.likeliest() for one in self.factors])

    def log_prob(self, action: Tensor) -> Tensor:
        """Σ_i log p_i, nats."""
        found: Tensor = self.torch_distribution().log_prob(action)
        return found

    def torch_distribution(self) -> torch.distributions.Distribution:
        """Indices (..., K), drawn as :meth:`sample` draws them."""
        return ProductDistribution([one.torch_distribution() for one in self.factors])

    @classmethod
    def learned_law(cls, learned: Tensor) -> torch.distributions.Distribution:
        """Of log p_ij (..., Σ n_i), which need not be on the grid."""
        return ProductDistribution(
            [IndexDistribution(one.exp(), one) for one in cls._split(learned)]
        )

    def log_ratio(self, base: Categoricals, action: Array) -> Array:
        """Σ_i log p_i / q_i, nats; 0 where neither can draw the action."""
        return _total(self._of_factors(Categorical.log_ratio, base, action))

    def log_ratio_above(self, base: Categoricals, action: Array) -> Array:
        """The sum of the factors' upper bounds and more than its rounding error."""
        found = self._of_factors(Categorical.log_ratio_above, base, action)
        sums = functools.reduce(np.add, map(np.abs, found))
        error = np.where(np.isfinite(sums), len(found) * _UNIT * sums, 0.0)
        above: Array = _total(found) + error
        return above

    def _of_factors(self, ratio: Ratio, base: Categoricals, action: Array) -> list[Array]:
        """A log ratio of every factor at its own index."""
        pairs = enumerate(self._pairs(base))
        return [ratio(mine, its, action[..., i : i + 1]) for i, (mine, its) in pairs]

    def max_log_ratio(self, base: Categoricals) -> Tensor:
        """Σ_i max_j log p_ij / q_ij."""
        return _sum([mine.max_log_ratio(its) for mine, its in self._pairs(base)])

    def min_log_ratio(self, base: Categoricals) -> Tensor:
        """Σ_i min_j log p_ij / q_ij."""
        return _sum([mine.min_log_ratio(its) for mine, its in self._pairs(base)])

    def kl(self, other: Categoricals) -> Tensor:
        """Σ_i KL of the factors."""
        return _sum([mine.kl(its) for mine, its in self._pairs(other)])

    def projected(self, base: Categoricals, limit: float | Tensor) -> Self:
        """Every factor projected onto its share of the limit: see the head of this file."""
        return self.projected_within(base, 0.0, limit)

    def projected_within(
        self, base: Categoricals, floor: float | Tensor, limit: float | Tensor
    ) -> Self:
        """Every factor within its shares of the floor's logarithm and of the limit.

        Gradients take the shares as given.
        """
        pairs = list(self._pairs(base))
        most = np.stack([as_array(p.max_log_ratio(q), np.float64) for p, q in pairs], -1)
        upper = shares(_number(limit, "limit"), most)
        lower: list[float | Tensor] = [0.0] * len(pairs)
        if not (isinstance(floor, float) and floor == 0.0):
            down = np.stack([-as_array(p.min_log_ratio(q), np.float64) for p, q in pairs], -1)
            given = _number(floor, "floor")
            with np.errstate(divide="ignore"):
                depth = shares(-np.log(given), down)
            # Rounded inwards: no product of floors is below the floor that was asked for.
            floors = np.where(given[..., None] == 1.0, 1.0, np.exp(-depth * (1.0 - 1e-12)))
            lower = [torch.from_numpy(np.minimum(floors[..., i], 1.0)) for i in range(len(pairs))]
        found = [
            p.projected_within(q, lower[i], torch.from_numpy(upper[..., i]))
            for i, (p, q) in enumerate(pairs)
        ]
        return type(self)(_joined([one._held[0] for one in found]))


def shares(total: Array, wanted: Array) -> Array:
    """c_i = min(m_i, λ) with sum at most ``total``: (...), (..., K) → (..., K), nats.

    Where all that is wanted fits, the rest is shared equally. Sums of the shares and of anything
    below them, in float64 with more than their rounding errors, are within the total.

    >>> shares(np.array(1.0), np.array([0.2, 2.0, 5.0])).round(9).tolist()
    [0.2, 0.4, 0.4]
    """
    count = wanted.shape[-1]
    lead = np.broadcast_shapes(total.shape, wanted.shape[:-1])
    wanted = np.broadcast_to(np.maximum(wanted, 0.0), (*lead, count))
    total = np.broadcast_to(total, lead)[..., None]
    # The second for subnormal totals, whose rounding errors are no share of them.
    rest = np.maximum(total * (1.0 - 8.0 * count * _UNIT) - 8.0 * count * _LEAST, 0.0)
    order = np.sort(wanted, axis=-1)
    finite = np.where(np.isfinite(order), order, 0.0)
    # Of the smaller ones alone: with a larger one in the sum their last bits would be lost.
    before = np.concatenate([np.zeros_like(finite[..., :1]), finite[..., :-1].cumsum(-1)], -1)
    level = (rest - before) / (count - np.arange(count))
    # λ of the first factor that wants more than an equal part of what is left.
    open_ = order > level
    first = np.where(open_.any(-1), open_.argmax(-1), count - 1)[..., None]
    each = np.maximum(np.take_along_axis(level, first, -1), 0.0)
    found = np.where(open_.any(-1, keepdims=True), np.minimum(wanted, each), wanted)
    # A factor is left as it is only where its share exceeds what it wants by the grid's errors.
    whole = wanted.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        more = np.where(np.isfinite(whole), (rest - whole) / count, -1.0)
    fits = more >= 512.0 * _UNIT * (1.0 + whole)
    return np.where(np.isinf(total), np.inf, np.where(fits, wanted + np.maximum(more, 0.0), found))


def _total(ratios: Sequence[Array]) -> Array:
    """The sum of log ratios; 0 where one is +inf and another −inf: neither draws such an action."""
    with np.errstate(invalid="ignore"):
        total: Array = functools.reduce(np.add, ratios)
    return np.where(np.isnan(total), 0.0, total)


def _sum(each: Sequence[Tensor]) -> Tensor:
    """Factor after factor."""
    return functools.reduce(torch.add, each)


def _number(value: float | Tensor, name: str) -> Array:
    # Not by way of a tensor: of a number torch keeps 24 bits.
    number = as_array(value, np.float64) if isinstance(value, Tensor) else value
    found: Array = np.asarray(number, dtype=np.float64)
    low, high = (0.0, np.inf) if name == "limit" else (0.0, 1.0)
    if not ((found >= low) & (found <= high)).all():
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {found}")
    return found


def _joined(parts: Sequence[Any]) -> Any:
    if any(isinstance(one, Tensor) for one in parts):
        return torch.cat([torch.as_tensor(one) for one in parts], -1)
    lead = np.broadcast_shapes(*(one.shape[:-1] for one in parts))
    return np.concatenate([np.broadcast_to(one, (*lead, one.shape[-1])) for one in parts], -1)


class ProductDistribution(torch.distributions.Distribution):
    """Independent indices as torch has distributions: (..., K)."""

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch's own declaration

    def __init__(self, factors: Sequence[torch.distributions.Distribution]) -> None:
        self.factors = factors
        shape = torch.Size([len(factors)])
        super().__init__(factors[0].batch_shape, shape, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """An index from each factor."""
        return torch.cat([one.sample(sample_shape) for one in self.factors], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Σ_i log p_i, nats."""
        found = [one.log_prob(value[..., i : i + 1]) for i, one in enumerate(self.factors)]
        return _sum(found)

    def entropy(self) -> Tensor:
        """Σ_i of the factors' entropies, nats."""
        return _sum([one.entropy() for one in self.factors])


@functools.cache
def categorical_over(sizes: tuple[int, ...]) -> type[Distribution]:
    """The family of independent indices below these sizes; of one size ``Categorical`` itself.

    >>> categorical_over((3, 2)).name
    'categorical[3,2]'
    """
    if len(sizes) == 1:
        return Categorical
    if not sizes or not all(isinstance(n, int) and n >= 1 for n in sizes):
        raise ValueError(f"sizes must be positive integers, got {sizes}")
    name = f"categorical[{','.join(map(str, sizes))}]"
    own = {"name": name, "sizes": sizes, "__module__": __name__}  # else it is of the module abc
    return type("Categoricals", (Categoricals,), own)
