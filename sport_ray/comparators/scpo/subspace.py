"""A policy in a few parameters: changes of its last layer along fixed directions."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sport_ray.bounds.arguments import require_integer
from sport_ray.comparators.scpo.local_model import Array
from sport_ray.policies.network import PolicyNetwork, blank_network


class OutputSubspace:
    """θ ∈ R^d ↦ the network whose last layer is moved by Σ_j θ_j direction_j; θ = 0 is the base.

    Directions, in this order, as many as are asked for:

        bias of each mean            adds θ_j to the mean before the action mapping
        gain of each mean            multiplies the row of the mean by 1 + θ_j
        bias, gain of each log std   likewise, before the std head's bounds
        random                       a Gaussian matrix as large (Frobenius) as the last layer

    A "constant" std head has a parameter per action in place of the rows: biases alone.
    """

    def __init__(self, network: PolicyNetwork, dimension: int, seed: int) -> None:
        self.dimension = require_integer("dimension", dimension, 1)
        self._network = network
        last = network.layers[-1]
        assert isinstance(last, nn.Linear)
        self._weight = last.weight.detach().double().numpy()
        self._bias = last.bias.detach().double().numpy()
        self._last = f"body.{len(network.layers) - 1}"
        self._log_std = getattr(network, "log_std", None)
        self._directions = self._make(np.random.default_rng([seed, dimension]))

    def network(self, theta: Array) -> PolicyNetwork:
        """The policy at θ (d,), its weights rounded to float32 as those of any policy.

        Raises:
            ValueError: another size, or weights that are not finite.
        """
        if theta.shape != (self.dimension,) or not np.isfinite(theta).all():
            raise ValueError(f"theta must be {self.dimension} finite numbers, got {theta!r}")
        state = {name: value.detach().clone() for name, value in self._network.state_dict().items()}
        for amount, (weight, bias, log_std) in zip(theta, self._directions, strict=True):
            if not amount:  # adding nothing must change nothing
                continue
            for name, move in (
                (f"{self._last}.weight", weight),
                (f"{self._last}.bias", bias),
                ("log_std", log_std),
            ):
                if move is not None:
                    state[name] = state[name] + torch.from_numpy(amount * move)
        state = {name: value.float() for name, value in state.items()}
        if not all(torch.isfinite(value).all() for value in state.values()):
            raise ValueError(f"theta must keep the weights finite in float32, got {theta!r}")
        moved = blank_network(self._network.spec)
        moved.load_state_dict(state)
        return moved

    def _make(self, rng: np.random.Generator) -> list[tuple[Array, Array, Array | None]]:
        outputs, actions = len(self._bias), self._network.spec.action_size
        rows = [range(actions), range(actions, outputs)]
        found: list[tuple[Array, Array, Array | None]] = []
        for kind in rows:
            found += [self._output(row, 0.0, 1.0) for row in kind]
            found += [self._output(row, 1.0, 0.0) for row in kind]
        if self._log_std is not None:
            zero = np.zeros_like(self._weight), np.zeros_like(self._bias)
            found += [(*zero, np.eye(actions)[k]) for k in range(actions)]
        size = np.hypot(np.linalg.norm(self._weight), np.linalg.norm(self._bias))
        while len(found) < self.dimension:
            weight = rng.standard_normal(self._weight.shape)
            bias = rng.standard_normal(self._bias.shape)
            scale = size / np.hypot(np.linalg.norm(weight), np.linalg.norm(bias))
            found.append((scale * weight, scale * bias, None))
        return found[: self.dimension]

    def _output(self, row: int, gain: float, offset: float) -> tuple[Array, Array, None]:
        weight, bias = np.zeros_like(self._weight), np.zeros_like(self._bias)
        weight[row] = gain * self._weight[row]
        bias[row] = gain * self._bias[row] + offset
        return weight, bias, None
