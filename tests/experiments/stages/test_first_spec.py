"""What train-base begins with, by the environment's observations."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import environment_sizes, first_spec
from sport_ray.policies.convolution import NATURE, SMALL

GIVEN = "sport_ray_tests/Given-v0"
SPACES: dict[str, spaces.Space] = {
    "vector": spaces.Box(-1, 1, (3,)),
    "index": spaces.Discrete(5),
    "dict": spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(-1, 1, (2, 2))),
    "picture": spaces.Box(0, 255, (40, 44, 3), np.uint8),
    "small": spaces.Box(0, 1, (2, 9, 9), np.float32),
    "tiny": spaces.Box(-1, 1, (3, 3, 3)),
    "within": spaces.Dict(a=spaces.Tuple((spaces.Box(0, 255, (12, 12, 1), np.uint8),))),
    "sequence": spaces.Dict(a=spaces.Sequence(spaces.Discrete(2))),
}


class Given(gymnasium.Env[Any, Any]):
    """A space by its name."""

    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, space: str = "vector") -> None:
        self.observation_space = SPACES[space]

    def reset(self, **kwargs: Any) -> Any:
        super().reset(seed=kwargs.get("seed"))
        return self.observation_space.sample(), {"signals": {"goal": -1.0}}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {"signals": {"goal": -1.0}}


if GIVEN not in gymnasium.registry:
    gymnasium.register(GIVEN, Given)


@pytest.fixture
def study(small_study):
    def make(space: str, **training: Any) -> Study:
        return Study.model_validate(
            {
                **small_study,
                "environment": {"id": GIVEN, "kwargs": {"space": space}},
                "property": "F goal",
                "base_training": {"hidden": [6], **training},
            }
        )

    return make


@pytest.mark.parametrize(
    ("space", "size", "inputs", "layers"),
    [
        ("vector", 3, 3, None),
        ("index", 5, 5, None),
        ("dict", 6, 6, None),
        ("picture", 5280, 1 * 2 * 64, NATURE),
        ("small", 162, 32, SMALL),
        ("tiny", 27, 27, None),
    ],
)
def test_the_body_is_that_of_the_observations(study, space, size, inputs, layers):
    asked = study(space)
    spec = first_spec(asked, asked.base_training)
    assert spec.observation_size == size == environment_sizes(asked)[0]
    assert spec.layer_sizes == (inputs, 6, 2)
    assert (spec.flattening is None) == (space == "vector")
    assert (None if spec.convolution is None else spec.convolution.layers) == layers


def test_other_layers_and_none(study):
    own = study("picture", convolution=[[4, 8, 8]])
    spec = first_spec(own, own.base_training)
    assert spec.convolution.layers == ((4, 8, 8),)
    assert spec.convolution.divisor == 255.0
    none = study("picture", convolution=[])
    assert first_spec(none, none.base_training).convolution is None
    plain = study("within", convolution=[])
    assert first_spec(plain, plain.base_training).observation_size == 144


@pytest.mark.parametrize(
    ("space", "training", "says"),
    [
        ("dict", {"convolution": [[4, 2, 1]]}, "is for images, and .* gives Dict.*: remove it"),
        ("vector", {"convolution": [[4, 2, 1]]}, "gives vectors: remove it"),
        ("small", {"convolution": [[4, 10, 1]]}, "kernel of 10 pixels and is given 9 x 9"),
        ("picture", {"algorithm": "sac"}, "sac has no critic for images"),
        (
            "within",
            {},
            r"an image among other parts .*, observation\['a'\]\[0\]: Box\(\(12, 12, 1\)",
        ),
        ("sequence", {}, r"observation_space\['a'\] is Sequence.*pad it"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(study, space, training, says):
    asked = study(space, **training)
    with pytest.raises(UserError, match=says) as error:
        first_spec(asked, asked.base_training)
    assert "\n" not in str(error.value)
