"""What a policy draws from, whatever its law: one class per family, one object per batch.

A *family* is a subclass of :class:`Distribution`; an object of it is a batch of its members, given
by tensors. Constraints, rollouts and training know no more of a policy than this interface.

What is learned through is a tensor. What concerns actions that were drawn is a float64 array: a
promise rests on it, and numpy sums it in one order on every machine. So a batch holds tensors, or
arrays where nothing is learned: one step of an episode is mostly the way from one to the other.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.plugins import qualified

Array = NDArray[np.float64]
Numbers = Tensor | NDArray[np.floating[Any]]
FAMILIES: dict[str, type[Distribution]] = {}
_PACKAGE = __name__.rpartition(".")[0]


class Distribution(ABC):
    """A batch (...) of distributions over actions (..., D), members of one family.

    Defining a subclass with a ``name`` registers the family. Outside this package the name gets
    its module in front, ``my_package.my_module:name``.

    Args:
        parts: what the members are given by, one for each of ``part_names``, all of one shape
            (..., K) and dtype; all tensors or all arrays.
    """

    name: ClassVar[str]
    part_names: ClassVar[tuple[str, ...]]
    in_float32: ClassVar[bool] = True
    """Whether a member rounded to float32 is one, too."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            return
        cls.name = qualified(cls, _PACKAGE)
        known = FAMILIES.get(cls.name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"name {cls.name!r} is taken by the family {known.__qualname__}")
        FAMILIES[cls.name] = cls

    def __init__(self, *parts: Numbers) -> None:
        if len(parts) != len(self.part_names):
            raise ValueError(f"a {self.name} needs {self.part_names}, got {len(parts)} tensors")
        self._held: tuple[Any, ...] = parts

    # The family.

    @classmethod
    @abstractmethod
    def num_parameters(cls, action_size: int) -> int:
        """P, the numbers that a member over actions (D,) is given by."""

    @classmethod
    @abstractmethod
    def noise_size(cls, action_size: int) -> int:
        """M, the numbers that one action (D,) is drawn with."""

    @classmethod
    @abstractmethod
    def draw_noise(cls, generator: np.random.Generator, steps: int, action_size: int) -> Array:
        """What :meth:`sample` turns into actions, (steps, M), from the generator alone."""

    @classmethod
    def draw_each(
        cls, generators: Sequence[np.random.Generator], steps: int, action_size: int
    ) -> Array:
        """What :meth:`draw_noise` draws from each generator, (n, steps, M)."""
        return np.stack([cls.draw_noise(one, steps, action_size) for one in generators])

    @classmethod
    def draw_rows(cls, generators: Sequence[np.random.Generator], action_size: int) -> Array:
        """One step's noise from each generator, (n, M)."""
        return cls.draw_each(generators, 1, action_size)[:, 0]

    @classmethod
    def from_parameters(cls, parameters: Numbers) -> Self:
        """The members with these numbers (..., P), part after part."""
        size = parameters.shape[-1] // len(cls.part_names)
        starts = range(0, size * len(cls.part_names), size)
        return cls(*(parameters[..., start : start + size] for start in starts))

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> Self:
        """The members that a policy's numbers (..., P) stand for: by default the parameters."""
        return cls.from_parameters(numbers)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`fields`, from arrays or lists; float64.

        Raises:
            ValueError: other names, shapes that differ, or numbers that describe no member.
        """
        if set(fields) != set(cls.part_names):
            raise ValueError(f"a {cls.name} has {cls.part_names}, got {', '.join(sorted(fields))}")
        parts = [np.array(fields[name], dtype=np.float64) for name in cls.part_names]
        found = cls(*parts)
        if any(part.shape != parts[0].shape for part in parts) or not found.valid().all():
            raise ValueError(f"no {cls.name} has these numbers")
        return found

    # One batch.

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """What the members are given by, as tensors."""
        return tuple(map(torch.as_tensor, self._held))

    @property
    def parameters(self) -> Tensor:
        """All numbers, (..., P), part after part."""
        return torch.cat(self.parts, dim=-1)

    @property
    def numbers(self) -> Tensor:
        """What :meth:`from_numbers` makes the same batch of, (..., P)."""
        return self.parameters

    def arrays(self) -> tuple[Array, ...]:
        """The parts in float64."""
        return tuple(as_array(part, np.float64) for part in self._held)

    def fields(self, prefix: str = "") -> dict[str, Array]:
        """The parts in float64 by name: what a file or a log holds."""
        return {prefix + n: part for n, part in zip(self.part_names, self.arrays(), strict=True)}

    __iter__ = None
    """Neither its rows nor its parts: say which."""

    def __len__(self) -> int:
        return len(self._held[0])

    def __getitem__(self, rows: Any) -> Self:
        return type(self)(*(part[rows] for part in self._held))

    def __repr__(self) -> str:
        numbers = (
            f"{name} {part.tolist()}"
            for name, part in zip(self.part_names, self.parts, strict=True)
        )
        return f"{self.name} with {', '.join(numbers)}"

    def to(self, *like: Any) -> Self:
        """In another dtype, or in that of a tensor and where it is."""
        return type(self)(*(part.to(*like) for part in self.parts))

    def rounded(self, dtype: type[np.floating[Any]]) -> Self:
        """In arrays of that dtype."""
        return type(self)(*(as_array(part, dtype) for part in self._held))

    def held_as(self, other: Self) -> tuple[Any, ...]:
        """The parts as arrays where both hold arrays, as tensors otherwise."""
        mine, its = self._held[0], other._held[0]
        return self.parts if isinstance(mine, Tensor) or isinstance(its, Tensor) else self._held

    def differs(self, other: Self) -> Tensor:
        """Whether any number of it is another, bool (...)."""
        pairs = zip(self.held_as(other), other.held_as(self), strict=True)
        found = reduce(operator.or_, (mine != its for mine, its in pairs))
        return torch.as_tensor(found.any(-1))

    def copy(self) -> Self:
        """The same in memory of its own."""
        return type(self)(*(part.clone() for part in self.parts))

    def valid(self) -> Tensor:
        """Whether its numbers describe a member, bool (...); finite ones at least."""
        return reduce(operator.and_, (torch.isfinite(part).all(dim=-1) for part in self.parts))

    @abstractmethod
    def agrees(self, other: Self, base: Self) -> Tensor:
        """Whether it is the other but for what another processor rounds otherwise, bool (...).

        base: what both are near, for scale.
        """

    # Its law.

    @abstractmethod
    def sample(self, noise: Array) -> Array:
        """The actions (..., D) that noise (..., M) of :meth:`draw_noise` stands for."""

    def sample_tensor(self, noise: Tensor) -> Tensor:
        """As :meth:`sample`, on the noise's device; on a CPU the same bits."""
        return torch.from_numpy(self.sample(as_array(noise, np.float64))).to(noise.device)

    @abstractmethod
    def log_prob(self, action: Tensor) -> Tensor:
        """Log density of actions (..., D), nats, (...); differentiable."""

    @abstractmethod
    def torch_distribution(self) -> torch.distributions.Distribution:
        """The same law as torch has it: ``sample``, ``log_prob`` and ``entropy`` of RLlib."""

    # What training learns through.

    @property
    def learned(self) -> Tensor:
        """The numbers (..., L) that a loss is computed from, by default the parameters."""
        return self.parameters

    @classmethod
    def learned_law(cls, learned: Tensor) -> torch.distributions.Distribution:
        """The law of :attr:`learned` numbers as torch has it; differentiable in all of them."""
        return cls.from_parameters(learned).torch_distribution()

    # Its distance from another member.

    @abstractmethod
    def log_ratio(self, base: Self, action: Array) -> Array:
        """Log π(a)/π_base(a) of actions (..., D), nats, (...); 0 where both are the same."""

    def log_ratio_tensor(self, base: Self, action: Tensor) -> Tensor:
        """As :meth:`log_ratio`, on the actions' device; on a CPU the same bits."""
        found = self.log_ratio(base, as_array(action, np.float64))
        return torch.from_numpy(found).to(action.device)

    @abstractmethod
    def log_ratio_above(self, base: Self, action: Array) -> Array:
        """An upper bound on the exact log ratio of these numbers; exactly 0 where both are one."""

    @abstractmethod
    def max_log_ratio(self, base: Self) -> Tensor:
        """Log max_a π(a)/π_base(a), nats, float64 (...); inf where there is none.

        Raises:
            ValueError: numbers that describe no member.
        """

    @abstractmethod
    def kl(self, other: Self) -> Tensor:
        """KL(self ‖ other), nats, float64 (...); differentiable."""

    @abstractmethod
    def projected(self, base: Self, limit: float | Tensor) -> Self:
        """The member closest to this in KL among those with max_log_ratio(base) ≤ limit.

        The bound holds for the returned numbers in their own dtype; a member within it is
        returned bit for bit. Gradients reach this one, not the base.

        limit: nats, ≥ 0, a number or (...).
        """


class Shifts(Distribution):
    """Members that a shift of length μ tells from the base no better than N(μ, 1) from N(0, 1).

    Lengths are in the base's own units, and squares of successive shifts add up.
    """

    @abstractmethod
    def projected_shift(self, base: Self, radius: float | Tensor) -> Self:
        """The base, shifted towards this member by at most ``radius``, a number or (...).

        A gradient reaches this member, where one is asked for.
        """

    @abstractmethod
    def is_shift_of(self, base: Self) -> Tensor:
        """Whether it is the base but for a shift, bool (...)."""

    @abstractmethod
    def squared_shift(self, base: Self) -> Array:
        """The squared length of the shift, rounded up, float64 (...).

        Raises:
            ValueError: numbers that describe no member.
        """


class TwoSided(Distribution):
    """Members that can be kept within ratios from both sides: at most e^limit, at least a floor."""

    @abstractmethod
    def projected_within(self, base: Self, floor: float | Tensor, limit: float | Tensor) -> Self:
        """As :meth:`projected`, among those with floor ≤ π/π_base ≤ e^limit everywhere.

        floor: a ratio in [0, 1], 1 leaves nothing but the base; limit: nats, ≥ 0; numbers or (...).
        """

    @abstractmethod
    def min_log_ratio(self, base: Self) -> Tensor:
        """Log min_a π(a)/π_base(a), nats, float64 (...); −inf where there is none.

        Raises:
            ValueError: numbers that describe no member.
        """


def as_array(part: Numbers, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """A part as an array of that dtype; itself where it is one."""
    if isinstance(part, Tensor):
        part = part.detach().cpu().numpy()
    return part.astype(dtype, copy=False)
