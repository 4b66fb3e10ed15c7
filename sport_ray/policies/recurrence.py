"""Policies that remember: an LSTM before the linear layers, its state beside a budget's.

A law then depends on what was seen before: π(a | o_0, …, o_t) through a state that is a function of
those. Ratios are of laws given the same past, so every bound holds as it is (docs/bounds.md,
section 1): a base policy may be any function of the history.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sport_ray.policies.sealed import Sealed
from sport_ray.policies.threads import one_thread

Array = NDArray[np.float64]


class Recurrence(BaseModel):
    """An LSTM of some layers, each of ``size`` units; its state begins with zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lstm"] = "lstm"
    size: Annotated[int, Field(ge=1, le=8192)]
    layers: Annotated[int, Field(ge=1, le=10)] = 1

    @property
    def memory_size(self) -> int:
        """M: the numbers of a state, all layers' outputs h and then all their cells c."""
        return 2 * self.layers * self.size

    def num_parameters(self, inputs: int) -> int:
        """How many weights it has, of observations (inputs,)."""
        sizes = [inputs, *[self.size] * (self.layers - 1)]
        return sum(4 * self.size * (one + self.size + 2) for one in sizes)


class Memory(nn.LSTM):
    """The LSTM, one step at a time.

    recurrence: its sizes; inputs: entries of an observation.
    """

    def __init__(self, recurrence: Recurrence, inputs: int) -> None:
        super().__init__(inputs, recurrence.size, recurrence.layers)
        self.recurrence = recurrence

    def after(self, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (n, H) and the next states (n, M), of observations (n, O) and states (n, M)."""
        count, layers = len(seen), self.recurrence.layers
        parts = memory.reshape(count, 2, layers, -1).permute(1, 2, 0, 3).contiguous()
        found, (h, c) = self(seen[None], (parts[0], parts[1]))
        after = torch.stack([h, c]).permute(2, 0, 1, 3).reshape(count, -1)
        return found[0], after


class Remembered(NamedTuple):
    """What the linear layers see (n, H), and the states (n, M) after it."""

    features: Array
    memory: Array


class MemoryRows(Sealed):
    """An LSTM with fixed weights, row by row, in float64 on one thread.

    A row is computed by itself and always in one shape: the same bits in every batch.

    memory: float64, of float32 numbers; its weights must not change.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __call__(self, seen: Tensor, memory: Array) -> Remembered:
        """One step, of normalised observations (n, O), float64, and states (n, M)."""
        recurrence = self._memory.recurrence
        features = np.empty((len(seen), recurrence.size))
        after = np.empty((len(seen), recurrence.memory_size))
        before = torch.from_numpy(np.ascontiguousarray(memory, dtype=np.float64))
        with torch.no_grad(), one_thread():
            for row in range(len(seen)):
                out, state = self._memory.after(seen[row : row + 1], before[row : row + 1])
                features[row], after[row] = out[0].numpy(), state[0].numpy()
        return Remembered(features, after)
