"""Log weights that a network gives each candidate: what Projected PPO over the index trains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.limits import MOST_LAYERS, MOST_PARAMETERS
from sport_ray.policies.network import Width, mlp
from sport_ray.policies.observations import Normalization, Normalizer
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts.behaviour import Steps
from sport_ray.samplers import BaseSampler
from sport_ray.selection.score import Array, Score

ACTION_SPREAD = 8.0
"""Of the action's first weights: how far candidates of one state differ is little beside 1."""
FARTHEST = 1e6
"""What a network sees of a limit, at most: one that there is not."""


class PreferenceSpec(BaseModel):
    """The architecture: the observation is embedded once, each candidate is added to it.

        h = relu(E(observation) + W a),  log weight = v · relu(… h …) + c

    E has layers of ``embedding`` units; ``hidden[0]`` is the length of h. a: the action that the
    environment is given. limit_scale: if given, the limit of the step over it (nats over nats) is
    one more entry of the observation. ``normalization``: of observations, fixed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observation_size: Width
    action_size: Width
    embedding: Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)] = (128,)
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=MOST_LAYERS)] = (128, 64)
    limit_scale: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    normalization: Normalization | None = None

    @property
    def embedding_sizes(self) -> tuple[int, ...]:
        """Inputs and outputs of the layers that see the observation alone."""
        inputs = self.observation_size + (self.limit_scale is not None)
        return (inputs, *self.embedding, self.hidden[0])

    @property
    def num_parameters(self) -> int:
        """How many weights a network of this architecture has."""
        layers = *itertools.pairwise(self.embedding_sizes), *itertools.pairwise((*self.hidden, 1))
        own = sum((fan_in + 1) * fan_out for fan_in, fan_out in layers)
        return own + self.action_size * self.hidden[0]

    @model_validator(mode="after")
    def _sizes(self) -> PreferenceSpec:
        if self.num_parameters > MOST_PARAMETERS:
            raise ValueError(
                f"a network of {self.num_parameters} weights is beyond {MOST_PARAMETERS}: use "
                "fewer or narrower layers"
            )
        if self.normalization and len(self.normalization.mean) != self.observation_size:
            raise ValueError(
                f"normalization has {len(self.normalization.mean)} entries, observations have "
                f"{self.observation_size}"
            )
        return self


class PreferenceNetwork(nn.Module):
    """The network of a :class:`PreferenceSpec`; a new one gives every candidate the weight 1."""

    def __init__(self, spec: PreferenceSpec) -> None:
        super().__init__()
        self.spec = spec
        self.embed = mlp(spec.embedding_sizes, "relu")
        self.act = nn.Linear(spec.action_size, spec.hidden[0], bias=False)
        self.layers = mlp((*spec.hidden, 1), "relu")
        with torch.no_grad():
            self.act.weight *= ACTION_SPREAD
            for value in self.layers[-1].parameters():
                value.zero_()
        self._normalizer = None if spec.normalization is None else Normalizer(spec.normalization)

    def normalized(self, observation: Tensor) -> Tensor:
        """What the first layer sees of observations (..., O)."""
        return observation if self._normalizer is None else self._normalizer(observation)

    def forward(self, observation: Tensor, actions: Tensor, limits: Tensor | None = None) -> Tensor:
        """Log weights (..., M), nats, of the environment's actions (..., M, D).

        observation: (..., O). limits: (...), nats, where the spec has a scale for them.
        """
        seen = self.normalized(observation)
        if self.spec.limit_scale is not None:
            assert limits is not None
            share = (limits / self.spec.limit_scale).clamp(max=FARTHEST)
            seen = torch.cat([seen, share.to(seen.dtype)[..., None]], dim=-1)
        hidden = torch.relu(self.embed(seen).unsqueeze(-2) + self.act(actions))
        found: Tensor = self.layers(hidden).squeeze(-1)
        return found


def blank_preference(spec: PreferenceSpec) -> PreferenceNetwork:
    """A network whose weights are about to be overwritten; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return PreferenceNetwork(spec).float()


class Preference(Score):
    """The outputs of a network as log weights, in float64, rounded to float32 last.

    One state at a time: sums have one order whatever the batch around a state. mapping: of the
    sampler that the score is bound to.
    """

    name: ClassVar[str] = "preference"

    def __init__(self, network: PreferenceNetwork, mapping: ActionMapping | None = None) -> None:
        self.network = blank_preference(network.spec)
        self.network.load_state_dict(network.state_dict())
        self._exact = blank_preference(network.spec).double()
        self._exact.load_state_dict(self.network.state_dict())
        self._exact.requires_grad_(False)
        self._mapping = mapping

    def bound_to(self, sampler: BaseSampler, constraint: Constraint) -> Preference:
        """With the sampler's action mapping.

        Raises:
            UserError: a sampler of other sizes.
        """
        ours = self.network.spec.observation_size, self.network.spec.action_size
        theirs = sampler.observation_size, sampler.action_size
        if ours != theirs:
            raise UserError(
                f"score 'preference' was trained for {ours[0]} observations and {ours[1]} "
                f"actions, the base has {theirs[0]} and {theirs[1]}: train it around this base"
            )
        return Preference(self.network, sampler.action_mapping)

    def log_weights(
        self, observation: Array, candidates: Array, limits: Array, taken: Steps
    ) -> Array:
        """The network's outputs, whatever the time."""
        assert self._mapping is not None
        with np.errstate(over="ignore"):  # what overflows gives no number, and is refused
            seen = observation.astype(np.float32).astype(np.float64)
            actions = self._mapping(candidates).astype(np.float32).astype(np.float64)
        found = np.empty(candidates.shape[:2], dtype=np.float32)
        rows = torch.from_numpy(seen), torch.from_numpy(actions), torch.from_numpy(limits)
        with torch.no_grad(), one_thread():
            for row in range(len(found)):
                found[row] = self._exact(*(part[row] for part in rows)).numpy()
        return found.astype(np.float64)

    def to_json(self) -> dict[str, Any]:
        """The network's architecture."""
        return {"spec": self.network.spec.model_dump(mode="json")}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its weights."""
        return {name: value.numpy() for name, value in self.network.state_dict().items()}

    @classmethod
    def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From architecture and weights."""
        spec = PreferenceSpec.model_validate(fields["spec"])
        if set(fields) != {"spec"}:
            raise ValueError(f"a preference has a spec and nothing else, got {sorted(fields)}")
        network = blank_preference(spec)
        weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        for name, value in weights.items():
            if value.dtype != torch.float32 or not torch.isfinite(value).all():
                raise ValueError(f"weights {name!r} are not finite float32 numbers")
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        return cls(network)
