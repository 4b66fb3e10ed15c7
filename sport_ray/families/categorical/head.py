"""Logits: the outputs of a network's last layer are log weights, and nothing is done to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families.categorical.product import categorical_over
from sport_ray.families.family import Array, Distribution
from sport_ray.families.head import Head, Rows, Singles


@dataclass(frozen=True)
class CategoricalHead(Head):
    """Log weights (..., Σ n_i) of independent indices: p_ij in proportion to e^{w_ij}.

    ``sizes``: the numbers of outcomes n_i. A fixed policy is its float32 log weights, and its
    probabilities are theirs on the grid.
    """

    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """P = Σ n_i."""
        return sum(self.sizes)

    @property
    def outputs(self) -> int:
        """One for each outcome."""
        return self.size

    def of_block(self, output: Tensor, own: dict[str, Tensor]) -> Distribution:
        """The laws of log weights (..., P)."""
        return categorical_over(self.sizes).from_numbers(output)

    def of_rows(self, own: dict[str, Array]) -> Rows:
        """The outputs, rounded; sure where both ends of an error are one float32 number."""
        return _rounded

    def compiled(self) -> CompiledLogits:
        """The same for many rows."""
        return CompiledLogits()


def _rounded(output: Array, error: Array) -> tuple[Singles, NDArray[np.bool_]]:
    least = (output - error).astype(np.float32)
    most = (output + error).astype(np.float32)
    return least, (least == most).all(axis=-1)


class CompiledLogits:
    """Log weights of many rows: as they are."""

    def numbers(self, output: Singles, own: Singles) -> Singles:
        """The outputs (n, P) themselves."""
        return output

    def sure_numbers(
        self, output: Array, error: Array, own: Array
    ) -> tuple[Singles, NDArray[np.bool_]]:
        """The outputs, rounded; another's may err as much the other way."""
        return _rounded(output, 2.0 * (1.0 + 1e-6) * error)
