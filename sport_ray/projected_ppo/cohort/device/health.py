"""Which cells failed, and why: one number each on the device, read when the host asks."""

from __future__ import annotations

import torch
from torch import Tensor

_TOLD = (
    "",
    "the environment gave an observation that is not finite",
    "the environment gave a reward that is not finite",
    "a policy's numbers are not all finite",
    "a stored action distribution is outside the limit of its constraint: it was not sampled as "
    "projected",
    "the critic's values are not all finite",
    "training diverged: the gradient of actor is not finite",
    "training diverged: the gradient of critic is not finite",
)
OBSERVATION, REWARD, POLICY, RATIO, VALUE, ACTOR, CRITIC = range(1, 8)


class Health:
    """What became of K cells: 0 while all is well, else the first fault's number, (K,) int64.

    A cell that failed goes on being computed, as the shapes are fixed, but nothing of it is kept.
    """

    def __init__(self, cells: int, device: torch.device) -> None:
        self.code = torch.zeros(cells, dtype=torch.int64, device=device)

    def fail(self, bad: Tensor, fault: int) -> None:
        """Cells (K,) bool end with this fault, if they had none."""
        self.code.copy_(torch.where(bad & (self.code == 0), fault, self.code))

    def well(self) -> Tensor:
        """(K,) bool."""
        return self.code == 0


def error_of(code: int) -> Exception | None:
    """What ended a cell."""
    return ArithmeticError(_TOLD[code]) if code else None
