"""The actor: an MLP whose outputs a head turns into a distribution over actions."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from torch import nn

from sport_ray.envs.described_spaces import BoxSpace
from sport_ray.envs.flatten import MOST_ENTRIES, Flattening
from sport_ray.errors import UserError
from sport_ray.families import Distribution, Gaussian, categorical_over
from sport_ray.families.categorical import CategoricalHead
from sport_ray.families.gaussian.head import GaussianHead, StdHead
from sport_ray.families.head import Head
from sport_ray.policies.actions import ActionMapping, Squash
from sport_ray.policies.convolution import Convolution, ImageBody
from sport_ray.policies.graph.body import GraphBody
from sport_ray.policies.limits import MOST_LAYERS, MOST_PARAMETERS, WIDEST
from sport_ray.policies.observations import Normalization, Normalizer
from sport_ray.policies.recurrence import Memory, Recurrence

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
}
"""Activations by name: a file names one of these, and nothing is ever evaluated."""

Activation = Literal["relu", "tanh", "elu", "silu", "leaky_relu", "sigmoid"]
Width = Annotated[int, Field(ge=1, le=WIDEST)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
_LARGEST = 2.0**24
"""Of an index: float32 still counts to it."""
_LEFT_OUT = (
    "std_head",
    "action_low",
    "action_high",
    "normalization",
    "body",
    "flattening",
    "convolution",
    "recurrence",
)
LogStd = Annotated[float, Field(ge=-30.0, le=30.0)]
"""Nats; the std and its square then stay normal float32 numbers."""


class PolicySpec(BaseModel):
    """The architecture of a policy: all that is needed, beside the weights, to rebuild it.

    The action is ``g(a)`` with g the :class:`~sport_ray.policies.actions.ActionMapping`, and the
    density ratio of two policies with the same g is at most that of what they draw a from:

    - ``a ~ N(mean(s), diag(std(s)²))``;
    - squash "index": independent indices a_i < action_high_i − action_low_i + 1, of log weights
      that are the network's outputs, so that action_low is the first action of each.

    ``std_head``: how log std comes about, within [log_std_min, log_std_max] (nats):
    "bounded", see :class:`GaussianHead`; "clamped", a linear output clamped; "constant", a
    parameter per action that no observation moves, clamped. ``normalization``: of observations,
    fixed. ``body``: "mlp", or "graph", an ONNX graph in place of layers, which cannot be trained
    (``sport_ray.policies.graph``). ``flattening``: which space observations come from where they
    are no vectors, and how they become such: the first entries of what the network sees.
    ``convolution``: what an image goes through before the linear layers. ``recurrence``: an LSTM
    before them, so that the law depends on what was seen before. The fields after
    ``squash`` are left out of JSON at their defaults, so a policy file from before they existed
    keeps its digest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observation_size: Annotated[int, Field(ge=1, le=MOST_ENTRIES)]
    action_size: Width
    hidden: Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)] = (256, 256)
    activation: Activation = "relu"
    log_std_min: LogStd = -5.0
    log_std_max: LogStd = 2.0
    squash: Squash = "tanh"
    std_head: StdHead = "bounded"
    action_low: tuple[Bound, ...] | None = None
    action_high: tuple[Bound, ...] | None = None
    normalization: Normalization | None = None
    body: Literal["mlp", "graph"] = "mlp"
    flattening: Flattening | None = None
    convolution: Convolution | None = None
    recurrence: Recurrence | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in _LEFT_OUT:
            if name in fields and fields[name] == type(self).model_fields[name].default:
                del fields[name]
        return fields

    @property
    def outcomes(self) -> tuple[int, ...] | None:
        """How many values each index has; None where actions are real numbers."""
        if self.squash != "index":
            return None
        assert self.action_low is not None
        assert self.action_high is not None
        pairs = zip(self.action_low, self.action_high, strict=True)
        return tuple(int(high) - int(low) + 1 for low, high in pairs)

    @property
    def head(self) -> Head:
        """What the last layer's outputs mean."""
        if (sizes := self.outcomes) is not None:
            return CategoricalHead(sizes)
        return GaussianHead(self.std_head, self.log_std_min, self.log_std_max, self.action_size)

    @property
    def family(self) -> type[Distribution]:
        """What the policy draws from."""
        return Gaussian if (sizes := self.outcomes) is None else categorical_over(sizes)

    @property
    def law_size(self) -> int:
        """The size by which the family counts: of an action, or of an index's outcomes."""
        return self.action_size if (sizes := self.outcomes) is None else sum(sizes)

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return ActionMapping(self.squash, self.action_low, self.action_high)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Inputs and outputs of the linear layers."""
        inputs = self.observation_size
        if self.convolution is not None:
            shape = self.image_shape
            inputs += self.convolution.features(shape) - math.prod(shape)
        if self.recurrence is not None:
            inputs = self.recurrence.size
        return (inputs, *self.hidden, self.head.outputs)

    @property
    def memory_size(self) -> int:
        """M: how many numbers the policy keeps from one step of an episode to the next."""
        return 0 if self.recurrence is None else self.recurrence.memory_size

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of an image as the environment gives it.

        Raises:
            ValueError: observations that are none.
        """
        space = None if self.flattening is None else self.flattening.space
        if not isinstance(space, BoxSpace) or len(space.shape) != 3:
            raise ValueError("convolution needs a flattening of a Box of three dimensions")
        height, width, depth = space.shape
        return height, width, depth

    @property
    def num_parameters(self) -> int:
        """How many weights a network of this architecture has."""
        layers = () if self.body == "graph" else itertools.pairwise(self.layer_sizes)
        own = sum(self.head.parameters.values())
        if self.convolution is not None:
            own += self.convolution.num_parameters(self.image_shape)
        if self.recurrence is not None:
            own += self.recurrence.num_parameters(self.observation_size)
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in layers) + own

    @model_validator(mode="after")
    def _bounds(self) -> PolicySpec:
        low, high = self.action_low, self.action_high
        if low is None or high is None:
            if low is not None or high is not None:
                raise ValueError("action_low and action_high belong together: give both or none")
            if self.squash in ("clip", "unit_clip", "index"):
                raise ValueError(f"squash {self.squash!r} needs action_low and action_high")
            return self
        if self.squash == "none":
            raise ValueError("squash 'none' has no bounds: remove action_low and action_high")
        if not len(low) == len(high) == self.action_size:
            raise ValueError(
                f"action_low and action_high have {len(low)} and {len(high)} entries, the policy "
                f"{self.action_size} actions"
            )
        if self.squash == "index":
            self._require_indices(low, high)
        elif not all(a < b for a, b in zip(low, high, strict=True)):
            raise ValueError(f"action_low {low} must be below action_high {high}")
        return self

    def _require_indices(self, low: tuple[float, ...], high: tuple[float, ...]) -> None:
        whole = all(value.is_integer() and abs(value) < _LARGEST for value in (*low, *high))
        if not (whole and all(a <= b for a, b in zip(low, high, strict=True))):
            raise ValueError(
                f"squash 'index' needs whole numbers, action_low {low} up to action_high {high}"
            )
        if (count := sum(b - a + 1 for a, b in zip(low, high, strict=True))) > WIDEST:
            raise ValueError(f"squash 'index' has {count:.0f} outcomes, more than {WIDEST}")
        if self.std_head != "bounded":
            raise ValueError(f"squash 'index' has no std: remove std_head {self.std_head!r}")

    @model_validator(mode="after")
    def _no_layers_beside_a_graph(self) -> PolicySpec:
        if self.body == "graph" and self.hidden:
            raise ValueError("a graph has no hidden layers beside it: hidden must be empty")
        return self

    @model_validator(mode="after")
    def _small_enough(self) -> PolicySpec:
        if self.num_parameters > MOST_PARAMETERS:
            raise ValueError(
                f"a network of {self.num_parameters} weights is beyond {MOST_PARAMETERS}: use "
                "fewer or narrower hidden layers"
            )
        return self

    @model_validator(mode="after")
    def _normalized(self) -> PolicySpec:
        if self.normalization and len(self.normalization.mean) > self.observation_size:
            raise ValueError(
                f"normalization has {len(self.normalization.mean)} entries, observations have "
                f"{self.observation_size}"
            )
        return self

    @model_validator(mode="after")
    def _flattened(self) -> PolicySpec:
        if self.flattening and self.flattening.size > self.observation_size:
            raise ValueError(
                f"flattening gives {self.flattening.size} entries, observations have "
                f"{self.observation_size}"
            )
        return self

    @model_validator(mode="after")
    def _image(self) -> PolicySpec:
        if self.convolution and self.normalization:
            raise ValueError("convolution divides by its divisor: remove normalization")
        if self.convolution and self.body == "graph":
            raise ValueError("a graph has its own convolutions: remove convolution")
        if self.recurrence and (self.convolution or self.body == "graph"):
            raise ValueError("recurrence goes with layers alone: remove convolution, or body graph")
        return self

    @model_validator(mode="after")
    def _ordered(self) -> PolicySpec:
        if not self.log_std_min < self.log_std_max:
            raise ValueError(
                f"log_std_min ({self.log_std_min}) must be below log_std_max ({self.log_std_max})"
            )
        return self


def image_body(spec: PolicySpec) -> ImageBody | None:
    """The convolution of a policy that sees images, with new weights; None of any other."""
    if spec.convolution is None:
        return None
    return ImageBody(spec.convolution, spec.image_shape, ACTIVATIONS[spec.activation])


def mlp(sizes: tuple[int, ...], activation: str) -> nn.Sequential:
    """Linear layers with an activation after each but the last."""
    layers: list[nn.Module] = []
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(fan_in, fan_out))
        if index < len(sizes) - 2:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


def blank_network(spec: PolicySpec) -> PolicyNetwork:
    """A network whose weights are about to be overwritten.

    Leaves torch's global generator as it was: reading or copying a policy in the middle of a
    training run must not change what the run samples next.
    """
    with torch.random.fork_rng(devices=[]):
        return PolicyNetwork(spec).float()  # whatever torch's default dtype is


class PolicyNetwork(nn.Module):
    """Observation → the distribution over actions (..., D) before the action mapping.

    A body of linear layers (of an image its convolution before them) or an ONNX graph, and the
    spec's head.
    """

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        self.convolution = image_body(spec)
        recurrence, inputs = spec.recurrence, spec.observation_size
        self.memory = None if recurrence is None else Memory(recurrence, inputs)
        self.body = GraphBody() if spec.body == "graph" else mlp(spec.layer_sizes, spec.activation)
        self._head = spec.head
        for name, size in self._head.parameters.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(size)))
        self._normalizer = None if spec.normalization is None else Normalizer(spec.normalization)

    @property
    def layers(self) -> nn.Sequential:
        """The linear layers and what is between them, of a policy that is no graph."""
        assert isinstance(self.body, nn.Sequential)
        return self.body

    def features(self, observation: torch.Tensor) -> torch.Tensor:
        """What the first linear layer sees of observations (..., O).

        Raises:
            UserError: a policy that remembers: it needs more than an observation.
        """
        if self.memory is not None:
            raise UserError(
                "the policy is recurrent: its law depends on what it saw before in the episode, so "
                "it can act and be projected onto in scenarios and deployment alone"
            )
        if self.convolution is None:
            return self.normalized(observation)
        found: torch.Tensor = self.convolution(observation)
        return found

    def normalized(self, observation: torch.Tensor) -> torch.Tensor:
        """Observations (..., O) by the spec's normalisation."""
        return observation if self._normalizer is None else self._normalizer(observation)

    def forward(self, observation: torch.Tensor) -> Distribution:
        """The distributions at observations (..., O), in the dtype of the weights."""
        return self.of_outputs(self.body(self.features(observation)))

    def of_outputs(self, output: torch.Tensor) -> Distribution:
        """The distributions that outputs (..., K) of the last layer stand for."""
        return self._head.of_block(output, self.of_the_head())

    def of_the_head(self) -> dict[str, torch.Tensor]:
        """The head's own parameters by name."""
        return {name: getattr(self, name) for name in self._head.parameters}


def widened(network: PolicyNetwork, extra: int) -> PolicyNetwork:
    """The same policy with ``extra`` more entries at the end of its observation, all ignored.

    What they are multiplied with is 0, so training may begin to use them.
    """
    if network.memory is not None:
        raise UserError("a recurrent policy cannot see a budget: give a task policy without memory")
    size = network.spec.observation_size + extra
    wide = blank_network(network.spec.model_copy(update={"observation_size": size}))
    state = dict(network.state_dict())
    first = next(name for name in state if name.startswith("body.") and name.endswith("weight"))
    column = state[first].new_zeros(len(state[first]), extra)
    state[first] = torch.cat([state[first], column], dim=1)
    wide.load_state_dict(state)
    return wide
