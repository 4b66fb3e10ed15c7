"""The task policies of K cells, acting: the numbers that each network by itself gives."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.families import Distribution
from sport_ray.policies.network import PolicySpec
from sport_ray.policies.observations import Normalizer
from sport_ray.projected_ppo.cohort.environment import Cells
from sport_ray.projected_ppo.cohort.passes import ACTIVATE
from sport_ray.projected_ppo.cohort.stack import Stack, Weights


class Actors:
    """K networks of one architecture on a CPU, each as ``GaussianNetwork`` computes it.

    A cell's rows go through its own products, of the shapes that the single algorithm's have: a
    product of other shapes may round otherwise.
    """

    def __init__(self, spec: PolicySpec, stack: Stack) -> None:
        self.spec, self.stack = spec, stack
        self._normalize = None if spec.normalization is None else Normalizer(spec.normalization)
        self._activate = ACTIVATE[spec.activation]

    def distribution(self, cells: Cells, observation: NDArray[np.float32]) -> Distribution:
        """The Gaussians of cells (A,) at observations (A, n, O): rows (A·n, …), float32 arrays."""
        rows = torch.from_numpy(observation)
        if self._normalize is not None:
            rows = self._normalize(rows)
        count, copies = rows.shape[:2]
        output = torch.empty((count, copies, self.spec.head.outputs))
        for row, cell in enumerate(cells.tolist()):
            output[row] = self._body(self.stack.each[cell], rows[row])
        own = {name: value[cells] for name, value in self.stack.whole.own.items()}
        head = self.spec.head
        if place_does_not_matter():
            found = head.of_block(output, own).parameters
        else:
            each = [
                head.of_block(output[row], {name: value[row, 0] for name, value in own.items()})
                for row in range(count)
            ]
            found = torch.stack([one.parameters for one in each])
        return self.spec.family.from_parameters(found.flatten(0, 1).numpy())

    def _body(self, weights: Weights, rows: Tensor) -> Tensor:
        *hidden, (matrix, bias) = zip(weights.turned, weights.biases, strict=True)
        for inner, shift in hidden:
            rows = self._activate(torch.addmm(shift, rows, inner))
        return torch.addmm(bias, rows, matrix)


@cache
def place_does_not_matter() -> bool:
    """Whether this processor's exp and tanh give a number the same bits wherever it stands.

    They may not: a vector instruction and what is left over at the end can round otherwise.
    """
    numbers = torch.linspace(-9.0, 9.0, 4099)
    return all(
        torch.equal(
            torch.cat([one(part.clone()) for part in numbers.split(size)]), one(numbers)
        )
        for one in (torch.exp, torch.tanh)
        for size in (1, 3, 17)
    )
