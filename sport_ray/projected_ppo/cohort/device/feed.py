"""What is random, drawn on the host from each cell's own named streams and copied ahead.

The generators are those of a cohort on a CPU (``sport_ray.projected_ppo.streams``), each read by
one cell alone, so that no cell's numbers hang on its companions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sport_ray.families import Distribution
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.plan import Plan
from sport_ray.projected_ppo.minibatches import minibatches
from sport_ray.projected_ppo.streams import minibatch_generator, noise_generator

AHEAD = 3
"""Iterations that the host may be ahead of the device."""


class Feed:
    """The noise and the order of rows of the next iteration, on the device.

    noise: (T, K·n, M) float64; rows: (minibatches, K, B) int64, each into its own cell's batch.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        family: type[Distribution],
        action_size: int,
        device: torch.device,
    ) -> None:
        self._plan, self._family, self._size = plan, family, action_size
        self._noise = [noise_generator(cell.seed, plan.runner) for cell in cells]
        self._orders = [minibatch_generator(cell.seed) for cell in cells]
        count, width = len(cells), family.noise_size(action_size)
        noise = (plan.steps, count, plan.copies, width)
        rows = (plan.num_minibatches, count, plan.minibatch_size)
        self.noise = torch.zeros(noise, dtype=torch.float64, device=device)
        self.rows = torch.zeros(rows, dtype=torch.int64, device=device)
        self._stages = [_Stage(self.noise, self.rows) for _ in range(AHEAD)]
        self._turn = 0

    def next(self) -> None:
        """Draw for one iteration; the device gets it once it is done with the last one."""
        stage = self._stages[self._turn]
        self._turn = (self._turn + 1) % AHEAD
        stage.wait()
        plan = self._plan
        for cell, generator in enumerate(self._noise):
            drawn = self._family.draw_noise(generator, plan.rows, self._size)
            stage.noise[:, cell] = drawn.reshape(plan.steps, plan.copies, -1)
        for cell, generator in enumerate(self._orders):
            shuffled = generator if plan.shuffled else None
            stage.rows[:, cell] = minibatches(
                plan.rows, plan.minibatch_size, plan.num_epochs, shuffled
            )
        stage.send(self.noise, self.rows)


class _Stage:
    """Memory of the host that a copy is made from while the next is being drawn."""

    def __init__(self, noise: Tensor, rows: Tensor) -> None:
        pinned = noise.is_cuda
        self._tensors = [
            torch.zeros(one.shape, dtype=one.dtype, pin_memory=pinned) for one in (noise, rows)
        ]
        self.noise, self.rows = (one.numpy() for one in self._tensors)
        self._done: Any = torch.cuda.Event() if pinned else None

    def wait(self) -> None:
        """Until the last copy from here is made."""
        if self._done is not None:
            self._done.synchronize()

    def send(self, noise: Tensor, rows: Tensor) -> None:
        """Copy; on a GPU in the order of its work, while the host goes on."""
        noise.copy_(self._tensors[0], non_blocking=True)
        rows.copy_(self._tensors[1], non_blocking=True)
        if self._done is not None:
            self._done.record()
