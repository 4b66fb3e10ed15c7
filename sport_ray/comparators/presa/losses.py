"""The three losses, of a preference, a safety label and leaving the data, and the multiplier.

Everything is in the log ratio of the policy to a fixed reference policy π₀, in nats per step:

    ℓ_t = log π(a_t|s_t) − log π₀(a_t|s_t)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


def segment_log_ratio(log_ratio: Tensor, gamma: float) -> Tensor:
    """Σ_t γ^t ℓ_t, nats, (n,) for ℓ of shape (n, L)."""
    steps = torch.arange(log_ratio.shape[1], dtype=log_ratio.dtype, device=log_ratio.device)
    return (log_ratio * gamma**steps).sum(-1)


def preference_loss(preferred: Tensor, other: Tensor, *, temperature: float, bias: float) -> Tensor:
    """The contrastive loss of pairs, nats; the mean over pairs.

    With S = temperature · Σ_t γ^t ℓ_t of the preferred (+) and of the other (−) segment

        − log [ exp S⁺ / (exp S⁺ + exp(bias · S⁻)) ] = − log σ(S⁺ − bias · S⁻)

    bias < 1 pays for raising the preferred segment, not only for lowering the other one.

    Source: contrastive preference learning, arXiv 2310.13639 (their conservative loss), whose
    score has log π where this has the log ratio to π₀.

    Args:
        preferred, other: Σ_t γ^t ℓ_t, (M,) each.
    """
    return -functional.logsigmoid(temperature * (preferred - bias * other)).mean()


def safety_loss(
    log_ratio: Tensor, unsafe: Tensor, *, scale: float, margin: float, safe_weight: float
) -> Tensor:
    """The logistic loss of the labels, nats; how much each label weighs does not depend on N.

    With z the mean of ℓ_t over a segment's L steps (nats per step)

        w · mean over safe of − log σ(scale · (z − margin))
      + (1 − w) · mean over unsafe of − log σ(−scale · (z + margin))

    so that safe segments shall become likelier, and unsafe ones less likely, than under π₀. The
    reference itself (z = 0) has log(1 + exp(scale · margin)): log 2 without a margin. A large
    weight w of the safe ones asks for all that is safe, the slowest too, and so is at odds with
    any preference among them.

    Args:
        log_ratio: ℓ, (n, L). unsafe: (n,) bool; both labels must occur.
    """
    z = log_ratio.mean(-1)
    safe = -functional.logsigmoid(scale * (z[~unsafe] - margin)).mean()
    bad = -functional.logsigmoid(-scale * (z[unsafe] + margin)).mean()
    return safe_weight * safe + (1.0 - safe_weight) * bad


@dataclass
class Multiplier:
    """ν ≥ 0 of min over policies, max over ν ≥ 0 of L_pref + ν · (L_safe − target).

        ν ← min(max(ν + rate · (L_safe − target), 0), largest)

    It rises while the constraint L_safe ≤ target is violated and falls while there is room.
    ``largest`` keeps a target that cannot be reached from drowning the preferences for ever; a
    run that ends there has not met its constraint.

    >>> nu = Multiplier(value=1.0, rate=0.5, target=0.3, largest=10.0)
    >>> nu.update(0.5), nu.update(0.1), nu.update(-9.0)
    (1.1, 1.0, 0.0)
    """

    value: float
    rate: float
    target: float
    largest: float

    def update(self, loss: float) -> float:
        """One step of ascent for a measured L_safe; the new ν.

        Raises:
            ArithmeticError: a loss that is not finite.
        """
        if not math.isfinite(loss):
            raise ArithmeticError(f"the safety loss is {loss}: the multiplier cannot be updated")
        moved = self.value + self.rate * (loss - self.target)
        self.value = min(max(moved, 0.0), self.largest)
        return self.value
