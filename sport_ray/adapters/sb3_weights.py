"""Stable-Baselines3's actors by the names of their weights: PPO and A2C, or SAC."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError
from torch import Tensor

from sport_ray.adapters.parts import (
    Actions,
    Actor,
    Indices,
    Linear,
    box_mapping,
    index_mapping,
    logits_of_bits,
)
from sport_ray.adapters.sb3_observations import VECTORS, Seen
from sport_ray.errors import UserError
from sport_ray.policies.observations import Normalization
from sport_ray.policies.recurrence import Recurrence

SAC_LOG_STD = (-20.0, 2.0)
"""stable_baselines3.sac.policies.LOG_STD_MIN and LOG_STD_MAX."""

LSTM = re.compile(r"lstm_actor\.((?:weight|bias)_(?:ih|hh)_l(\d+))$")
"""Of RecurrentPPO's actor: torch's name of a weight, and its layer."""
IGNORED = ("mlp_extractor.value_net.", "value_net.", "critic.", "critic_target.", "lstm_critic.")

EXTRACTORS = re.compile(r"(?:pi_|vf_)?features_extractor\.(?:cnn\.[024]|linear\.0)\.")
"""One NatureCNN under its three names, or the critic's."""

GSDE = "gSDE (use_sde=True): its noise is shared between steps, so train without it"
NO_POLICY = (
    "DQN has no density: it takes the largest Q value, and a softmax of Q would be another policy, "
    "at a temperature that nobody trained. Train PPO or A2C, or write the policy that you mean as "
    "logits (npz, onnx) or as a sampler, which is then what is certified"
)
NO_DENSITY = (
    "a deterministic actor (TD3, DDPG) has no density, and noise around it is another policy: "
    "train PPO, A2C or SAC, or give the policy that you mean as npz, onnx or a sampler"
)
WITHOUT_POLICY = {
    "stable_baselines3.dqn.policies": NO_POLICY,
    "sb3_contrib.qrdqn.policies": NO_POLICY,
    "stable_baselines3.td3.policies": NO_DENSITY,
}
"""What cannot be a base, by the module of the policy's class."""
REFUSED: tuple[tuple[str, str], ...] = (
    (r"^actor\.log_std$", GSDE),
    (r"lstm_actor\..*_reverse|lstm_actor\.weight_hr", "an LSTM of both directions, or projected"),
    (
        r"features_extractor\.(?!cnn\.|linear\.)",
        "a features extractor with weights that is not NatureCNN",
    ),
    (r"(^|\.)(q_net|quantile_net)", NO_POLICY),
    (r"^actor\.mu\.\d", NO_DENSITY),
    (r"^mlp_extractor\.shared_net\.", "layers shared with the critic, of an older version"),
)


def actor_from_weights(
    source: str,
    weights: Mapping[str, Tensor],
    activation: str | None,
    actions: Actions,
    normalization: Normalization | None,
    seen: Seen = VECTORS,
) -> Actor:
    """The actor of a policy's ``state_dict``.

    PPO, A2C: N(mean(s), diag(exp(log_std)²)) with a parameter ``log_std``; the action is clipped to
    the box outside the distribution. Of indices the last layer's outputs are logits, all indices'
    side by side, or one for each bit. seen: what comes before the layers; NatureCNN's last layer is
    the first of the hidden ones. SAC: log std clamped to [−20, 2] nats; tanh, then rescaled.

    Raises:
        UserError: anything else, with the reason.
    """
    for pattern, reason in REFUSED:
        if any(re.search(pattern, name) for name in weights):
            raise UserError(f"{source}: {reason}")
    sac = "actor.mu.weight" in weights
    prefix, head = ("actor.latent_pi", "actor.mu") if sac else (
        "mlp_extractor.policy_net", "action_net"
    )  # fmt: skip
    if f"{head}.weight" not in weights:
        raise UserError(f"{source}: no actor among its weights (PPO, A2C or SAC with MlpPolicy)")
    discrete = isinstance(actions, Indices)
    if discrete != (not sac and "log_std" not in weights):
        raise UserError(f"{source}: its weights are not those of a policy with its actions")
    if not sac and not discrete and weights["log_std"].ndim != 1:
        raise UserError(f"{source}: {GSDE}")
    used: set[str] = set()

    def linear(name: str) -> Linear:
        for part in (f"{name}.weight", f"{name}.bias"):
            if part not in weights:
                raise UserError(f"{source}: the weight {part!r} is missing (a layer without bias?)")
            used.add(part)
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    hidden = tuple(linear(name) for name in _hidden_layers(source, weights, prefix))
    filters: tuple[Linear, ...] = ()
    if seen.convolution is not None:
        if sac:
            raise UserError(f"{source}: images seen by SAC; expected CnnPolicy of PPO or A2C")
        if any(LSTM.match(name) for name in weights):
            raise UserError(
                f"{source}: an LSTM behind NatureCNN (CnnLstmPolicy); expected MlpLstmPolicy, or "
                "CnnPolicy on stacked frames"
            )
        if hidden and activation != "relu":
            raise UserError(
                f"{source}: layers of {activation or 'an activation that is not known'} after "
                "NatureCNN's, which are of relu: train with policy_kwargs=dict(net_arch=[]) (the "
                "default) or activation_fn=torch.nn.ReLU"
            )
        own = "pi_features_extractor" if "pi_features_extractor.cnn.0.weight" in weights else (
            "features_extractor"
        )  # fmt: skip
        filters = tuple(linear(f"{own}.cnn.{index}") for index in (0, 2, 4))
        hidden, activation = (linear(f"{own}.linear.0"), *hidden), "relu"
    memory = {found[1]: weights[name] for name in weights if (found := LSTM.match(name))}
    used |= {f"lstm_actor.{name}" for name in memory}
    last = linear(head)
    log_std: Tensor | Linear | None = None
    if sac:
        log_std = linear("actor.log_std")
    elif not discrete:
        log_std = weights["log_std"]
        used.add("log_std")
    for name in sorted(set(weights) - used):
        if not name.startswith(IGNORED) and not (filters and EXTRACTORS.match(name)):
            raise UserError(f"{source}: the weight {name!r} is not of MlpPolicy")
    return Actor(
        hidden=hidden,
        activation=activation,
        last=logits_of_bits(last) if isinstance(actions, Indices) and actions.bits else last,
        log_std=log_std,
        log_std_range=SAC_LOG_STD if sac else None,
        normalization=normalization,
        flattening=seen.flattening,
        convolution=seen.convolution,
        filters=filters,
        memory=memory,
        recurrence=_recurrence(source, memory) if memory else None,
        **(
            index_mapping(actions)
            if isinstance(actions, Indices)
            else box_mapping(source, "tanh" if sac else "clip", *actions)
        ),
    )


def _recurrence(source: str, memory: Mapping[str, Tensor]) -> Recurrence:
    """The sizes of an LSTM by its weights.

    Raises:
        UserError: weights that are missing.
    """
    layers = len(memory) // 4
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = {f"{part}_l{layer}" for layer in range(layers) for part in parts}
    if names != set(memory):
        raise UserError(f"{source}: its LSTM has the weights {', '.join(sorted(memory))}")
    try:
        return Recurrence(size=memory["weight_hh_l0"].shape[1], layers=layers)
    except (ValidationError, IndexError):
        raise UserError(f"{source}: its LSTM has sizes that cannot be used") from None


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
