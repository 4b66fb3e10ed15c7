"""What every engine of ``benchmarks/cohort.py`` trains with, and how much of it is needed.

The cells are those of the studies: the paper's (batches of 128 from one copy of the environment)
and the quickstart's (2,048 from 32 copies), on the point robot's fixed layout, 256×256 networks.
Episodes go on through violations, which not every peer could end: here speed alone counts.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
ENV_ID: Final = "sport_ray/PointReachAvoid-v0"
HORIZON: Final = 21
ENV_KWARGS: Final[dict[str, Any]] = {
    "layout": "fixed",
    "horizon": HORIZON,
    "reward": "task",
    "end_on_violation": False,
}
ALPHAS: Final = (1.0, 1.1, 1.2, 1.5, 3.0, 5.0, 10.0, 20.0, 100.0)
"""Those of the paper's study; cell i has the i-th, over and over, and seed i."""

ACTOR: Final = (44, 256, 256, 4)
CRITIC: Final = (44, 256, 256, 1)


@dataclass(frozen=True)
class Setting:
    """One study's training section; names as in a study file."""

    name: str
    base: str
    train_batch_size: int
    minibatch_size: int
    num_envs: int
    lr: float
    gamma: float
    num_epochs: int = 4
    critic_lr: float = 3e-4
    gae_lambda: float = 0.95
    clip: float = 0.2
    grad_clip: float = 0.5
    vf_loss_coeff: float = 0.5

    @property
    def fragment(self) -> int:
        """Steps of each copy in one batch."""
        return self.train_batch_size // self.num_envs

    @property
    def base_folder(self) -> Path:
        """The base policy's files."""
        return ROOT / "experiments" / "bases" / self.base


SETTINGS: Final = {
    one.name: one
    for one in (
        Setting("paper", "paper_0", 128, 32, 1, lr=5e-5, gamma=0.99),
        Setting("quickstart", "point_reach_avoid", 2_048, 512, 32, lr=2e-4, gamma=0.9),
    )
}


def alpha_of(cell: int) -> float:
    """α of a cell."""
    return ALPHAS[cell % len(ALPHAS)]


def operations_per_step(setting: Setting) -> int:
    """Floating-point operations that an env step cannot do without, a multiply-add being two.

    Acting takes a forward pass of base, task network and critic; an epoch takes a forward and two
    backward passes (by inputs and by weights) of task network and critic. The environment, the
    projection, activations and the optimiser are left out.
    """
    actor, critic = (sum(a * b for a, b in itertools.pairwise(sizes)) for sizes in (ACTOR, CRITIC))
    return 2 * (2 * actor + critic + setting.num_epochs * 3 * (actor + critic))
