"""A policy as a fixed function: the same numbers for a state whatever the batch around it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.families import Distribution
from sport_ray.policies.blocks import BLOCK, BlockPolicy
from sport_ray.policies.convolution import ImageRows
from sport_ray.policies.few_rows import MOST, FewRows
from sport_ray.policies.graph.policy import GraphPolicy
from sport_ray.policies.network import PolicyNetwork, blank_network
from sport_ray.policies.recurrence import MemoryRows
from sport_ray.policies.row import RowPolicy
from sport_ray.policies.sealed import Sealed

FEW = 4
"""Up to so many observations are computed one by one (sport_ray.policies.row), which gives the same
bits and is cheaper than a block: one environment's steps in training, say."""


def weights_fingerprint(network: PolicyNetwork) -> str:
    """sha256 of a network's weights, wherever they are."""
    hasher = hashlib.sha256()
    for name, value in network.state_dict().items():
        hasher.update(name.encode())
        hasher.update(value.cpu().numpy().tobytes())
    return hasher.hexdigest()


def after_memory(network: PolicyNetwork) -> PolicyNetwork:
    """The linear layers and the head of a policy that remembers, by themselves, in float64."""
    spec = network.spec
    own = spec.model_copy(
        update={
            "observation_size": spec.layer_sizes[0],
            "normalization": None,
            "flattening": None,
            "recurrence": None,
        }
    )
    found = blank_network(own).double()
    state = network.state_dict()
    found.load_state_dict({name: state[name] for name in found.state_dict()})
    return found.requires_grad_(False)


class FrozenPolicy(Sealed):
    """The policy that a certificate is about: weights fixed, evaluated in float64.

    An observation is rounded to float32 first and the distribution's numbers are rounded to
    float32 last: the policy *is* these float32 numbers. Rollouts (float64) and RLlib (float32)
    therefore act on the same policy to the bit, and the density ratio of two policies can be
    checked on the very numbers that are sampled from. Nothing about it can be changed.
    """

    def __init__(self, network: PolicyNetwork) -> None:
        self.spec = network.spec
        self._network = blank_network(network.spec).double()
        # The policy is its float32 weights, whatever type holds them: that is what files keep.
        state = {
            name: value.detach().float().double() if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
        self._network.load_state_dict(state)
        self._network.requires_grad_(False)
        self._graph = GraphPolicy(self._network).seal() if self.spec.body == "graph" else None
        if self._graph is None:
            layers, own = self._network, self.spec.convolution is None
            if self.spec.recurrence is not None:
                layers, own = after_memory(self._network), False
            self._blocks = BlockPolicy(layers).seal()
            self._few = FewRows(layers).seal()
            self._row = RowPolicy(layers, rounds=own).seal()
        convolution = self._network.convolution
        self._images = None if convolution is None else ImageRows(convolution).seal()
        memory = self._network.memory
        self._memory = None if memory is None else MemoryRows(memory).seal()
        self._last: list[tuple[bytes, NDArray[np.float64]] | None] = [None]
        self.seal()

    @property
    def network(self) -> PolicyNetwork:
        """The network in float64, for who copies it elsewhere; it must not be changed."""
        return self._network

    def fingerprint(self) -> str:
        """sha256 of the weights, to show that they did not change."""
        return weights_fingerprint(self._network)

    def distribution(self, observation: NDArray[np.floating]) -> Distribution:
        """What it draws from at observations (n, O); float32 numbers in float64 tensors.

        Raises:
            UserError: an observation that is not finite (in float32) or has another size, or one
                for which a number of the distribution is not finite; a policy that remembers.
        """
        if self._memory is not None:
            raise UserError(
                "the base policy is recurrent, and was asked for a law of one observation alone: "
                "it can act and be projected onto, and nothing trains around it or chooses among "
                "its samples"
            )
        rounded, family = self._rounded(observation), self.spec.family
        count = len(rounded)
        if self._graph is None and 0 < count <= FEW:
            few = np.empty((count, family.num_parameters(self.spec.law_size)))
            try:
                for row, one in enumerate(rounded):
                    few[row] = self._alone(one) if count > 1 else self._once(one)
            except ArithmeticError:
                pass  # the block says at which observation, and what came out
            else:
                return family.from_numbers(few)
        numbers = self._numbers(rounded) if self._graph is None else self._graph.numbers(rounded)
        return self._law(numbers)

    def recall(
        self, observation: NDArray[np.floating], memory: NDArray[np.float64]
    ) -> tuple[Distribution, NDArray[np.float64]]:
        """What it draws from at observations (n, O) after states (n, M), and the next states.

        States are float64, zeros before an episode's first observation; (n, 0) of a policy that
        remembers nothing.

        Raises:
            UserError: as ``distribution``.
        """
        if self._memory is None:
            return self.distribution(observation), memory
        rounded = self._rounded(observation)
        seen = self._network.normalized(torch.from_numpy(rounded.astype(np.float64)))
        found = self._memory(seen, memory)
        return self._law(self._of_layers(found.features)), found.memory

    def _rounded(self, observation: NDArray[np.floating]) -> NDArray[np.float32]:
        expected = self.spec.observation_size
        if observation.ndim != 2:
            raise UserError(
                f"observations have shape {observation.shape}, expected (n, {expected})"
            )
        size = observation.shape[1]
        if size != expected:
            raise UserError(f"observations have {size} entries, the policy expects {expected}")
        with np.errstate(over="ignore"):  # what overflows is inf and is refused
            rounded = observation.astype(np.float32)
        if not np.isfinite(rounded).all():
            row, column = np.argwhere(~np.isfinite(rounded))[0]
            raise UserError(
                f"observation {row} is {observation[row, column]} at entry {column}: "
                "the environment must return observations that are finite in float32"
            )
        return rounded

    def _law(self, numbers: NDArray[np.float32]) -> Distribution:
        family = self.spec.family
        finite = np.isfinite(numbers).all(axis=1)
        if not finite.all():
            row = int(finite.argmin())
            raise UserError(
                f"the policy's distribution is not finite at observation {row} "
                f"({numbers[row].tolist()}): the observation is too large or the weights are "
                "damaged"
            )
        found = family.from_numbers(numbers.astype(np.float64))
        if not bool(found.valid().all()):
            raise UserError(f"the policy's numbers describe no {family.name}")
        return found

    def _numbers(self, rounded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the layers, whose inputs are an image's features where it has a convolution."""
        return self._of_layers(rounded if self._images is None else self._images(rounded))

    def _of_layers(self, rounded: NDArray[Any]) -> NDArray[np.float32]:
        """In blocks; the rows of a last block that would be nearly empty by themselves."""
        count = len(rounded)
        rest = count % BLOCK
        if not (self._few.serves and 0 < rest <= MOST):
            return self._blocks.parameters(rounded)
        few, sure = self._few.parameters(rounded[count - rest :])
        if not sure.all():
            few[~sure] = self._blocks.parameters(rounded[count - rest :][~sure])
        if rest == count:
            return few
        return np.concatenate([self._blocks.parameters(rounded[: count - rest]), few])

    def _alone(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """The numbers (P,) of one row."""
        if self._images is None:
            return self._row.parameters(observation)
        return self._row.parameters(self._images(observation[None])[0])

    def _once(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """The numbers (P,) of one row; the last observation's are kept.

        In a step of a deployed choice both who draws and who scores ask for them.
        """
        key, kept = observation.tobytes(), self._last[0]
        if kept is None or kept[0] != key:
            kept = self._last[0] = (key, self._alone(observation))
        return kept[1]
