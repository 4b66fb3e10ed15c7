"""From the outputs of a network's last layer to what a policy draws from: the interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families.family import Array, Distribution

Singles = NDArray[np.float32]
Rows = Callable[[Array, Array], tuple[Singles, NDArray[np.bool_]]]


class Compiled(Protocol):
    """A head for many rows of arrays; what it has of its own comes with each call."""

    def numbers(self, output: Singles, own: Singles) -> Singles:
        """The numbers (n, P) of outputs (n, K)."""
        ...

    def sure_numbers(
        self, output: Array, error: Array, own: Array
    ) -> tuple[Singles, NDArray[np.bool_]]:
        """The numbers of outputs that may be off by ``error``, and whether they are sure (n,)."""
        ...


class Head(ABC):
    """What a layer's outputs (..., K) mean: numbers (..., P), float32 in a fixed policy.

    The family's ``from_numbers`` makes laws of them.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """P."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """K, of the last layer."""

    @property
    def parameters(self) -> Mapping[str, int]:
        """Sizes of the head's own parameters by name; by default it has none."""
        return {}

    @abstractmethod
    def of_block(self, output: Tensor, own: dict[str, Tensor]) -> Distribution:
        """The laws of outputs (..., K), with the head's parameters; differentiable."""

    @abstractmethod
    def of_rows(self, own: dict[str, Array]) -> Rows:
        """On arrays: (outputs (..., K), error of each) → numbers (..., P), sure (...).

        Sure where no number rounds otherwise within the errors, so that they are those of
        :meth:`of_block`, to the bit.
        """

    @abstractmethod
    def compiled(self) -> Compiled:
        """The same for many rows in one pass."""
