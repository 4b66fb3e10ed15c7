"""The parts of a policy around its matrices, by registered name, for one row and for a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.policies.sealed import Sealed

Array = NDArray[np.float64]
_U = 2.0**-53


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _elu(x: Array) -> Array:
    return np.where(x > 0.0, x, np.expm1(x))


def _silu(x: Array) -> Array:
    return x / (1.0 + np.exp(-x))


def _leaky_relu(x: Array) -> Array:
    return np.where(x > 0.0, x, 0.01 * x)


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


ROW_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "relu": (_relu, 1.0),
    "tanh": (np.tanh, 1.0),
    "elu": (_elu, 1.0),
    "silu": (_silu, 1.1),
    "leaky_relu": (_leaky_relu, 1.0),
    "sigmoid": (_sigmoid, 0.25),
}
"""Each with a bound on its slope."""

TORCH_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "elu": torch.nn.functional.elu,
    "silu": torch.nn.functional.silu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "sigmoid": torch.sigmoid,
}


def _fixed(values: Any) -> Array:
    """A copy in float64 that nobody can write into."""
    found = np.array(values, dtype=np.float64)
    found.setflags(write=False)
    return found


class Normalize:
    """o ↦ clip((o − mean) / scale) of the first entries, rounded to float32; None: as they are."""

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        self.given = given is not None
        if given is not None:
            self.mean, self.scale = _fixed(given["mean"]), _fixed(given["scale"])
            self.clip = np.inf if given.get("clip") is None else float(given["clip"])

    def __call__(self, observation: Array) -> Array:
        """What the first layer sees of an observation (O,)."""
        if not self.given:
            return observation
        size = len(self.mean)
        seen = np.clip((observation[:size] - self.mean) / self.scale, -self.clip, self.clip)
        return np.concatenate((seen.astype(np.float32).astype(np.float64), observation[size:]))


class LogStd:
    """log std from what the last layer gives, or from a parameter.

    Raises:
        ValueError: a kind that is not known.
    """

    def __init__(self, spec: Mapping[str, Any], parameter: NDArray[np.float32] | None) -> None:
        self.kind = spec.get("std_head", "bounded")
        if self.kind not in ("bounded", "clamped", "constant"):
            raise ValueError(f"std_head {self.kind!r} is unknown")
        self.low, self.high = float(spec["log_std_min"]), float(spec["log_std_max"])
        self.size = int(spec["action_size"])
        constant = self.kind == "constant"
        self.outputs = self.size if constant else 2 * self.size
        self.shapes = {"log_std": (self.size,)} if constant else {}
        if constant and parameter is not None:
            self.fixed = _fixed(np.clip(parameter.astype(np.float64), self.low, self.high))
        self.rounding = 16.0 * _U * (2.0 + abs(self.low) + abs(self.high))

    def of_row(self, raw: Array, error: Array) -> tuple[Array, Array]:
        """Log std (D,), and how far it may be off if ``raw`` may be by ``error``."""
        if self.kind == "constant":
            return self.fixed, np.full(self.size, self.rounding)
        if self.kind == "clamped":
            return np.clip(raw, self.low, self.high), error + self.rounding
        half = 0.5 * (self.high - self.low)
        return self.low + half * (np.tanh(raw) + 1.0), half * error + (half + 1.0) * self.rounding

    def of_block(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log std, (n, D) each, as GaussianNetwork has them."""
        if self.kind == "constant":
            return rows, torch.tensor(self.fixed).expand_as(rows)
        mean, raw = rows.chunk(2, dim=-1)
        if self.kind == "clamped":
            return mean, raw.clamp(self.low, self.high)
        half = 0.5 * (self.high - self.low)
        return mean, self.low + half * (torch.tanh(raw) + 1.0)


class ToAction(Sealed):
    """From a Gaussian sample to what the environment is given, entry by entry, in float64.

    As ``sport_ray.policies.actions.ActionMapping``.

    Raises:
        ValueError: a squashing that is not known, or clipping without bounds.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.squash = spec["squash"]
        low, high = spec.get("action_low"), spec.get("action_high")
        self.bounded = low is not None and high is not None
        if self.squash not in ("tanh", "none", "clip", "unit_clip"):
            raise ValueError(f"squash {self.squash!r} is unknown")
        if self.squash in ("clip", "unit_clip") and not self.bounded:
            raise ValueError(f"squash {self.squash!r} needs action_low and action_high")
        if self.bounded:
            self.low, self.high = _fixed(low), _fixed(high)

    def __call__(self, drawn: Array) -> Array:
        """The environment's action (D,) for a sample (D,)."""
        if self.squash == "none":
            return drawn
        if not self.bounded:
            return np.tanh(drawn)
        if self.squash == "clip":
            return np.clip(drawn, self.low, self.high)
        unit = np.tanh(drawn) if self.squash == "tanh" else drawn
        return np.clip(self.low + 0.5 * (unit + 1.0) * (self.high - self.low), self.low, self.high)
