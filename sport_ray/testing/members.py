"""Random members of a family, from ordinary to hostile: what the checks are run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from sport_ray.families import Categorical, Distribution, Gaussian


class Draw(Protocol):
    """A function that draws a batch of members."""

    def __call__(self, generator: np.random.Generator, count: int) -> Distribution:
        """``count`` members, a batch (count,) given by float64 tensors."""
        ...


@dataclass(frozen=True)
class Members:
    """A family as the checks see it.

    draw: random members, as different from each other as policies may be. size: by which the
    family counts, see ``Distribution.num_parameters``: of an action, or of an index's outcomes.
    """

    draw: Draw
    size: int

    def pair(self, generator: np.random.Generator, count: int) -> tuple[Distribution, Distribution]:
        """A base and a task (count,); in a tenth of the rows they are one member."""
        base, task = self.draw(generator, count), self.draw(generator, count)
        same = torch.from_numpy(generator.random(count) < 0.1)[:, None]
        parts = (
            torch.where(same, mine, its) for mine, its in zip(base.parts, task.parts, strict=True)
        )
        return base, type(task)(*parts)

    def batch(self, generator: np.random.Generator, count: int) -> Distribution:
        """One random member, ``count`` times."""
        return self.draw(generator, 1)[np.zeros(count, dtype=np.int64)]


def gaussian_members(size: int = 2) -> Members:
    """Diagonal Gaussians over actions (size,): shifted, widened and narrowed, some of them far."""

    def draw(generator: np.random.Generator, count: int) -> Distribution:
        shape = (count, size)
        reach = 10.0 ** generator.uniform(-4.0, 1.5, (count, 1))
        mean = (reach * generator.normal(size=shape)).astype(np.float32)
        std = (10.0 ** generator.uniform(-2.0, 0.8, shape)).astype(np.float32)
        return Gaussian(*(torch.from_numpy(part.astype(np.float64)) for part in (mean, std)))

    return Members(draw, size)


def categorical_members(size: int = 5) -> Members:
    """Categoricals over ``size`` outcomes, from nearly equal to nearly sure ones."""

    def draw(generator: np.random.Generator, count: int) -> Distribution:
        weights = generator.normal(size=(count, size)) * 10.0 ** generator.uniform(
            -2.0, 0.7, (count, 1)
        )
        return Categorical(Categorical.weights_on_grid(torch.from_numpy(weights)))

    return Members(draw, size)
