"""Stable-Baselines3's actors by the names of their weights: PPO and A2C, or SAC."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from sport_ray.adapters.parts import Actor, Linear, box_mapping
from sport_ray.errors import UserError
from sport_ray.policies.observations import Normalization

SAC_LOG_STD = (-20.0, 2.0)
"""stable_baselines3.sac.policies.LOG_STD_MIN and LOG_STD_MAX."""

IGNORED = ("mlp_extractor.value_net.", "value_net.", "critic.", "critic_target.")

GSDE = "gSDE (use_sde=True): its noise is shared between steps, so train without it"
REFUSED: tuple[tuple[str, str], ...] = (
    (r"^actor\.log_std$", GSDE),
    (r"lstm", "a recurrent policy (LSTM): its action depends on more than the observation"),
    (r"features_extractor\.", "a features extractor with weights (CNN, dictionary observations)"),
    (r"(^|\.)(q_net|quantile_net)", "a value network without a policy (DQN, QR-DQN)"),
    (r"^actor\.mu\.\d", "a deterministic actor (TD3, DDPG): it has no density"),
    (r"^mlp_extractor\.shared_net\.", "layers shared with the critic, of an older version"),
)


def actor_from_weights(
    source: str,
    weights: Mapping[str, Tensor],
    activation: str | None,
    low: tuple[float, ...],
    high: tuple[float, ...],
    normalization: Normalization | None,
) -> Actor:
    """The actor of a policy's ``state_dict``.

    PPO, A2C: N(mean(s), diag(exp(log_std)²)) with a parameter ``log_std``; the action is clipped to
    the box outside the distribution. SAC: log std clamped to [−20, 2] nats; tanh, then rescaled.

    Raises:
        UserError: anything else, with the reason.
    """
    for pattern, reason in REFUSED:
        if any(re.search(pattern, name) for name in weights):
            raise UserError(f"{source}: {reason}; only MLP Gaussian policies can be a base")
    sac = "actor.mu.weight" in weights
    prefix, head = ("actor.latent_pi", "actor.mu") if sac else (
        "mlp_extractor.policy_net", "action_net"
    )  # fmt: skip
    if f"{head}.weight" not in weights:
        raise UserError(f"{source}: no actor among its weights (PPO, A2C or SAC with MlpPolicy)")
    if not sac and "log_std" not in weights:
        raise UserError(f"{source}: discrete actions: a density ratio of Gaussians needs a Box")
    if not sac and weights["log_std"].ndim != 1:
        raise UserError(f"{source}: {GSDE}")
    used: set[str] = set()

    def linear(name: str) -> Linear:
        for part in (f"{name}.weight", f"{name}.bias"):
            if part not in weights:
                raise UserError(f"{source}: the weight {part!r} is missing (a layer without bias?)")
            used.add(part)
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    hidden = tuple(linear(name) for name in _hidden_layers(source, weights, prefix))
    mean = linear(head)
    if sac:
        log_std: Tensor | Linear = linear("actor.log_std")
    else:
        log_std = weights["log_std"]
        used.add("log_std")
    for name in sorted(set(weights) - used):
        if not name.startswith(IGNORED):
            raise UserError(f"{source}: the weight {name!r} is not of MlpPolicy")
    return Actor(
        hidden=hidden,
        activation=activation,
        mean=mean,
        log_std=log_std,
        log_std_range=SAC_LOG_STD if sac else None,
        normalization=normalization,
        **box_mapping(source, "tanh" if sac else "clip", low, high),
    )


def _hidden_layers(source: str, weights: Mapping[str, Tensor], prefix: str) -> list[str]:
    """Linear layers at 0, 2, 4 … with an activation after each: torch's numbering."""
    found = {
        int(match[1])
        for name in weights
        if (match := re.match(rf"{re.escape(prefix)}\.(\d+)\.", name))
    }
    if found != set(range(0, 2 * len(found), 2)):
        raise UserError(
            f"{source}: hidden layers at {sorted(found)}; expected linear layers with an "
            "activation after each (no normalisation, no dropout)"
        )
    return [f"{prefix}.{index}" for index in sorted(found)]
