"""Training hands the environment what scenarios and deployment hand it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from sport_ray.envs.spaces import as_action
from sport_ray.envs.vector_stepping import training_seeds
from sport_ray.errors import UserError
from sport_ray.policies import ActionMapping, PolicyNetwork, PolicySpec
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.environment import TrainingEnvironment

CLIP = ActionMapping("clip", (-2.0,), (2.0,))
SPEC = PolicySpec(
    observation_size=3, action_size=1, hidden=(4,), std_head="constant", **CLIP.to_json()
)


def context(mapping: ActionMapping, **more: Any) -> dict[str, Any]:
    return {"env_id": "Pendulum-v1", "kwargs": {}, **mapping.to_json(), **more}


@pytest.mark.parametrize("mapping", [CLIP, ActionMapping("tanh", (-2.0,), (2.0,))])
def test_samples_are_mapped_on_their_way_in(mapping):
    drawn = np.array([[0.5], [-7.0], [3.0]], dtype=np.float32)
    vector = TrainingEnvironment(context(mapping, num_envs=3))
    assert np.isinf(vector.single_action_space.high).all()
    vector.reset(seed=5)
    seen, reward, *_ = vector.step(drawn)
    for index, seed in enumerate(training_seeds(5, 3)):
        single = gymnasium.make("Pendulum-v1")
        single.reset(seed=seed)
        want, its, *_ = single.step(as_action(mapping(drawn[index]), np.float32))
        np.testing.assert_array_equal(seen[index], want)
        assert reward[index] == its
    alone = TrainingEnvironment(context(mapping))
    alone.reset(seed=training_seeds(5, 1)[0])
    np.testing.assert_array_equal(alone.step(drawn[0])[0], seen[0])


def test_other_bounds_are_refused_and_the_config_passes_the_mapping_on():
    with pytest.raises(UserError, match="takes actions with low"):
        TrainingEnvironment(context(ActionMapping("clip", (-1.0,), (1.0,))))
    config = ProjectedPPOConfig().environment("Pendulum-v1")
    config.training(base=PolicyNetwork(SPEC), alpha=1.5).validate()
    assert ActionMapping.from_json(config.env_config) == CLIP
