"""An actor in parts, as adapters find it, put together as a :class:`PolicyNetwork`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from pydantic import ValidationError
from torch import Tensor, nn

from sport_ray.envs.flatten import Flattening
from sport_ray.envs.spaces import indices_of
from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.convolution import Convolution
from sport_ray.policies.network import ACTIVATIONS, PolicyNetwork, PolicySpec, blank_network
from sport_ray.policies.observations import Normalization
from sport_ray.policies.recurrence import Recurrence

LARGEST_LOG_STD = 30.0
"""Nats; a std within e^±30 and its square are normal float32 numbers."""

Linear = tuple[Tensor, Tensor]
"""Weight (out, in) and bias (out,) of y = W x + b."""

Bounds = tuple[float, ...]


@dataclass(frozen=True)
class Actor:
    """What there is of a policy: hidden layers, each with the activation after it, and heads.

    ``last``: the layer of the mean, or with squash "index" of the log weights (logits) of all
    outcomes. ``log_std`` is a parameter (D,) or a linear layer of the last hidden layer; it is
    clamped to ``log_std_range`` (nats) where there is one; indices have none. ``std_head``: how a
    layer gets there, see ``GaussianHead``. ``filters``: (F, C, k, k) and (F,) of the convolution's
    layers, of a policy that sees images. ``memory``: weights of the LSTM before the hidden layers
    by torch's names, of ``recurrence``.
    """

    hidden: tuple[Linear, ...]
    activation: str | None
    last: Linear
    squash: str
    log_std: Tensor | Linear | None = None
    log_std_range: tuple[float, float] | None = None
    action_low: Bounds | None = None
    action_high: Bounds | None = None
    normalization: Normalization | None = None
    std_head: Literal["clamped", "bounded"] = "clamped"
    flattening: Flattening | None = None
    convolution: Convolution | None = None
    filters: tuple[Linear, ...] = ()
    recurrence: Recurrence | None = None
    memory: Mapping[str, Tensor] = field(default_factory=dict)

    def network(self, source: str) -> PolicyNetwork:
        """The policy; ``source`` says in errors what it was made from.

        Raises:
            UserError: layers that do not fit each other, weights that are not finite float32
                numbers, or a log std outside ±30 nats.
        """
        layers = [*self.hidden, self.last]
        for index, (weight, bias) in enumerate(layers):
            _require_linear(source, index, weight, bias)
        for (above, _), (below, _) in zip(layers[1:], layers, strict=False):
            if above.shape[1] != below.shape[0]:
                raise UserError(f"{source}: a layer of {below.shape[0]} feeds {above.shape[1]}")
        if self.hidden and self.activation is None:
            raise UserError(
                f"{source}: the activation is not known: name one of {', '.join(ACTIVATIONS)} "
                "with --activation"
            )
        state = {}
        for index, (weight, bias) in enumerate(self.filters):
            for what, value in (("weight", weight), ("bias", bias)):
                _require_float32(source, f"convolution {index}", value)
                state[f"convolution.{2 * index}.{what}"] = value
        for name, value in self.memory.items():
            _require_float32(source, name, value)
            state[f"memory.{name}"] = value
        for index, (weight, bias) in enumerate(self.hidden):
            state[f"body.{2 * index}.weight"], state[f"body.{2 * index}.bias"] = weight, bias
        (weight, bias), size = self.last, self.last[0].shape[0]
        if isinstance(self.log_std, Tensor):
            _require_float32(source, "log_std", self.log_std)
            if self.log_std.shape != (size,):
                raise UserError(
                    f"{source}: log_std has shape {tuple(self.log_std.shape)}, expected ({size},)"
                )
            state["log_std"] = self.log_std
        elif self.log_std is not None:
            _require_linear(source, len(self.hidden), *self.log_std)
            if self.log_std[0].shape != weight.shape:
                raise UserError(f"{source}: the heads of mean and log std differ in shape")
            weight = torch.cat([weight, self.log_std[0]])
            bias = torch.cat([bias, self.log_std[1]])
        last = f"body.{2 * len(self.hidden)}"
        state[f"{last}.weight"], state[f"{last}.bias"] = weight, bias
        inputs = layers[0][0].shape[1]
        if self.recurrence is not None:
            inputs = self.memory["weight_ih_l0"].shape[1]
        spec = self._spec(source, inputs)
        if (outcomes := spec.outcomes) is not None and sum(outcomes) != size:
            raise UserError(
                f"{source}: the last layer has {size} outputs, the actions {sum(outcomes)} outcomes"
            )
        network = blank_network(spec)
        try:
            network.load_state_dict({name: value.detach().cpu() for name, value in state.items()})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(f"{source}: its weights have other shapes: {reason}") from None
        return network

    def _spec(self, source: str, observation_size: int) -> PolicySpec:
        if self.normalization and len(self.normalization.mean) != observation_size:
            raise UserError(
                f"{source}: the normalisation has {len(self.normalization.mean)} entries, "
                f"observations have {observation_size}"
            )
        indices = self.log_std is None
        try:
            if self.convolution is not None and self.flattening is not None:
                observation_size = self.flattening.size
            return PolicySpec(
                observation_size=observation_size,
                action_size=len(self.action_low or ()) if indices else self.last[0].shape[0],
                hidden=tuple(weight.shape[0] for weight, _ in self.hidden),
                activation=self.activation or "tanh",  # type: ignore[arg-type]
                squash=self.squash,  # type: ignore[arg-type]
                action_low=self.action_low,
                action_high=self.action_high,
                normalization=self.normalization,
                flattening=self.flattening,
                convolution=self.convolution,
                recurrence=self.recurrence,
                **self._std_fields(source),
            )
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"]) or "policy"
            raise UserError(f"{source}: {where}: {problem['msg']}") from None

    def _std_fields(self, source: str) -> dict[str, Any]:
        """How log std comes about; nothing of indices, which have none."""
        if self.log_std is None:
            return {}
        low, high = self.log_std_range or (-LARGEST_LOG_STD, LARGEST_LOG_STD)
        constant = isinstance(self.log_std, Tensor)
        if constant and self.log_std_range is None:
            largest = float(self.log_std.abs().max())  # type: ignore[union-attr]
            if largest > LARGEST_LOG_STD:
                raise UserError(
                    f"{source}: a log std of ±{largest:g} nats is beyond ±{LARGEST_LOG_STD:g}"
                )
        head = "constant" if constant else self.std_head
        return {"log_std_min": low, "log_std_max": high, "std_head": head}


def sequential_layers(source: str, modules: list[nn.Module]) -> tuple[list[Linear], str | None]:
    """The linear layers of a list linear, activation, linear, … and their activation's name.

    Raises:
        UserError: any other module, activations that differ or have arguments of their own, or a
            layer without bias.
    """
    layers: list[Linear] = []
    names: set[str] = set()
    for index, module in enumerate(modules):
        if index % 2 == 0:
            if type(module) is not nn.Linear or module.bias is None:
                raise UserError(
                    f"{source}: layer {index} is {module}; expected a linear layer with bias "
                    "(normalisation, dropout and convolutions are not supported)"
                )
            layers.append((module.weight, module.bias))
        else:
            names.add(_activation_name(source, module))
    if len(names) > 1:
        raise UserError(f"{source}: layers have different activations: {sorted(names)}")
    return layers, next(iter(names), None)


def _activation_name(source: str, module: nn.Module) -> str:
    """The registered name of an activation with torch's default arguments."""
    for name, kind in ACTIVATIONS.items():
        plain = (repr(kind()), f"{kind.__name__}(inplace=True)")
        if type(module) is kind and repr(module) in plain:
            return name
    raise UserError(
        f"{source}: activation {module} is not supported; known: {', '.join(ACTIVATIONS)}"
    )


class Indices(NamedTuple):
    """Actions that are indices below ``sizes``; ``bits``: of two values, with one output each."""

    sizes: tuple[int, ...]
    bits: bool = False


Actions = tuple[Bounds, Bounds] | Indices
"""Low and high of a box, each (D,), as float64 numbers; or how many values each index has."""


def actions_of(source: str, observations: Any, actions: Any) -> Actions:
    """The actions of a model, by its spaces.

    Raises:
        UserError: observations other than a box of one dimension, actions other than such a box of
            floats, or indices from 0.
    """
    require_vector(source, "observations", observations)
    return action_values(source, actions)


def action_values(source: str, space: Any) -> Actions:
    """The actions in a space.

    Raises:
        UserError: other than a box of floats of one dimension, or indices from 0.
    """
    if (found := indices_of(space)) is not None:
        first, sizes = found
        if any(first):
            raise UserError(
                f"{source}: actions in {space}, which start at {first}: its policy draws indices "
                "from 0, and the library hands them on as they are; give the space start = 0"
            )
        return Indices(tuple(sizes), isinstance(space, spaces.MultiBinary))
    require_vector(source, "actions", space)
    return float_bounds(source, space)


def require_vector(source: str, what: str, space: Any) -> None:
    """Refuse a space that is no box of one dimension.

    Raises:
        UserError: naming it.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        more = " or Discrete, MultiDiscrete, MultiBinary" if what == "actions" else ""
        raise UserError(f"{source}: {what} in {space}; expected a Box of one dimension{more}")


def float_bounds(source: str, box: Any) -> tuple[Bounds, Bounds]:
    """Low and high of a box of actions.

    Raises:
        UserError: actions that are not floats.
    """
    require_float_actions(source, box.dtype)
    low, high = (tuple(bound.astype(np.float64).tolist()) for bound in (box.low, box.high))
    return low, high


def box_mapping(source: str, kind: str, low: Bounds, high: Bounds) -> dict[str, Any]:
    """``squash`` and bounds for actions in a box; without any bound "clip" clips nothing.

    Raises:
        UserError: bounds of which only some are infinite, or all are where a range is needed.
    """
    unbounded = [value in (float("inf"), -float("inf")) for value in (*low, *high)]
    if not any(unbounded):
        return {"squash": kind, "action_low": low, "action_high": high}
    if all(unbounded) and kind == "clip":
        return {"squash": "none"}
    raise UserError(
        f"{source}: the action space has infinite bounds ({list(low)} to {list(high)}): give all "
        "entries finite ones"
    )


def index_mapping(indices: Indices) -> dict[str, Any]:
    """``squash`` and bounds of indices from 0."""
    mapping = ActionMapping.of_indices([0] * len(indices.sizes), indices.sizes)
    return mapping.to_json()


def logits_of_bits(layer: Linear) -> Linear:
    """Log weights (0, l) of each bit for one output l: softmax(0, l) = (1 − σ(l), σ(l))."""
    weight, bias = layer
    rows = torch.stack([torch.zeros_like(weight), weight], 1).reshape(-1, *weight.shape[1:])
    return rows, torch.stack([torch.zeros_like(bias), bias], 1).reshape(-1)


def require_float_actions(source: str, dtype: Any) -> None:
    """Refuse integer actions: each environment would round the Gaussian's sample in its own way.

    Raises:
        UserError: another dtype than float32 or float64.
    """
    if str(dtype) not in ("float32", "float64"):
        raise UserError(f"{source}: actions are {dtype}; expected a Box of float32 or float64")


def _require_linear(source: str, index: int, weight: Tensor, bias: Tensor) -> None:
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or 0 in weight.shape:
        raise UserError(
            f"{source}: layer {index} has a weight of shape {tuple(weight.shape)} and a bias of "
            f"shape {tuple(bias.shape)}; expected (out, in) and (out,)"
        )
    _require_float32(source, f"layer {index}", weight)
    _require_float32(source, f"layer {index}", bias)


def _require_float32(source: str, what: str, value: Tensor) -> None:
    if value.dtype != torch.float32:  # a silent cast would make another policy
        raise UserError(f"{source}: {what} is {value.dtype}, expected float32: cast it yourself")
    if not torch.isfinite(value).all():
        raise UserError(f"{source}: {what} holds numbers that are not finite")
