"""The networks of K cells: where their training begins, and what became of one of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sport_ray.policies.network import PolicyNetwork, blank_network
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.stack import Stack
from sport_ray.projected_ppo.streams import critic_network


def actors_of(cells: Sequence[Cell], device: torch.device | str = "cpu") -> Stack:
    """The task policies that the cells' training begins with."""
    spec = cells[0].start.spec
    actors = Stack(len(cells), spec.layer_sizes, spec.head.parameters, device)
    for index, cell in enumerate(cells):
        actors.put(index, cell.start.layers, cell.start.of_the_head())
    return actors


def critics_of(cells: Sequence[Cell], device: torch.device | str = "cpu") -> Stack:
    """Critics of the policies' hidden layers, with the first weights of the cells' seeds."""
    spec = cells[0].start.spec
    sizes = (spec.observation_size, *spec.hidden, 1)
    critics = Stack(len(cells), sizes, device=device)
    for index, cell in enumerate(cells):
        critics.put(index, critic_network(sizes, spec.activation, cell.seed))
    return critics


def policy_of(cells: Sequence[Cell], actors: Stack, cell: int) -> PolicyNetwork:
    """A copy of a cell's task policy π_task as it is now."""
    network = blank_network(cells[cell].start.spec)
    actors.take(cell, network.layers, network.of_the_head())
    return network
