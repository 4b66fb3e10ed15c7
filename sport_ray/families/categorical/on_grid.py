"""What laws on the grid share: probabilities, and perhaps the log weights that they are made of."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from sport_ray.families.family import Array, Numbers, TwoSided, as_array


class OnGrid(TwoSided):
    """Laws given by probabilities (..., P) in multiples of 2^-52, float64 whatever is asked for."""

    part_names: ClassVar[tuple[str, ...]] = ("probabilities",)
    in_float32: ClassVar[bool] = False

    def __init__(self, *parts: Numbers, log_weights: Numbers | None = None) -> None:
        super().__init__(*parts)
        self._log_weights: Any = log_weights

    @classmethod
    @abstractmethod
    def weights_on_grid(cls, log_weights: Numbers) -> Any:
        """Probabilities (..., P) closest to log weights (..., P), any normalisation."""

    @classmethod
    def of_log_weights(cls, log_weights: Numbers) -> Self:
        """p_j in proportion to e^{log weight_j}, (..., n); −inf for weight 0, not all.

        Raises:
            ValueError: NaN, +inf, or no weight above 0.
        """
        if isinstance(log_weights, Tensor):
            log_weights = log_weights.double()
        else:
            log_weights = np.asarray(log_weights, dtype=np.float64)
        return cls(cls.weights_on_grid(log_weights), log_weights=log_weights)

    @classmethod
    def from_numbers(cls, numbers: Numbers) -> Self:
        """Of a policy's log weights (..., P)."""
        return cls.of_log_weights(numbers)

    @property
    def numbers(self) -> Tensor:
        """The log weights, float64 (..., P)."""
        return torch.as_tensor(self.log_weights).double()

    @property
    def probabilities(self) -> Tensor:
        """Of every outcome, (..., n)."""
        return self.parts[0]

    @property
    def log_weights(self) -> Numbers:
        """What it was made of, any normalisation; log p where it was made of p."""
        if self._log_weights is not None:
            held: Numbers = self._log_weights
            return held
        p = self._held[0]
        if isinstance(p, Tensor):
            some = p > 0.0
            return torch.where(some, torch.where(some, p, 1.0).log(), -torch.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs: Array = np.log(p)
        return logs

    @abstractmethod
    def log_probs(self) -> Tensor:
        """Log p (..., P), nats; of the log weights where it is made of such; differentiable."""

    @abstractmethod
    def likeliest(self) -> Array:
        """The probability of the likeliest action, (...)."""

    @property
    def learned(self) -> Tensor:
        """Log p (..., P): on the grid a weight below 2^-52 is 0, and nothing is learned from it."""
        return self.log_probs()

    # A batch keeps its log weights, and float64: no other dtype holds the grid.

    def _with(self, change: Any) -> Self:
        weights = None if self._log_weights is None else change(self._log_weights)
        return type(self)(*map(change, self._held), log_weights=weights)

    def __getitem__(self, rows: Any) -> Self:
        return self._with(lambda part: part[rows])

    def to(self, *like: Any) -> Self:
        """Tensors where the given one is; the dtype stays, as the grid needs it."""
        devices = [getattr(x, "device", x) for x in like if not isinstance(x, torch.dtype)]
        return self._with(lambda part: torch.as_tensor(part).to(*devices))

    def rounded(self, dtype: type[np.floating[Any]]) -> Self:
        """In arrays of float64, whatever is asked for: the grid needs it."""
        return self._with(lambda part: as_array(part, np.float64))

    def copy(self) -> Self:
        """The same in memory of its own."""
        return self._with(lambda x: x.clone() if isinstance(x, Tensor) else x.copy())
