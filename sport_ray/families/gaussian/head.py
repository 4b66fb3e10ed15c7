"""From the outputs of a network's last layer to a Gaussian, for a block and on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families.family import Array
from sport_ray.families.gaussian.distribution import Gaussian
from sport_ray.families.head import Compiled, Head, Rows

StdHead = Literal["bounded", "clamped", "constant"]
KINDS = get_args(StdHead)
_U = 2.0**-53


@dataclass(frozen=True)
class GaussianHead(Head):
    """How mean and log std (nats) come about of a layer's outputs.

    With bounds lo, hi and an output x of the layer

        bounded             log std = lo + (hi − lo)·(tanh(x) + 1)/2
        clamped, constant   log std = min(max(x, lo), hi)

    so that the std is always positive and finite. "constant": x is a parameter per action that
    no observation moves. The mean is the layer's output as it is.
    """

    kind: StdHead
    low: float
    high: float
    action_size: int

    @property
    def size(self) -> int:
        """Means and stds of all entries of an action."""
        return 2 * self.action_size

    @property
    def outputs(self) -> int:
        """Of the last layer."""
        return self.action_size if self.kind == "constant" else self.size

    @property
    def parameters(self) -> dict[str, int]:
        """Sizes of the head's own parameters by name."""
        return {"log_std": self.action_size} if self.kind == "constant" else {}

    def of_block(self, output: Tensor, own: dict[str, Tensor]) -> Gaussian:
        """The Gaussians of outputs (..., K), with the head's parameters."""
        if self.kind == "constant":
            log_std = own["log_std"].clamp(self.low, self.high)
            return Gaussian(output, torch.exp(log_std).expand_as(output))
        mean, raw = output.chunk(2, dim=-1)
        if self.kind == "clamped":
            log_std = raw.clamp(self.low, self.high)
        else:
            log_std = self.low + 0.5 * (self.high - self.low) * (torch.tanh(raw) + 1.0)
        return Gaussian(mean, torch.exp(log_std))

    def compiled(self) -> Compiled:
        """The head of many rows in one compiled pass."""
        from sport_ray.families.gaussian.compiled_head import CompiledHead

        kind = KINDS.index(self.kind)
        return CompiledHead(kind, self.low, self.high, self.action_size)

    def of_rows(self, own: dict[str, Array]) -> Rows:
        """The head on arrays: (outputs (..., K), error of each) → numbers (..., P), sure (...).

        Mean, then std, in float32; sure where no number rounds otherwise within the errors, so
        that they are those of :meth:`of_block`, to the bit.
        """
        low, high, size = self.low, self.high, self.action_size
        half = 0.5 * (high - low)
        rounding = 16.0 * _U * (2.0 + abs(low) + abs(high))
        constant = np.clip(own["log_std"], low, high) if self.kind == "constant" else None

        def head(output: Array, error: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
            mean, raw = output[..., :size], output[..., size:]
            off, off_raw = error[..., :size], error[..., size:]
            if constant is not None:
                log_std, wide = np.broadcast_to(constant, mean.shape), np.full(size, rounding)
            elif self.kind == "clamped":
                log_std, wide = np.clip(raw, low, high), off_raw + rounding
            else:
                log_std = low + half * (np.tanh(raw) + 1.0)
                wide = half * off_raw + (half + 1.0) * rounding
            std = np.exp(log_std)
            least = np.concatenate((mean - off, std * (1.0 - wide)), axis=-1).astype(np.float32)
            most = np.concatenate((mean + off, std * (1.0 + wide)), axis=-1).astype(np.float32)
            return least, (least == most).all(axis=-1) & (wide.max(axis=-1) < 1e-3)

        return head
