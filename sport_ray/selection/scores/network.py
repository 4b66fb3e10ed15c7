"""The critic: observation and action → a law of the return that follows if the base goes on."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from sport_ray.policies.actions import ActionMapping, Squash
from sport_ray.policies.limits import MOST_LAYERS
from sport_ray.policies.network import Width
from sport_ray.policies.observations import Normalization
from sport_ray.selection.scores.atoms import Atoms

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
MOST_PARAMETERS = 10_000_000
FARTHEST = 1e6
"""Normalised numbers beyond it are clipped: no observation may lead to inf − inf."""

ACTION_SPREAD = 8.0
"""First weights of the action: measured, with 1 the steep parts of a dynamics are learned late."""


class ScoreSpec(BaseModel):
    """The architecture of a critic: all that is needed, beside the weights, to rebuild it.

    An observation is embedded once by layers of ``embedding`` units; each candidate then adds
    W·action to it and passes through the layers ``hidden``:

        e = E(observation), h_1 = relu(e + W a), h_2 = relu(W_2 h_1 + b_2), …, logits = V h + c.

    ``hidden[0]`` is the length of e. a: the action that the environment is given (``squash`` and
    bounds as in a policy's spec), normalised entry by entry. horizon: if given, the steps taken
    over the horizon are one more entry of the observation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observation_size: Width
    action_size: Width
    atoms: Atoms
    embedding: Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)] = (256, 256)
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=MOST_LAYERS)] = (128, 64)
    squash: Squash = "none"
    action_low: tuple[Finite, ...] | None = None
    action_high: tuple[Finite, ...] | None = None
    normalization: Normalization | None = None
    action_mean: tuple[Finite, ...] | None = None
    action_scale: tuple[Positive, ...] | None = None
    horizon: Annotated[int, Field(ge=1)] | None = None

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a candidate into the environment's action."""
        return ActionMapping(self.squash, self.action_low, self.action_high)

    @property
    def input_size(self) -> int:
        """Entries of an observation, and one for the time where it is seen."""
        return self.observation_size + (self.horizon is not None)

    @property
    def embedding_sizes(self) -> tuple[int, ...]:
        """Inputs and outputs of the layers that see the observation alone."""
        return (self.input_size, *self.embedding, self.hidden[0])

    @property
    def candidate_sizes(self) -> tuple[int, ...]:
        """Inputs and outputs of the layers that each candidate passes after the first."""
        return (*self.hidden, self.atoms.outputs)

    @property
    def num_parameters(self) -> int:
        """How many weights a network of this architecture has."""
        own = [
            (fan_in + 1) * fan_out
            for sizes in (self.embedding_sizes, self.candidate_sizes)
            for fan_in, fan_out in itertools.pairwise(sizes)
        ]
        return sum(own) + self.action_size * self.hidden[0]

    @model_validator(mode="after")
    def _sizes(self) -> ScoreSpec:
        if self.num_parameters > MOST_PARAMETERS:
            raise ValueError(
                f"a critic of {self.num_parameters} weights is beyond {MOST_PARAMETERS}: use fewer "
                "or narrower layers"
            )
        for name in ("action_mean", "action_scale", "action_low", "action_high"):
            given = getattr(self, name)
            if given is not None and len(given) != self.action_size:
                raise ValueError(f"{name} has {len(given)} entries, actions {self.action_size}")
        for one, other in (("action_low", "action_high"), ("action_mean", "action_scale")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} belong together: give both or none")
        if self.squash in ("clip", "unit_clip") and self.action_low is None:
            raise ValueError(f"squash {self.squash!r} needs action_low and action_high")
        if self.normalization and len(self.normalization.mean) != self.observation_size:
            raise ValueError(
                f"normalization has {len(self.normalization.mean)} entries, observations "
                f"{self.observation_size}"
            )
        return self


class Inputs:
    """What the first layers see, as float32: one function for training and for rollouts.

    Elementwise in float64, so an entry's number depends on that entry alone.
    """

    def __init__(self, spec: ScoreSpec) -> None:
        size = spec.observation_size
        given = spec.normalization
        self.mean = np.zeros(size) if given is None else np.array(given.mean)
        self.scale = np.ones(size) if given is None else np.array(given.scale)
        clip = None if given is None else given.clip
        self.clip = FARTHEST if clip is None else min(clip, FARTHEST)
        dims = spec.action_size
        self.action_mean = np.array(spec.action_mean or (0.0,) * dims)
        self.action_scale = np.array(spec.action_scale or (1.0,) * dims)
        self.mapping = spec.action_mapping
        self.horizon = spec.horizon

    def observations(
        self, observation: NDArray[np.floating], steps: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Of observations (n, O) after so many steps (n,): (n, input_size)."""
        rounded = observation.astype(np.float32).astype(np.float64)
        seen = np.clip((rounded - self.mean) / self.scale, -self.clip, self.clip)
        if self.horizon is not None:
            seen = np.concatenate([seen, (steps / self.horizon)[:, None]], axis=1)
        found: NDArray[np.float32] = seen.astype(np.float32)
        return found

    def actions(self, candidates: NDArray[np.floating]) -> NDArray[np.float32]:
        """Of candidates (..., D) as the sampler gave them."""
        given = (self.mapping(candidates) - self.action_mean) / self.action_scale
        found: NDArray[np.float32] = np.clip(given, -FARTHEST, FARTHEST).astype(np.float32)
        return found


def _layers(sizes: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))


class ScoreNetwork(nn.Module):
    """The trainable critic of a :class:`ScoreSpec`; weights in float32."""

    def __init__(self, spec: ScoreSpec) -> None:
        super().__init__()
        self.spec = spec
        self.embed = _layers(spec.embedding_sizes)
        self.act = nn.Linear(spec.action_size, spec.hidden[0], bias=False)
        self.layers = _layers(spec.candidate_sizes)
        with torch.no_grad():
            self.act.weight *= ACTION_SPREAD

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Logits (..., atoms + 1) from :class:`Inputs`: (n, I) with (n, D) or (n, M, D)."""
        x: Tensor = observation
        for index, layer in enumerate(self.embed):
            x = layer(torch.relu(x) if index else x)
        if action.dim() > x.dim():
            x = x.unsqueeze(-2)
        x = x + self.act(action)
        for layer in self.layers:
            x = layer(torch.relu(x))
        return x


def blank_score(spec: ScoreSpec) -> ScoreNetwork:
    """A network whose weights are about to be overwritten; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return ScoreNetwork(spec).float()
