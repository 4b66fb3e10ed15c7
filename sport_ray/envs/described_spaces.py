"""Observation spaces as plain JSON, and what lies in them as a row of numbers.

Entries come in gymnasium's order (``gymnasium.spaces.utils.flatten``): those of a Dict in the order
of its keys, which gymnasium sorts unless they were given in an OrderedDict; arrays by rows; an
index as as many entries as it has values, 1 at its own and 0 elsewhere (one-hot). The rule is
written out here, so that a policy file means the same whatever gymnasium does later.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sport_ray.envs.spaces import read_array
from sport_ray.envs.values import described
from sport_ray.errors import UserError

Length = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Shape = tuple[Length, ...]
Dtype = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64",
]  # fmt: skip
Lead = tuple[int, ...]
"""() for one observation, (n,) for those of n copies of an environment."""
Numbers = Callable[[Any], Any]
"""What an array of numbers is first sent through."""
MOST_SPACES = 10_000


class _Space(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def size(self) -> int:
        """How many entries of a vector it becomes."""

    @abstractmethod
    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """The parts (*lead, k) of its row, one after another; ``at`` is where it was found.

        Raises:
            UserError: what does not lie in the space.
        """

    @abstractmethod
    def entry(self, index: int) -> str:
        """Where the entry of this index comes from, below the space itself."""


class BoxSpace(_Space):
    """An array of numbers; its bounds are no part of what a policy was made for."""

    kind: Literal["box"] = "box"
    shape: Shape
    dtype: Dtype

    @property
    def size(self) -> int:
        """The product of its shape."""
        return math.prod(self.shape)

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """By rows, as C has them."""
        if self.dtype != "bool":
            given = numbers(given)
        found = read_array(given, (*lead, *self.shape), np.dtype(self.dtype), at)
        return [found.reshape(*lead, self.size)]

    def entry(self, index: int) -> str:
        """Its indices."""
        found = np.unravel_index(index, self.shape) if self.shape else ()
        return "".join(f"[{int(one)}]" for one in found)

    def __str__(self) -> str:
        return f"Box({self.shape}, {self.dtype})"


class MultiBinarySpace(_Space):
    """An array of zeros and ones."""

    kind: Literal["multi_binary"] = "multi_binary"
    shape: Shape

    @property
    def size(self) -> int:
        """The product of its shape."""
        return math.prod(self.shape)

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """By rows."""
        found = read_array(given, (*lead, *self.shape), np.dtype(np.int8), at)
        if ((found != 0) & (found != 1)).any():
            raise UserError(f"{at} holds other numbers than 0 and 1, which its space {self} takes")
        return [found.reshape(*lead, self.size)]

    def entry(self, index: int) -> str:
        """Its indices."""
        return "".join(f"[{int(one)}]" for one in np.unravel_index(index, self.shape))

    def __str__(self) -> str:
        return f"MultiBinary({self.shape})"


class MultiDiscreteSpace(_Space):
    """An array of indices, each with its number of values, counted from its start."""

    kind: Literal["multi_discrete"] = "multi_discrete"
    shape: Shape
    sizes: tuple[Count, ...]
    starts: tuple[int, ...]

    @model_validator(mode="after")
    def _alike(self) -> MultiDiscreteSpace:
        if not len(self.sizes) == len(self.starts) == math.prod(self.shape):
            raise ValueError("sizes and starts need one number for each entry of the shape")
        return self

    @property
    def size(self) -> int:
        """The sum of the numbers of values."""
        return sum(self.sizes)

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """One-hot, index after index."""
        found = read_array(given, (*lead, *self.shape), np.dtype(np.int64), at)
        return one_hot(found.reshape(*lead, len(self.sizes)), self.sizes, self.starts, at)

    def entry(self, index: int) -> str:
        """Which index, and which of its values."""
        ends = np.cumsum(self.sizes)
        which = int(np.searchsorted(ends, index, side="right"))
        value = index - int(ends[which]) + self.sizes[which] + self.starts[which]
        found = np.unravel_index(which, self.shape)
        return "".join(f"[{int(one)}]" for one in found) + f" = {value}"

    def __str__(self) -> str:
        return f"MultiDiscrete({list(self.sizes)})"


class DiscreteSpace(_Space):
    """An index below n, counted from its start."""

    kind: Literal["discrete"] = "discrete"
    n: Count
    start: int = 0

    @property
    def size(self) -> int:
        """N."""
        return self.n

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """One-hot."""
        if not lead and np.shape(given) == (1,):
            given = np.asarray(given)[0]
        found = read_array(given, lead, np.dtype(np.int64), at)
        return one_hot(found[..., None], (self.n,), (self.start,), at)

    def entry(self, index: int) -> str:
        """Which value."""
        return f" = {self.start + index}"

    def __str__(self) -> str:
        return f"Discrete({self.n})" if self.start == 0 else f"Discrete({self.n}, {self.start})"


class DictSpace(_Space):
    """Spaces by name, in the order of their entries."""

    kind: Literal["dict"] = "dict"
    spaces: tuple[tuple[str, AnySpace], ...]

    @model_validator(mode="after")
    def _once(self) -> DictSpace:
        if len({key for key, _ in self.spaces}) < len(self.spaces):
            raise ValueError("a key occurs twice")
        return self

    @property
    def size(self) -> int:
        """The sum of its spaces'."""
        return sum(space.size for _, space in self.spaces)

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """Key after key."""
        if not isinstance(given, Mapping):
            raise UserError(f"{at} is {described(given)}: expected a dict with {self._keys()}")
        if len(given) != len(self.spaces) or any(key not in given for key, _ in self.spaces):
            have = ", ".join(map(repr, given)) or "nothing"
            raise UserError(f"{at} has the keys {have[:200]}: expected {self._keys()}")
        return [
            part
            for key, space in self.spaces
            for part in space.rows(given[key], lead, f"{at}[{key!r}]", numbers)
        ]

    def entry(self, index: int) -> str:
        """Which key, and where in it."""
        for key, space in self.spaces:
            if index < space.size:
                return f"[{key!r}]{space.entry(index)}"
            index -= space.size
        raise IndexError(index)

    def _keys(self) -> str:
        return ", ".join(repr(key) for key, _ in self.spaces)[:200]

    def __str__(self) -> str:
        return f"Dict({', '.join(f'{key!r}: {space}' for key, space in self.spaces)})"


class TupleSpace(_Space):
    """Spaces one after another."""

    kind: Literal["tuple"] = "tuple"
    spaces: tuple[AnySpace, ...]

    @property
    def size(self) -> int:
        """The sum of its spaces'."""
        return sum(space.size for space in self.spaces)

    def rows(self, given: Any, lead: Lead, at: str, numbers: Numbers) -> list[NDArray[Any]]:
        """Part after part."""
        if not isinstance(given, tuple | list) or len(given) != len(self.spaces):
            raise UserError(f"{at} is {described(given)}: expected a tuple of {len(self.spaces)}")
        pairs = enumerate(zip(given, self.spaces, strict=True))
        return [
            part
            for index, (one, space) in pairs
            for part in space.rows(one, lead, f"{at}[{index}]", numbers)
        ]

    def entry(self, index: int) -> str:
        """Which part, and where in it."""
        for which, space in enumerate(self.spaces):
            if index < space.size:
                return f"[{which}]{space.entry(index)}"
            index -= space.size
        raise IndexError(index)

    def __str__(self) -> str:
        return f"Tuple({', '.join(map(str, self.spaces))})"


AnySpace = Annotated[
    BoxSpace | DiscreteSpace | MultiDiscreteSpace | MultiBinarySpace | DictSpace | TupleSpace,
    Field(discriminator="kind"),
]
DictSpace.model_rebuild()
TupleSpace.model_rebuild()


def one_hot(
    values: NDArray[np.int64], sizes: tuple[int, ...], starts: tuple[int, ...], at: str
) -> list[NDArray[Any]]:
    """Zeros and ones (*lead, Σ sizes) for indices (*lead, K); exact, as int64.

    Raises:
        UserError: an index that has no such value.
    """
    index = values - np.array(starts, dtype=np.int64)
    wrong = (index < 0) | (index >= np.array(sizes))
    if wrong.any():
        which = int(np.argwhere(wrong)[0][-1])
        first, last = starts[which], starts[which] + sizes[which] - 1
        raise UserError(f"{at} is {values[wrong][0]}: expected an index from {first} to {last}")
    found = np.zeros((*values.shape[:-1], sum(sizes)), dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
    np.put_along_axis(found, index + offsets, 1, axis=-1)
    return [found]


_OTHERS: dict[type[spaces.Space[Any]], str] = {
    spaces.Sequence: "pad it to a Box of the longest",
    spaces.Graph: "give its nodes and edges as Boxes of a fixed size",
    spaces.OneOf: "give a Dict that has all of them",
    spaces.Text: "give an index or an embedding of it as a Box",
}


class Description:
    """Makes the description of a space; counts what a space may have."""

    WAY_OUT: ClassVar[str] = (
        "or leave it out, with gymnasium.wrappers.FilterObservation or TransformObservation"
    )

    def __init__(self) -> None:
        self._count = 0

    def of(self, space: object, at: str) -> AnySpace:
        """The description of a gymnasium space.

        Raises:
            UserError: a space of no fixed size, or of a kind that is not known, by name.
        """
        self._count += 1
        if self._count > MOST_SPACES:
            raise UserError(f"{at} is a space of more than {MOST_SPACES} spaces")
        if isinstance(space, spaces.Box):
            return BoxSpace(shape=space.shape, dtype=self._dtype(space, at))
        if isinstance(space, spaces.Discrete):
            return DiscreteSpace(n=int(space.n), start=int(space.start))
        if isinstance(space, spaces.MultiDiscrete):
            sizes, starts = (
                tuple(one.ravel().tolist()) for one in (space.nvec, np.asarray(space.start))
            )
            return MultiDiscreteSpace(shape=space.nvec.shape, sizes=sizes, starts=starts)
        if isinstance(space, spaces.MultiBinary):
            return MultiBinarySpace(shape=space.shape)
        if isinstance(space, spaces.Dict):
            return DictSpace(spaces=tuple(self._named(space, at)))
        if isinstance(space, spaces.Tuple):
            parts = enumerate(space.spaces)
            return TupleSpace(spaces=tuple(self.of(one, f"{at}[{i}]") for i, one in parts))
        remedy = next((text for kind, text in _OTHERS.items() if isinstance(space, kind)), None)
        if remedy is None:
            remedy = "expected Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple: convert it"
        else:
            remedy = f"a policy sees a fixed number of entries: {remedy}"
        raise UserError(f"{at} is {_short(space)}; {remedy}, {self.WAY_OUT}")

    def _named(self, space: spaces.Dict, at: str) -> list[tuple[str, AnySpace]]:
        for key in space.spaces:
            if not isinstance(key, str):
                raise UserError(f"{at} has the key {described(key)}: keys must be text")
        return [(key, self.of(one, f"{at}[{key!r}]")) for key, one in space.spaces.items()]

    @staticmethod
    def _dtype(space: spaces.Box, at: str) -> Any:
        name = np.dtype(space.dtype).name
        if name not in get_args(Dtype):
            raise UserError(f"{at} is a Box of dtype {name}: expected {', '.join(get_args(Dtype))}")
        return name


def _short(space: object) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= 120 else f"{text[:117]}…"


def difference(mine: AnySpace, other: AnySpace, at: str) -> str | None:
    """The first place where an environment's space differs from a policy's; None if nowhere."""
    if mine == other:
        return None
    if isinstance(mine, DictSpace) and isinstance(other, DictSpace):
        ours, theirs = ([key for key, _ in one.spaces] for one in (mine, other))
        if ours != theirs:
            return f"{at} has the keys {_listed(theirs)}, the policy's {_listed(ours)}"
        pairs = zip(mine.spaces, other.spaces, strict=True)
        parts = [(f"{at}[{key!r}]", one, two) for (key, one), (_, two) in pairs]
    elif (
        isinstance(mine, TupleSpace)
        and isinstance(other, TupleSpace)
        and len(mine.spaces) == len(other.spaces)
    ):
        pairs_of = enumerate(zip(mine.spaces, other.spaces, strict=True))
        parts = [(f"{at}[{i}]", one, two) for i, (one, two) in pairs_of]
    else:
        return f"{at} is {_short(other)}, the policy's {_short(mine)}"
    return next(filter(None, (difference(one, two, where) for where, one, two in parts)), None)


def _listed(keys: list[str]) -> str:
    return _short(", ".join(map(repr, keys)) or "none")
