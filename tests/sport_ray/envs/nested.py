"""Environments whose observations are no vectors, and spaces drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from hypothesis import strategies as st

NESTED, NESTED_NATIVE = "sport_ray_tests/Nested-v0", "sport_ray_tests/NestedNative-v0"

NESTED_SPACE = spaces.Dict(
    {
        "where": spaces.Box(-50.0, 50.0, (2,), np.float32),
        "gear": spaces.Discrete(3, start=-1),
        "lamps": spaces.MultiBinary((2, 2)),
        "rest": spaces.Tuple((spaces.MultiDiscrete([2, 3]), spaces.Box(0, 255, (2, 2), np.uint8))),
    }
)
NESTED_SIZE = 2 + 3 + 4 + 5 + 4


class Nested(gymnasium.Env[dict[str, Any], np.ndarray]):
    """x += push + noise on a line: the goal lies above 2, the hazard below −1; a Dict tells.

    ``lies``: what it returns in its third state beside its space.
    """

    observation_space = NESTED_SPACE
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, horizon: int = 10, lies: str = "") -> None:
        self.horizon, self.lies = horizon, lies

    def _see(self) -> dict[str, Any]:
        level = int(np.clip(np.floor(self.x), -1, 1))
        seen: dict[str, Any] = {
            "where": np.array([self.x, self.steps / 10.0], np.float32),
            "gear": level,
            "lamps": np.array([[self.x > 0, self.x > 1], [self.x < -0.5, 0]], dtype=np.int8),
            "rest": (
                np.array([self.steps % 2, self.steps % 3]),
                np.full((2, 2), np.clip(100 + 40 * self.x, 0, 255), np.uint8),
            ),
        }
        if self.lies and self.steps == 2:
            changes: dict[str, dict[str, Any]] = {
                "no key": {"gear": None},
                "another key": {"gear": None, "wheel": 1},
                "index": {"gear": 2},
                "lamp": {"lamps": np.full((2, 2), 2)},
                "shape": {"where": np.zeros(3)},
                "not a number": {"where": np.array([0.0, np.nan])},
                "no tuple": {"rest": np.zeros(2)},
                "fraction": {"rest": (np.array([0, 1]), np.full((2, 2), 0.5))},
            }
            seen |= changes[self.lies]
            if self.lies in ("no key", "another key"):
                del seen["gear"]
        return seen

    def _info(self) -> dict[str, Any]:
        return {"signals": {"hazard": -1.0 - self.x, "goal": self.x - 2.0}}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.x, self.steps = 0.2 * float(self.np_random.normal()), 0
        return self._see(), self._info()

    def step(self, action: np.ndarray) -> Any:
        before = self.x
        self.x += float(action[0]) + 0.3 * float(self.np_random.normal()) + 0.3
        self.steps += 1
        over = self.x >= 2.0 or self.x <= -1.0
        return self._see(), self.x - before, over, self.steps >= self.horizon, self._info()


class NestedNative(VectorEnv[Any, Any, Any]):
    """Copies of ``Nested`` as an author's own vector environment, which batches by key."""

    def __init__(self, num_envs: int = 1, horizon: int = 10) -> None:
        self.num_envs = num_envs
        self.copies = [Nested(horizon) for _ in range(num_envs)]
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space, self.single_action_space = (
            Nested.observation_space,
            Nested.action_space,
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.over = np.zeros(num_envs, dtype=bool)

    def _batch(self, seen: list[Any]) -> Any:
        empty = create_empty_array(self.single_observation_space, self.num_envs)
        return concatenate(self.single_observation_space, seen, empty)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Each with its own seed."""
        seeds = seed if seed is not None else [None] * self.num_envs
        pairs = zip(self.copies, seeds, strict=True)
        self.over[:] = False
        return self._batch([one.reset(seed=its)[0] for one, its in pairs]), {}

    def step(self, actions: Any) -> Any:
        """NEXT_STEP."""
        rows = []
        for one, action, over in zip(self.copies, actions, self.over, strict=True):
            if over:
                rows.append((one.reset()[0], 0.0, False, False))
            else:
                rows.append(one.step(action)[:4])
        seen, reward, ended, cut = zip(*rows, strict=True)
        self.over = np.array(ended) | np.array(cut)
        return self._batch(list(seen)), np.array(reward), np.array(ended), np.array(cut), {}


def register() -> None:
    """Both under their ids."""
    if NESTED not in gymnasium.registry:
        gymnasium.register(NESTED, Nested)
    if NESTED_NATIVE not in gymnasium.registry:
        gymnasium.register(NESTED_NATIVE, Nested, vector_entry_point=NestedNative)


_SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
_LEAVES = st.one_of(
    st.builds(
        lambda shape, dtype: (
            spaces.Box(-5, 5, shape, dtype)
            if np.issubdtype(dtype, np.floating)
            else spaces.Box(0, 200, shape, dtype)
        ),
        _SHAPES,
        st.sampled_from([np.float32, np.float64, np.uint8, np.int16, np.int64]),
    ),
    st.builds(
        lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 6), st.integers(-9, 9)
    ),
    st.builds(
        lambda sizes, first: spaces.MultiDiscrete(sizes, start=[first] * len(sizes)),
        st.lists(st.integers(1, 5), min_size=1, max_size=3),
        st.integers(-3, 3),
    ),
    st.builds(
        lambda rows: spaces.MultiDiscrete(np.array(rows)),
        st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=2), min_size=1, max_size=2),
    ),
    st.builds(spaces.MultiBinary, st.one_of(st.integers(1, 4), st.just((2, 2)))),
)
SPACES = st.recursive(
    _LEAVES,
    lambda below: st.one_of(
        st.dictionaries(
            st.text("abcXYZé_", min_size=1, max_size=4), below, min_size=1, max_size=4
        ).map(spaces.Dict),
        st.lists(below, min_size=1, max_size=3).map(lambda parts: spaces.Tuple(tuple(parts))),
    ),
    max_leaves=8,
)
"""Whatever can be flattened."""
