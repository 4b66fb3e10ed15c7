"""Whose scenarios run: the shipped base's, and a projected policy's, in the point robot."""

from __future__ import annotations

from pathlib import Path

import torch

from sport_ray.constraints import RatioConstraint
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.store import load_policy
from sport_ray.rollouts import BaseBehaviour, Behaviour, ProjectedBehaviour, ScenarioPlan

BASE = Path(__file__).parents[2] / "experiments/bases/point_reach_avoid"
PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    property="(!hazard) U goal",
    horizon=21,
    root_seed=0,
    purpose="certify",
)


def policies() -> dict[str, Behaviour]:
    """The shipped base, and the projection of a task policy that differs from it."""
    network = load_policy(BASE).network
    task = PolicyNetwork(network.spec)
    generator = torch.Generator().manual_seed(0)
    task.load_state_dict(
        {
            name: value + 0.02 * torch.randn(value.shape, generator=generator)
            for name, value in network.state_dict().items()
        }
    )
    base = FrozenPolicy(network)
    projected = ProjectedBehaviour(base, FrozenPolicy(task), RatioConstraint(1.2))
    return {"base": BaseBehaviour(base), "projected": projected}
