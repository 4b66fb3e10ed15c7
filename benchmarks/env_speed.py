"""Environment steps per second on one core: ``python benchmarks/env_speed.py``.

Random actions and random layouts, autoresets, observations, rewards and infos included. The
vector environment counts every row, reset rows too. The two are timed in turns, so that a busy
machine slows both alike; the medians are printed.
"""

from __future__ import annotations

import statistics
import time

import gymnasium
import numpy as np

from sport_ray.envs.registration import ENV_ID

NUM_ENVS = 256
ROUNDS = 9
VECTOR_STEPS = 300
SINGLE_STEPS = 5_000


def time_vector(env: gymnasium.vector.VectorEnv, actions: np.ndarray) -> float:
    """Env steps/s over ``actions`` (steps, num_envs, 2)."""
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return actions.shape[0] * actions.shape[1] / (time.perf_counter() - start)


def time_single(env: gymnasium.Env, actions: np.ndarray) -> float:
    """Env steps/s over ``actions`` (steps, 2), resetting where an episode ends."""
    start = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return len(actions) / (time.perf_counter() - start)


def main() -> None:
    """Print the medians."""
    rng = np.random.default_rng(0)
    vector = gymnasium.make_vec(ENV_ID, num_envs=NUM_ENVS, layout="random")
    single = gymnasium.make(ENV_ID, layout="random")
    vector.reset(seed=0)
    single.reset(seed=0)
    vector_actions = rng.uniform(-1, 1, (VECTOR_STEPS, NUM_ENVS, 2)).astype(np.float32)
    single_actions = rng.uniform(-1, 1, (SINGLE_STEPS, 2)).astype(np.float32)
    rates = [
        (time_vector(vector, vector_actions), time_single(single, single_actions))
        for _ in range(ROUNDS)
    ]
    names = (f"vector, {NUM_ENVS} envs", "single")
    for name, values in zip(names, zip(*rates, strict=True), strict=True):
        print(f"{name:>18}: {statistics.median(values):>9,.0f} env steps/s")


if __name__ == "__main__":
    main()
