"""Where an episode starts: the fixed layout of the alpha sweeps, and random ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.random_streams import stream
from sport_ray.streams import uniform_rows

LayoutName = Literal["fixed", "random"]

GOAL_RADIUS: Final = 0.3
HAZARD_RADIUS: Final = 0.5


class Layout(NamedTuple):
    """The start of an episode: the robot's pose (at rest) and two centres, metres and radians."""

    pose: tuple[float, float, float]
    goal: tuple[float, float]
    hazard: tuple[float, float]


FIXED_LAYOUT: Final = Layout(
    pose=(0.058576, -0.456962, 2.749442),
    goal=(-0.162016, 2.113773),
    hazard=(-0.122152, 0.910484),
)
"""The layout that every episode of the alpha sweeps starts from (the authors' env_seed = 0)."""


def robot_generator(seed: int | None) -> np.random.Generator:
    """The randomness of a robot's world for a seed that somebody gave; fresh for None.

    A stream of its own: a policy that is seeded with the same integer draws other numbers.
    """
    return stream(seed, "sport_ray/PointReachAvoid")


class Layouts(NamedTuple):
    """The starts of n episodes: poses (n, 3), centres of goals and hazards (n, 2)."""

    pose: NDArray[np.float64]
    goal: NDArray[np.float64]
    hazard: NDArray[np.float64]


def sample_layouts(rngs: Sequence[np.random.Generator]) -> Layouts:
    """Random layouts: independent uniform coordinates, seven numbers drawn from each generator.

    Agent x in [-0.6, 0.6], y in [-0.6, -0.4], heading in [-pi, pi]; goal x in [-0.695, 0.695],
    y in [1.805, 2.195]; hazard x in [-0.8, 0.8], y in [0.2, 1.3] (metres).

    The authors' simulator also rejects layouts with agent and hazard closer than 0.6, goal and
    hazard closer than 0.505, or agent and goal closer than 0.705. The ranges of y alone keep these
    distances (0.2 + 0.4, 1.805 - 1.3, 1.805 + 0.4), so there is nothing to reject.
    """
    u = uniform_rows(rngs, 7).T
    return Layouts(
        np.stack([-0.6 + 1.2 * u[0], -0.6 + 0.2 * u[1], math.pi * (2.0 * u[6] - 1.0)], axis=1),
        np.stack([-0.695 + 1.39 * u[2], 1.805 + 0.39 * u[3]], axis=1),
        np.stack([-0.8 + 1.6 * u[4], 0.2 + 1.1 * u[5]], axis=1),
    )


def sample_layout(rng: np.random.Generator) -> Layout:
    """One random layout."""
    return Layout(*(tuple(part[0].tolist()) for part in sample_layouts([rng])))


def within_a_turn(poses: ArrayLike) -> NDArray[np.float64]:
    """Poses (3,) or (n, 3) as (n, 3) with headings in [-pi, pi], a copy."""
    found = np.array(poses, dtype=np.float64).reshape(-1, 3)
    for row in np.flatnonzero(np.abs(found[:, 2]) > math.pi):
        found[row, 2] = math.remainder(found[row, 2], 2.0 * math.pi)
    return found
