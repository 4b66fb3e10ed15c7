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
    assert single.unwrapped.simulator.horizon == 7
    vector = gymnasium.make_vec(ENV_ID, num_envs=3, reward="base")
    assert isinstance(vector, PointReachAvoidVectorEnv)
    assert vector.num_envs == 3


def test_registering_again_changes_nothing():
    spec = gymnasium.registry[ENV_ID]
    sport_ray.register_envs()
    assert gymnasium.registry[ENV_ID] is spec


def test_horizon_is_the_environments_own():
    assert gymnasium.spec(ENV_ID).max_episode_steps is None


def test_module_prefix_registers_in_a_fresh_process():
    """As in a Ray worker, which has not imported the package."""
    script = f"import gymnasium; print(gymnasium.make('sport_ray:{ENV_ID}').reset(seed=0)[0].shape)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "(44,)", done.stderr


def test_import_is_light():
    script = (
        "import sys, sport_ray\n"
        "heavy = {'numba', 'torch', 'ray', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(sport_ray.__version__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == sport_ray.__version__


def test_package_has_no_other_names():
    with pytest.raises(AttributeError, match="has no attribute 'PointReachEnv'"):
        sport_ray.envs.PointReachEnv  # noqa: B018
