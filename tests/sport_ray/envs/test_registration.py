"""The gymnasium id."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest

import sport_ray
from sport_ray.envs import PointReachAvoidEnv, PointReachAvoidVectorEnv

ENV_ID = "sport_ray/PointReachAvoid-v0"


def test_id_makes_the_single_and_the_vector_environment():
    single = gymnasium.make(ENV_ID, layout="random", horizon=7)
    assert isinstance(single.unwrapped, PointReachAvoidEnv)
    assert single.unwrapped.simulator.settings.horizon == 7
    vector = gymnasium.make_vec(ENV_ID, num_envs=3, reward="base")
    assert isinstance(vector, PointReachAvoidVectorEnv)
    assert vector.num_envs == 3


def test_registering_again_changes_nothing():
    spec = gymnasium.registry[ENV_ID]
    sport_ray.register_envs()
    assert gymnasium.registry[ENV_ID] is spec


def test_horizon_is_the_environments_own():
    assert gymnasium.spec(ENV_ID).max_episode_steps is None


def printed_by(script: str) -> str:
    """What a fresh process says, as a Ray worker that has not imported the package."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium",
        "import gymnasium, sport_ray",
        "import sport_ray, gymnasium",
        "import importlib.util, sport_ray; importlib.util.find_spec('gymnasium'); import gymnasium",
    ],
    ids=["prefix alone", "before", "after", "looked for, then imported"],
)
def test_id_is_known_in_a_fresh_process_in_whatever_order(imports):
    name = ENV_ID if "sport_ray" in imports else f"sport_ray:{ENV_ID}"
    made = f"gymnasium.make({name!r}).reset(seed=0)[0].shape"
    assert printed_by(f"{imports}; print({made})") == "(44,)"


def test_import_is_light():
    heavy = "{'gymnasium', 'numpy', 'numba', 'torch', 'ray', 'matplotlib', 'scipy'}"
    script = f"import sys, sport_ray; print(sport_ray.__version__, {heavy} & set(sys.modules))"
    assert printed_by(script) == f"{sport_ray.__version__} set()"


def test_package_has_no_other_names():
    with pytest.raises(AttributeError, match="has no attribute 'PointReachEnv'"):
        sport_ray.envs.PointReachEnv  # noqa: B018
