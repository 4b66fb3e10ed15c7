"""The actor: an MLP that gives the mean and the std of a diagonal Gaussian over actions."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU}
"""Activations by name: a file names one of these, and nothing is ever evaluated."""

Width = Annotated[int, Field(ge=1)]
LogStd = Annotated[float, Field(ge=-30.0, le=30.0)]
"""Nats; the std and its square then stay normal float32 numbers."""


class PolicySpec(BaseModel):
    """The architecture of a policy: all that is needed, beside the weights, to rebuild it.

    The action is ``squash(a)`` with ``a ~ N(mean(s), diag(std(s)²))``; ratios of two policies
    with the same squashing are the ratios of their Gaussians.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observation_size: Width
    action_size: Width
    hidden: tuple[Width, ...] = (256, 256)
    activation: Literal["relu", "tanh", "elu"] = "relu"
    log_std_min: LogStd = -5.0
    log_std_max: LogStd = 2.0
    squash: Literal["tanh", "none"] = "tanh"

    @model_validator(mode="after")
    def _ordered(self) -> PolicySpec:
        if not self.log_std_min < self.log_std_max:
            raise ValueError(
                f"log_std_min ({self.log_std_min}) must be below log_std_max ({self.log_std_max})"
            )
        return self


def mlp(sizes: tuple[int, ...], activation: str) -> nn.Sequential:
    """Linear layers with an activation after each but the last."""
    layers: list[nn.Module] = []
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(fan_in, fan_out))
        if index < len(sizes) - 2:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


def blank_network(spec: PolicySpec) -> GaussianNetwork:
    """A network whose weights are about to be overwritten.

    Leaves torch's global generator as it was: reading or copying a policy in the middle of a
    training run must not change what the run samples next.
    """
    with torch.random.fork_rng(devices=[]):
        return GaussianNetwork(spec)


class GaussianNetwork(nn.Module):
    """Observation → (mean, std), both (..., D), of the Gaussian before squashing.

    log std = lo + (hi − lo)·(tanh(x) + 1)/2 with the spec's bounds lo, hi, so that the std is
    always positive and finite.
    """

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        sizes = (spec.observation_size, *spec.hidden, 2 * spec.action_size)
        self.body = mlp(sizes, spec.activation)

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and std, each (..., D), in the dtype of the weights."""
        mean, raw = self.body(observation).chunk(2, dim=-1)
        low, high = self.spec.log_std_min, self.spec.log_std_max
        log_std = low + 0.5 * (high - low) * (torch.tanh(raw) + 1.0)
        return mean, torch.exp(log_std)


def widened(network: GaussianNetwork, extra: int) -> GaussianNetwork:
    """The same policy with ``extra`` more entries at the end of its observation, all ignored.

    What they are multiplied with is 0, so training may begin to use them.
    """
    size = network.spec.observation_size + extra
    wide = blank_network(network.spec.model_copy(update={"observation_size": size}))
    state = dict(network.state_dict())
    first = next(name for name in state if name.endswith("weight"))
    column = state[first].new_zeros(len(state[first]), extra)
    state[first] = torch.cat([state[first], column], dim=1)
    wide.load_state_dict(state)
    return wide
