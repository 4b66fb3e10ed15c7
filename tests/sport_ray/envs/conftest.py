"""Trajectories recorded in the authors' simulator, and a simulator that replays them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from sport_ray.envs.simulator import PointReachAvoidSimulator

RECORDINGS = Path(__file__).parents[2] / "data" / "point_robot_trajectories.npz"


class Replay(NamedTuple):
    """What the simulator makes of recorded actions; leading axes (trajectory, step)."""

    obs0: NDArray[np.float64]
    poses: NDArray[np.float64]
    obs: NDArray[np.float64]
    rewards: NDArray[np.float64]
    signals: NDArray[np.float64]


def replay_actions(
    recorded: dict[str, NDArray], actions: NDArray[np.float64], end_on_violation: bool = False
) -> Replay:
    """Drive 24 slots from the recorded starts through ``actions`` (24, 60, 2)."""
    count, steps, _ = actions.shape
    slots = np.arange(count)
    simulator = PointReachAvoidSimulator(count, end_on_violation=end_on_violation)
    for slot in slots:
        simulator.set_state(
            slot, recorded["init"][slot], recorded["goal"][slot], recorded["hazard"][slot]
        )
    obs0, _ = simulator.observe(slots)
    poses, results = [], []
    for t in range(steps):
        results.append(simulator.step(slots, actions[:, t]))
        poses.append(simulator.poses(slots))
    return Replay(
        obs0,
        np.stack(poses, axis=1),
        np.stack([r.obs for r in results], axis=1),
        np.stack([r.reward for r in results], axis=1),
        np.stack([r.signals for r in results], axis=1),
    )


@pytest.fixture(scope="session")
def recorded() -> dict[str, NDArray]:
    """The 24 recordings of 60 control steps; keys as in the file."""
    with np.load(RECORDINGS, allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


@pytest.fixture(scope="session")
def saturated(recorded: dict[str, NDArray]) -> NDArray[np.bool_]:
    """Which recordings have the turning saturated, and so can be reproduced to rounding."""
    mask = recorded["kind"] == "turn_saturated"
    assert mask.sum() == 8
    return mask


@pytest.fixture(scope="session")
def replay(recorded: dict[str, NDArray]) -> Replay:
    """The recorded actions, replayed."""
    return replay_actions(recorded, recorded["actions"])


@pytest.fixture(scope="session")
def nudged(recorded: dict[str, NDArray]) -> Replay:
    """The recorded actions changed by 1e-13, replayed: how far the servo amplifies rounding."""
    noise = np.random.default_rng(0).uniform(-1e-13, 1e-13, recorded["actions"].shape)
    return replay_actions(recorded, recorded["actions"] + noise)
