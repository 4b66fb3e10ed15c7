"""A frozen policy and its action mapping on a device: base and task in scenarios on tensors."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from sport_ray.errors import UserError
from sport_ray.families import Distribution
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.policies.observations import Normalizer

BLOCK = 32_768
"""Rows of a forward pass on a GPU, always: matrix kernels are chosen by the shape, so a row does
not depend on how many others there are. Of a small batch the rest is padding."""


class DevicePolicy:
    """The policy of a :class:`FrozenPolicy` at observations on a device.

    Evaluated in float64, from observations rounded to float32, and rounded to float32 last. On a
    CPU it is the frozen policy itself. A GPU sums in another order, so that about one number in
    10⁸ is rounded otherwise: a policy of its own, equal but for last bits
    (``Distribution.agrees``). On one device a row has the same numbers in every batch.
    """

    def __init__(self, policy: FrozenPolicy, device: torch.device) -> None:
        self.policy = policy
        self.device = device
        for kind, why in (("convolution", "see images"), ("recurrence", "remember")):
            if device.type != "cpu" and getattr(policy.spec, kind) is not None:
                raise UserError(f"policies that {why} cannot run on {device}: take the cpu")
        self._blocks = None if device.type == "cpu" else _Blocks(policy, device)

    def distribution(self, observation: Tensor) -> Distribution:
        """What it draws from at observations (n, O): float32 numbers in float64 tensors.

        Raises:
            UserError: what ``FrozenPolicy.distribution`` refuses.
        """
        if self._blocks is None:
            found = self.policy.distribution(observation.numpy())
            return found.to(torch.device("cpu"))
        numbers = self._blocks.numbers(observation)
        chosen = self.policy.spec.family.from_numbers(numbers)
        if not bool((chosen.valid() & torch.isfinite(observation.float()).all(-1)).all()):
            self.policy.distribution(observation.cpu().numpy())  # says which, and why
            raise ArithmeticError(f"the policy's numbers are not finite on {self.device} alone")
        return chosen


class DeviceMapping:
    """An :class:`ActionMapping` on a device, float64."""

    def __init__(self, mapping: ActionMapping, device: torch.device) -> None:
        self._squash = mapping.squash
        self._bounds = None
        if mapping.action_low is not None and mapping.action_high is not None:
            self._bounds = tuple(
                torch.tensor(one, dtype=torch.float64, device=device)
                for one in (mapping.action_low, mapping.action_high)
            )

    def __call__(self, drawn: Tensor) -> Tensor:
        """The environment's actions (n, D) for samples (n, D)."""
        action = drawn.double()
        if self._squash == "none":
            return action
        if self._bounds is None:
            return torch.tanh(action)
        low, high = self._bounds
        if self._squash == "clip":
            return torch.clamp(action, low, high)
        unit = torch.tanh(action) if self._squash == "tanh" else action
        return torch.clamp(low + 0.5 * (unit + 1.0) * (high - low), low, high)


def network_on(policy: FrozenPolicy, device: torch.device) -> PolicyNetwork:
    """A copy of its float64 network; a pass copies nothing to the device, so it can be captured.

    Raises:
        UserError: a policy that is an ONNX graph.
    """
    if policy.spec.body == "graph":
        raise UserError(f"a policy that is an ONNX graph runs on a CPU only, not on {device}")
    found = copy.deepcopy(policy.network).to(device)
    found._normalizer = normalizer_on(policy.spec, device)
    return found


def normalizer_on(spec: PolicySpec, device: torch.device) -> Normalizer | None:
    """The spec's normalisation with its numbers on the device."""
    if spec.normalization is None:
        return None
    found = Normalizer(spec.normalization)
    found.mean, found.scale = found.mean.to(device), found.scale.to(device)
    return found


class _Blocks:
    """The network's passes over blocks of one shape, captured once as a CUDA graph."""

    def __init__(self, policy: FrozenPolicy, device: torch.device) -> None:
        self._network = network_on(policy, device)
        size = policy.spec.observation_size
        self._input = torch.zeros((BLOCK, size), dtype=torch.float64, device=device)
        self._graph: Any = None
        self._output = self._pass()
        if device.type == "cuda":
            self._capture()

    def numbers(self, observation: Tensor) -> Tensor:
        """Numbers of the distributions (n, P), float64 tensors of float32 numbers."""
        count = len(observation)
        found = observation.new_empty((count, self._output.shape[1]), dtype=torch.float64)
        rounded = observation.float()
        for first in range(0, count, BLOCK):
            rows = min(BLOCK, count - first)
            self._input[:rows] = rounded[first : first + rows]
            if self._graph is None:
                self._output = self._pass()
            else:
                self._graph.replay()
            found[first : first + rows] = self._output[:rows]
        return found

    def _pass(self) -> Tensor:
        with torch.no_grad():
            found: Tensor = self._network(self._input).parameters.float()
        return found

    def _capture(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # what libraries set up on first use must not be captured
                self._pass()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._output = self._pass()
        self._graph = graph
