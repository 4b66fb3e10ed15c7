"""RLlib's default modules: the same density as RLlib's own distribution."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
from ray.rllib.algorithms.sac.torch.default_sac_torch_rl_module import DefaultSACTorchRLModule
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.spaces.space_utils import clip_action, unsquash_action

from sport_ray.adapters import from_rllib
from sport_ray.errors import UserError
from sport_ray.policies import Normalization, policy_digest

OBS = 4
SPACE = spaces.Box(np.float32([-2.0, 0.25]), np.float32([2.0, 1.75]))
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppo": (DefaultPPOTorchRLModule, {}),
    "ppo, separate critic": (DefaultPPOTorchRLModule, {"vf_share_layers": False}),
    "ppo, narrow std": (DefaultPPOTorchRLModule, {"log_std_clip_param": 0.3}),
    "ppo, free log std": (DefaultPPOTorchRLModule, {"free_log_std": True}),
    "ppo, free and narrow": (
        DefaultPPOTorchRLModule, {"free_log_std": True, "log_std_clip_param": 0.1}
    ),
    "ppo, deep head": (
        DefaultPPOTorchRLModule,
        {"head_fcnet_hiddens": [5], "head_fcnet_activation": "tanh"},
    ),
    "ppo, silu": (DefaultPPOTorchRLModule, {"fcnet_activation": "silu"}),
    "sac": (DefaultSACTorchRLModule, {"fcnet_activation": "relu", "twin_q": True}),
}  # fmt: skip


def make(kind: Any, space: Any = SPACE, seen: Any = None, **config: Any) -> Any:
    """An untrained module with larger weights than at initialisation."""
    module = kind(
        observation_space=seen or spaces.Box(-np.inf, np.inf, (OBS,)),
        action_space=space,
        model_config={**asdict(DefaultModelConfig(**{"fcnet_hiddens": [9, 7], **without(config)})),
                      **config},
        inference_only=True,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.3 * torch.randn(value.shape, generator=generator))
    return module


def test_what_follows_the_last_layer_is_refused() -> None:
    module = make(DefaultPPOTorchRLModule)
    module.pi.net.mlp.append(torch.nn.Tanh())
    with pytest.raises(UserError, match=r"Tanh\(\) follows the last layer"):
        from_rllib(module)


def without(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "twin_q"}


@pytest.fixture(params=KINDS)
def module(request: pytest.FixtureRequest) -> Any:
    kind, config = KINDS[request.param]
    return make(kind, **config)


def test_the_density_is_rllib_s(module):
    seen = torch.randn(200, OBS, generator=torch.Generator().manual_seed(0)).double() * 3
    network = from_rllib(module).double()
    digest = policy_digest(from_rllib(module))
    module.double()
    with torch.no_grad():
        out = module.forward_exploration({Columns.OBS: seen})
        theirs = module.get_exploration_action_dist_cls().from_logits(
            out[Columns.ACTION_DIST_INPUTS]
        )
        mean, std = network(seen).parts
    inner = theirs._dist
    torch.testing.assert_close(mean, inner.mean, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(std, inner.stddev, rtol=1e-12, atol=0.0)
    drawn = mean + 0.5 * std
    ours = torch.distributions.Normal(mean, std).log_prob(drawn).sum(-1)
    if hasattr(theirs, "_squashed_logp"):
        jacobian = 2.0 * (np.log(2.0) - drawn - torch.nn.functional.softplus(-2.0 * drawn))
        want, ours = theirs._squashed_logp(drawn), ours - jacobian.sum(-1)
    else:
        want = theirs.logp(drawn)
    torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-11)
    assert digest == policy_digest(from_rllib(module.float()))


@pytest.mark.parametrize(
    ("kind", "space", "config"),
    [
        (DefaultPPOTorchRLModule, spaces.Discrete(4), {}),
        (DefaultPPOTorchRLModule, spaces.MultiDiscrete([3, 2]), {"vf_share_layers": False}),
        (DefaultSACTorchRLModule, spaces.Discrete(4), {"twin_q": True}),
    ],
)
def test_indices_have_the_probabilities_that_they_have_there(kind, space, config):
    seen = torch.randn(200, OBS, generator=torch.Generator().manual_seed(0)).double() * 3
    module = make(kind, space, **{"fcnet_activation": "relu", **config})
    network = from_rllib(module)
    network.spec.action_mapping.require_fits("its environment", space)
    module.double()
    action = torch.from_numpy(np.stack([space.sample() for _ in range(200)]))
    with torch.no_grad():
        inputs = module.forward_exploration({Columns.OBS: seen})[Columns.ACTION_DIST_INPUTS]
        theirs = module.get_exploration_action_dist_cls().from_logits(inputs).logp(action)
        ours = network.double()(seen).log_prob(action.reshape(200, -1))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-11)


def test_actions_reach_the_environment_as_there():
    drawn = np.random.default_rng(0).normal(scale=2.0, size=(50, 2))
    ppo = make(DefaultPPOTorchRLModule)
    mapping = from_rllib(ppo).spec.action_mapping
    np.testing.assert_allclose(mapping(drawn), unsquash_action(drawn, SPACE), rtol=0, atol=1e-15)
    mapping = from_rllib(ppo, actions="clip").spec.action_mapping
    np.testing.assert_array_equal(mapping(drawn), clip_action(drawn, SPACE))
    sac = make(DefaultSACTorchRLModule, twin_q=True)
    mapping = from_rllib(sac).spec.action_mapping
    want = unsquash_action(np.tanh(drawn), SPACE)
    np.testing.assert_allclose(mapping(drawn), want, rtol=0, atol=1e-15)


def test_the_mean_std_filter_is_frozen_in():
    from ray.rllib.utils.filter import MeanStdFilter as Filter
    from ray.rllib.utils.numpy import SMALL_NUMBER

    rows = np.random.default_rng(0).normal(2.0, 3.0, size=(50, OBS)).astype(np.float32)
    running = Filter((OBS,), clip=2.0)
    for row in rows:
        running(row)
    statistics = running.running_stats
    normalization = Normalization(
        mean=tuple(statistics.mean), scale=tuple(statistics.std + SMALL_NUMBER), clip=2.0
    )
    network = from_rllib(make(DefaultPPOTorchRLModule), normalization=normalization)
    want = np.stack([running(row, update=False) for row in rows]).astype(np.float32)
    got = network.normalized(torch.from_numpy(rows)).numpy()
    np.testing.assert_array_equal(got, want)
    assert (np.abs(want) == 2.0).any()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"space": spaces.Discrete(3, start=1)}, "indices from 0"),
        ({"space": spaces.Tuple([spaces.Discrete(3)])}, "MultiDiscrete"),
        ({"use_lstm": True}, "LSTM"),
        ({"fcnet_use_layernorm": True}, "LayerNorm"),
        ({"head_fcnet_hiddens": [5]}, "different activations"),
        ({"fcnet_activation": "Softsign"}, "Softsign"),
    ],
)
def test_what_is_no_gaussian_of_an_mlp_is_refused(change, reason):
    with pytest.raises(UserError, match=reason) as caught:
        from_rllib(make(DefaultPPOTorchRLModule, **change))
    assert "\n" not in str(caught.value)


def test_a_module_of_the_user_s_own_is_refused():
    class Own(DefaultPPOTorchRLModule):
        def _forward(self, batch, **kwargs):
            return super()._forward(batch, **kwargs)

    with pytest.raises(UserError, match="_forward is your own"):
        from_rllib(make(Own))
    with pytest.raises(UserError, match="expected RLlib's default module"):
        from_rllib(with_spaces(torch.nn.Linear(2, 2)))
    with pytest.raises(UserError, match="must be 'normalize'"):
        from_rllib(make(DefaultSACTorchRLModule, twin_q=True), actions="clip")


def with_spaces(module: Any) -> Any:
    module.observation_space, module.action_space = spaces.Box(-1, 1, (2,)), SPACE
    return module
