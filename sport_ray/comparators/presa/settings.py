"""How feedback is made and a policy aligned: all numbers beside data, base and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from sport_ray.bounds.arguments import (
    require_at_least,
    require_integer,
    require_open_unit,
    require_positive,
    require_probability,
)

Objective = Literal["presa", "preference_only", "behaviour_cloning"]


@dataclass(frozen=True)
class AlignmentSettings:
    """Parameters of ``clone`` and ``align``.

    objective: "presa"; "preference_only", without the safety constraint; "behaviour_cloning", the
        clone of the data itself, with which the other two begin.
    clone_steps, steps: gradient steps of either part. lr: Adam's step size. batch_pairs: pairs per
    step; batch_segments: labelled segments per step, half of each label. grad_clip: largest norm.
    gamma: discount per step within a segment, in (0, 1]. temperature (1/nat) and bias: see
        ``preference_loss``.
    scale (1/nat), margin (nats per step) and safe_weight: see ``safety_loss``. safety_target:
        δ, nats.
    multiplier_start, multiplier_rate, multiplier_max: see ``Multiplier``.
    cloning_weight: of −log π(a|s) on the safe segments of a batch, nats per step; keeps the policy
        on the data, and its std from shrinking. (On all of them without labels.)

    Raises:
        ValueError: a number out of range, by name.
    """

    objective: Objective = "presa"
    clone_steps: int = 600
    steps: int = 600
    lr: float = 1e-3
    batch_pairs: int = 32
    batch_segments: int = 64
    grad_clip: float = 1.0
    gamma: float = 1.0
    temperature: float = 0.3
    bias: float = 0.5
    scale: float = 1.0
    margin: float = 0.0
    safe_weight: float = 0.1
    safety_target: float = 0.25
    multiplier_start: float = 1.0
    multiplier_rate: float = 0.05
    multiplier_max: float = 20.0
    cloning_weight: float = 0.1

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            known = ", ".join(get_args(Objective))
            raise ValueError(f"objective must be one of {known}, got {self.objective!r}")
        for name, least in (("clone_steps", 0), ("steps", 0), ("batch_pairs", 1)):
            require_integer(name, getattr(self, name), least)
        require_integer("batch_segments", self.batch_segments, 2)
        for name in ("lr", "grad_clip", "gamma", "temperature", "scale", "safety_target"):
            require_positive(name, getattr(self, name))
        for name in ("bias", "margin", "multiplier_start", "multiplier_rate", "cloning_weight"):
            require_at_least(name, getattr(self, name), 0.0)
        require_probability("safe_weight", self.safe_weight)
        for name in ("gamma", "bias"):
            if getattr(self, name) > 1.0:
                raise ValueError(f"{name} must be at most 1, got {getattr(self, name)!r}")
        if math.isnan(self.multiplier_max) or self.multiplier_max < self.multiplier_start:
            raise ValueError(
                f"multiplier_max must be at least multiplier_start ({self.multiplier_start!r}), "
                f"got {self.multiplier_max!r}"
            )


@dataclass(frozen=True)
class FeedbackSettings:
    """The recipe of synthetic feedback.

    num_episodes: shared equally among the behaviours. num_pairs: preferences.
    segment_length: L, steps. unsafe_share: the share of unsafe segments in the data, by leaving out
    segments of one label at random; None for what was collected. preference_noise: τ in units of
    reward; 0 for no mistakes. behaviours: by name; None for ``default_behaviours``.

    Raises:
        ValueError: a number out of range, by name.
    """

    num_episodes: int = 300
    num_pairs: int = 2_000
    segment_length: int = 8
    unsafe_share: float | None = None
    preference_noise: float = 0.05
    behaviours: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("num_episodes", "num_pairs", "segment_length"):
            require_integer(name, getattr(self, name), 1)
        require_at_least("preference_noise", self.preference_noise, 0.0)
        if self.unsafe_share is not None:
            require_open_unit("unsafe_share", self.unsafe_share)
