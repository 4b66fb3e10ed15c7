"""A base that is an ONNX graph: projected around, trained from beside it, refused where it must be.

The graph has a layer norm, so that it is no chain of layers.
"""

from __future__ import annotations

import types
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("onnx")

from onnx import helper
from ray.rllib.core.columns import Columns

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.task_policies._training import first_policy
from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource
from sport_ray.experiments.task_policies.scpo import SCPOSource
from sport_ray.families import Gaussian
from sport_ray.policies import (
    FrozenPolicy,
    PolicyFile,
    PolicyNetwork,
    PolicySpec,
    policy_digest,
)
from sport_ray.policies.graph.body import body_of
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.module import POLICY_INPUTS, ProjectedPPOModule
from sport_ray.rollouts.behaviour import BaseBehaviour, ProjectedBehaviour
from tests.sport_ray.policies.graph.onnx_models import (
    OBS,
    constant,
    model_of,
    normal,
    one_observation,
)

ALPHA = 1.3


@pytest.fixture(scope="module")
def base() -> PolicyNetwork:
    x = "observation"
    nodes = [
        helper.make_node("LayerNormalization", [x, "s"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["mean"]),
        helper.make_node("Tanh", ["mean"], ["log_std"]),
    ]
    constants = [constant("s", np.ones(OBS)), constant("w", normal(OBS, 2))]
    data = one_observation(model_of(nodes, ["mean", "log_std"], constants), [(1, 2), (1, 2)])
    spec = PolicySpec(
        observation_size=OBS, action_size=2, hidden=(), body="graph", squash="none",
        std_head="clamped", log_std_min=-30.0, log_std_max=30.0,
    )  # fmt: skip
    network = PolicyNetwork(spec)
    network.body.load_state_dict(body_of(data).state_dict())
    return network


def test_training_begins_at_a_network_of_its_own_that_repeats(base):
    first, again, other = (first_policy(base, seed) for seed in (1, 1, 2))
    assert policy_digest(first) == policy_digest(again) != policy_digest(other)
    assert first.spec.body == "mlp"
    assert first.spec.hidden
    assert first.spec.action_mapping == base.spec.action_mapping
    assert first_policy(first, 5) is first  # any other base is where training begins


def test_scenarios_are_within_the_ratio_of_the_graph(base):
    seen = normal(50, OBS, seed=2)
    fixed, constraint = FrozenPolicy(base), RatioConstraint(alpha=ALPHA)
    behaviour = ProjectedBehaviour(fixed, FrozenPolicy(first_policy(base, 1)), constraint)
    step = behaviour.step(seen, behaviour.start(50))
    assert (step.max_log_ratio <= np.log(ALPHA)).all()
    assert step.max_log_ratio.max() > 0.9 * np.log(ALPHA)
    alone = BaseBehaviour(fixed).step(seen, np.zeros((50, 0)))
    assert torch.equal(alone.base.numbers, step.base.numbers)


def test_projected_ppo_acts_within_the_ratio_of_the_graph(base):
    config = ProjectedPPOConfig().training(base=base, task=first_policy(base, 1), alpha=ALPHA)
    spec = config.get_default_rl_module_spec()
    module = ProjectedPPOModule(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (OBS,)),
        action_space=gym.spaces.Box(-np.inf, np.inf, (2,)),
        model_config=spec.model_config,
    )
    seen = torch.from_numpy(normal(50, OBS, seed=2))
    out = module.forward_exploration({Columns.OBS: seen})
    acting = Gaussian.from_parameters(out[Columns.ACTION_DIST_INPUTS])
    its, _ = (Gaussian.from_parameters(x) for x in out[POLICY_INPUTS].chunk(2, dim=-1))
    assert not its.differs(FrozenPolicy(base).distribution(seen.numpy())).any()
    ratio = acting.max_log_ratio(its)
    assert float(ratio.max()) <= np.log(ALPHA)
    assert float(ratio.max()) > 0.9 * np.log(ALPHA)
    learned = {name for name, _ in module.named_parameters()}
    assert not any("graph" in name for name in learned)


def test_sources_that_need_the_base_s_layers_say_so(base):
    file = PolicyFile(base, policy_digest(base), {})
    nothing: Any = types.SimpleNamespace()
    with pytest.raises(UserError, match="starts from the base's own layers") as caught:
        SCPOSource().require(nothing, SCPOSource.settings(), file)
    assert "\n" not in str(caught.value)
    ProjectedPPOSource().require(nothing, ProjectedPPOSource.settings(), file)
