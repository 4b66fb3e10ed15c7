"""A live Stable-Baselines3 model (PPO, A2C, SAC with MlpPolicy) as a policy of this project."""

from __future__ import annotations

from typing import Any

from sport_ray.adapters.parts import Indices, action_values, sequential_layers
from sport_ray.adapters.sb3_observations import seen_of
from sport_ray.adapters.sb3_weights import GSDE, WITHOUT_POLICY, actor_from_weights
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.observations import Normalization


def from_sb3(
    model: Any,
    vecnormalize: Any = None,
    *,
    raw_observations: bool = False,
    observation_space: Any = None,
) -> PolicyNetwork:
    """The same distribution over actions as the model's, as a :class:`PolicyNetwork`.

    Mean and std, or log weights, are the same functions of the observation with the same float32
    weights; a ``VecNormalize`` is frozen as it is now. Agreement in float64 is to rounding; in
    float32 both round each operation, in orders of their own.

    Args:
        model: of ``PPO``, ``A2C`` or ``SAC``, with ``MlpPolicy``, or of PPO and A2C ``CnnPolicy``
            and ``MultiInputPolicy`` without images, or SB3-contrib's ``RecurrentPPO`` with
            ``MlpLstmPolicy``; actions in a ``Box``, or (of PPO and A2C)
            ``Discrete``, ``MultiDiscrete`` or ``MultiBinary``.
        vecnormalize: the ``VecNormalize`` that the model's observations go through.
        raw_observations: the policy saw them as they are, though it was trained behind a
            ``VecNormalize`` (``norm_obs=False``) that is no longer there.
        observation_space: the environment's; by default the model's, before ``VecTransposeImage``
            where its environment is there.

    Raises:
        UserError: anything but a Gaussian or logits of an MLP, with the reason; a model whose
            environment normalises observations, without ``vecnormalize``.
    """
    from stable_baselines3.common.distributions import (
        BernoulliDistribution,
        CategoricalDistribution,
        DiagGaussianDistribution,
        MultiCategoricalDistribution,
        SquashedDiagGaussianDistribution,
    )
    from stable_baselines3.common.policies import (
        ActorCriticCnnPolicy,
        ActorCriticPolicy,
        MultiInputActorCriticPolicy,
    )
    from stable_baselines3.common.torch_layers import (
        CombinedExtractor,
        FlattenExtractor,
        MlpExtractor,
        NatureCNN,
    )
    from stable_baselines3.sac.policies import Actor as SACActor
    from stable_baselines3.sac.policies import SACPolicy

    noise: type
    expected: tuple[type, ...]
    policy = model.policy
    source = f"Stable-Baselines3 {type(model).__name__} with {type(policy).__name__}"
    reason = WITHOUT_POLICY.get(type(policy).__module__)
    if reason is not None:
        raise UserError(f"{source}: {reason}")
    actions = action_values(source, model.action_space)
    if getattr(model, "use_sde", False):
        raise UserError(f"{source}: {GSDE}")
    if type(policy) is SACPolicy:
        actor = policy.actor
        if type(actor) is not SACActor:
            raise UserError(f"{source}: the actor is a class of your own, {type(actor).__name__}")
        modules, extractor = list(actor.latent_pi), actor.features_extractor
        noise, expected = type(actor.action_dist), (SquashedDiagGaussianDistribution,)
    elif _is_recurrent(policy) or type(policy) in (
        ActorCriticPolicy, ActorCriticCnnPolicy, MultiInputActorCriticPolicy,
    ):  # fmt: skip
        if type(policy.mlp_extractor) is not MlpExtractor:
            name = type(policy.mlp_extractor).__name__
            raise UserError(f"{source}: the network is a class of your own, {name}")
        modules, extractor = list(policy.mlp_extractor.policy_net), policy.pi_features_extractor
        noise = type(policy.action_dist)
        expected = (
            (CategoricalDistribution, MultiCategoricalDistribution, BernoulliDistribution)
            if isinstance(actions, Indices)
            else (DiagGaussianDistribution,)
        )
    else:
        raise UserError(
            f"{source}: expected MlpPolicy of PPO, A2C or SAC, CnnPolicy or MultiInputPolicy of "
            "PPO or A2C, or MlpLstmPolicy of RecurrentPPO: no policy class of your own"
        )
    if type(extractor) not in (FlattenExtractor, NatureCNN, CombinedExtractor):
        raise UserError(
            f"{source}: features come from {type(extractor).__name__}; expected FlattenExtractor, "
            "NatureCNN or CombinedExtractor"
        )
    if noise not in expected:
        raise UserError(f"{source}: actions are drawn from {noise.__name__}")
    _, activation = sequential_layers(source, modules)
    if len(modules) % 2:
        raise UserError(f"{source}: the last hidden layer has no activation")
    weights = policy.state_dict()
    space = _raw_space(model) if observation_space is None else observation_space
    return actor_from_weights(
        source,
        weights,
        activation,
        actions,
        _normalization(source, model, vecnormalize, raw_observations),
        seen_of(source, space, weights, divided=policy.normalize_images),
    ).network(source)


def _is_recurrent(policy: Any) -> bool:
    """Whether it is RecurrentPPO's own, whose weights tell all: an LSTM without extras."""
    kind = type(policy)
    known = ("RecurrentActorCriticPolicy", "RecurrentMultiInputActorCriticPolicy")
    own = kind.__module__ == "sb3_contrib.common.recurrent.policies" and kind.__name__ in known
    return own and not policy.lstm_kwargs


def _raw_space(model: Any) -> Any:
    """The model's observations as its environment gives them."""
    from stable_baselines3.common.vec_env import VecTransposeImage

    layer = model.get_env()
    while layer is not None:
        if type(layer) is VecTransposeImage:
            return layer.venv.observation_space
        layer = getattr(layer, "venv", None)
    return model.observation_space


def _normalization(
    source: str, model: Any, vecnormalize: Any, raw_observations: bool
) -> Normalization | None:
    own = model.get_vec_normalize_env()
    if vecnormalize is None:
        if own is not None and own.norm_obs:
            raise UserError(
                f"{source}: its observations go through VecNormalize: pass "
                "vecnormalize=model.get_vec_normalize_env()"
            )
        # A model that was loaded has lost its VecNormalize, and remembers an observation before it;
        # of SAC, one without VecNormalize remembers one, too.
        lost = own is None and getattr(model, "_last_original_obs", None) is not None
        sure = model.get_env() is not None and type(model.policy).__name__ == "SACPolicy"
        if lost and not sure and not raw_observations:
            raise UserError(
                f"{source}: it was loaded, and may have been trained behind VecNormalize: pass "
                "vecnormalize=VecNormalize.load(…), or raw_observations=True if observations were "
                "not normalised"
            )
        return None
    if not vecnormalize.norm_obs:
        return None
    if _normalizes(vecnormalize.venv):
        raise UserError(f"{source}: observations go through more than one VecNormalize")
    statistics = vecnormalize.obs_rms
    if isinstance(statistics, dict):
        raise UserError(f"{source}: VecNormalize of dictionary observations is not supported")
    return Normalization.from_variance(
        statistics.mean, statistics.var, vecnormalize.epsilon, vecnormalize.clip_obs
    )


def _normalizes(env: Any) -> bool:
    from stable_baselines3.common.vec_env import unwrap_vec_normalize

    found = unwrap_vec_normalize(env)
    return found is not None and (found.norm_obs or _normalizes(found.venv))
