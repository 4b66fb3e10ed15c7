"""An RLModule of RLlib's new API stack (PPO, SAC with the default MLP) as a base policy.

A checkpoint of RLlib is a tree of pickles, and none is read here: restore the module where you
trust the file, ``RLModule.from_checkpoint(path)``, and hand over the live object.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from sport_ray.adapters.parts import (
    Actor,
    Indices,
    Linear,
    actions_of,
    box_mapping,
    index_mapping,
    sequential_layers,
)
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.observations import Normalization

Actions = Literal["normalize", "clip"]


def from_rllib(
    module: Any,
    *,
    actions: Actions = "normalize",
    normalization: Normalization | None = None,
) -> PolicyNetwork:
    """The same distribution over actions as the module's, as a :class:`PolicyNetwork`.

    PPO: a diagonal Gaussian, log std from the network or (``free_log_std``) a parameter, clamped to
    ± ``log_std_clip_param``; Discrete and MultiDiscrete actions: logits. SAC: log std clamped to
    RLlib's [−5, 2] nats, then tanh.

    Args:
        module: a ``DefaultPPOTorchRLModule`` or ``DefaultSACTorchRLModule``.
        actions: what RLlib's module-to-env connector did: "normalize" (its default,
            ``normalize_actions=True``: from [−1, 1] to the bounds, then clipped) or "clip"
            (``normalize_actions=False, clip_actions=True``).
        normalization: of observations, where a ``MeanStdFilter`` was among the connectors: scale =
            std + 10⁻⁶, clip = its ``clip_by_value`` (10 by default), frozen.

    Raises:
        UserError: anything but a Gaussian or logits of an MLP, with the reason.
    """
    from ray.rllib.core.distribution.torch.torch_distribution import (
        TorchDiagGaussian,
        TorchSquashedGaussian,
    )
    from ray.rllib.utils.numpy import MAX_LOG_NN_OUTPUT, MIN_LOG_NN_OUTPUT

    source = f"RLlib {type(module).__name__}"
    space = actions_of(source, module.observation_space, module.action_space)
    if actions not in ("normalize", "clip"):
        raise UserError(f"{source}: actions {actions!r} is unknown: choose 'normalize' or 'clip'")
    encoder, head = _encoder(source, module), module.pi
    if type(head).__name__ not in ("TorchMLPHead", "TorchFreeLogStdMLPHead"):
        raise UserError(f"{source}: the head is {type(head).__name__}; expected an MLP's")
    modules = [*_mlp(source, encoder), *_mlp(source, head)]
    layers, activation = sequential_layers(source, modules)
    if len(modules) % 2 == 0:
        raise UserError(f"{source}: {modules[-1]} follows the last layer; expected nothing")
    if isinstance(space, Indices):
        return _of_indices(source, module, layers, activation, space, normalization)
    limit = float(head.log_std_clip_param_const) if head.clip_log_std else None
    distribution = module.get_exploration_action_dist_cls()
    log_std_range: tuple[float, float] | None = None
    if issubclass(distribution, TorchSquashedGaussian):
        if actions == "clip":
            raise UserError(f"{source}: SAC gives actions in [-1, 1]: actions must be 'normalize'")
        bounds = [MIN_LOG_NN_OUTPUT, MAX_LOG_NN_OUTPUT]
        if limit is not None:
            bounds = [min(max(bound, -limit), limit) for bound in bounds]
        kind, log_std_range = "tanh", (float(bounds[0]), float(bounds[1]))
    elif distribution is TorchDiagGaussian:
        kind = "clip" if actions == "clip" else "unit_clip"
        if limit is not None:
            log_std_range = (-limit, limit)
    else:
        raise UserError(
            f"{source}: the action distribution is {distribution.__name__}; only a diagonal "
            "Gaussian can be a base of real actions (no mixtures)"
        )
    if type(head).__name__ == "TorchFreeLogStdMLPHead":
        mean, log_std = layers[-1], head.log_std
    else:
        weight, bias = layers[-1]
        half = len(weight) // 2
        mean, log_std = (weight[:half], bias[:half]), (weight[half:], bias[half:])
    return Actor(
        hidden=tuple(layers[:-1]),
        activation=activation,
        last=mean,
        log_std=log_std,
        log_std_range=log_std_range,
        normalization=normalization,
        **box_mapping(source, kind, *space),
    ).network(source)


def _of_indices(
    source: str,
    module: Any,
    layers: list[Linear],
    activation: str | None,
    indices: Indices,
    normalization: Normalization | None,
) -> PolicyNetwork:
    """Discrete or MultiDiscrete actions: the outputs are logits, side by side."""
    from ray.rllib.core.distribution.torch.torch_distribution import (
        TorchCategorical,
        TorchMultiCategorical,
    )

    found = module.get_exploration_action_dist_cls()
    # MultiDiscrete's is a partial class, which knows the sizes.
    if not any(kind in (TorchCategorical, TorchMultiCategorical) for kind in found.__mro__):
        raise UserError(
            f"{source}: the action distribution is {found.__name__}; expected logits of indices"
        )
    return Actor(
        hidden=tuple(layers[:-1]),
        activation=activation,
        last=layers[-1],
        normalization=normalization,
        **index_mapping(indices),
    ).network(source)


def _encoder(source: str, module: Any) -> Any:
    """What the policy's head sees observations through."""
    kinds = [kind.__name__ for kind in type(module).__mro__]
    if not {"DefaultPPOTorchRLModule", "DefaultSACTorchRLModule"} & set(kinds):
        raise UserError(f"{source}: expected RLlib's default module of PPO or SAC, on torch")
    for name in ("_forward", "_forward_exploration"):
        if not getattr(type(module), name).__module__.startswith("ray.rllib."):
            raise UserError(f"{source}: {name} is your own; expected RLlib's default")
    encoder = getattr(module, "pi_encoder", None)  # SAC
    if encoder is None:
        both = module.encoder
        encoder = getattr(both, "actor_encoder", None) or getattr(both, "encoder", None)
    if type(encoder).__name__ != "TorchMLPEncoder":
        raise UserError(
            f"{source}: observations go through {type(encoder).__name__}; expected an MLP (no CNN, "
            "no LSTM, no dictionaries)"
        )
    return encoder


def _mlp(source: str, part: Any) -> list[nn.Module]:
    mlp = getattr(getattr(part, "net", None), "mlp", None)
    if not isinstance(mlp, nn.Sequential):
        raise UserError(f"{source}: {type(part).__name__} is not a plain MLP")
    return list(mlp)
