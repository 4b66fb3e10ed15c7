"""What training counts as violations is what scenarios are judged by: every kind, within T."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sport_ray.envs.making import horizon_arguments
from sport_ray.errors import UserError
from sport_ray.projected_ppo.environment import TrainingEnvironment, take_violations
from sport_ray.projected_ppo.judging import Judged, VectorJudged
from sport_ray.properties import NEVER, parse_property
from sport_ray.tensors import PointRobot, register_tensor_environment
from tests.sport_ray.projected_ppo.test_ending import EXAMPLE, OWN, TENSORS, robots

STEPS = 160


def _layer(environment: Any, kind: type) -> Any:
    while not isinstance(environment, kind):
        environment = environment.env
    return environment


def truth(given: dict[str, Any], within: int, formula: str) -> tuple[int, int, int]:
    """Violating, late, and all episodes that ended or had T steps, from the signals themselves.

    An episode that ended is judged as a scenario is, by ``Property.evaluate``, at min(T, its end).
    One that still runs counts if what it did so far is a violation for good.
    """
    judged = given["judged"]
    environment = TrainingEnvironment({**given, "judged": None})
    rng, count = np.random.default_rng(8), given["num_envs"]
    inner = environment.env.env if hasattr(environment, "env") else environment
    told: list[dict[str, Any]] = []
    original = inner.step, inner.reset

    def reset(**kwargs: Any) -> Any:
        found = original[1](**kwargs)
        told.append(found[1]["signals"])
        return found

    def step(actions: Any) -> Any:
        found = original[0](actions)
        told.append(found[4]["signals"])
        return found

    inner.step, inner.reset = step, reset  # below what drops the infos
    environment.reset(seed=3)
    over = np.zeros(count, dtype=bool)
    prop = parse_property(formula)
    traces: list[list[list[float]]] = [[] for _ in range(count)]

    def see() -> None:
        for copy in range(count):
            row = [float(np.asarray(told[-1][name])[copy]) for name in prop.signal_names]
            traces[copy].append(row)

    see()
    violating = late = ended = 0

    def verdict(trace: list[list[float]]) -> tuple[bool, bool]:
        cut = np.array(trace[: within + 1])[None]
        signals = {name: cut[..., k] for k, name in enumerate(prop.signal_names)}
        found = prop.evaluate(signals, np.array([cut.shape[1]]))
        return bool(found.robustness[0] >= 0.0), bool(found.violated_at[0] != NEVER)

    for _ in range(STEPS):
        action = rng.normal([1.5, 0.0], [0.5, 0.4], (count, 2)).astype(np.float32)
        _, _, terminated, truncated, _ = environment.step(action)
        for copy in np.flatnonzero(over):
            traces[copy] = []
        see()
        now = np.asarray(terminated | truncated)
        for copy in np.flatnonzero(now):
            satisfied, for_good = verdict(traces[copy])
            violating += not satisfied
            late += not satisfied and not for_good
            ended += 1
        over = now
    for copy in np.flatnonzero(~over):
        satisfied, for_good = verdict(traces[copy])
        whole = len(traces[copy]) > within
        violating += not satisfied and (whole or for_good)
    assert judged == (formula, within)
    return violating, late, ended


CASES = [(OWN, 25), (OWN, 12), ("G !hazard", 25), ("F goal", 9), ("F[0,6] goal", 25)]


@pytest.mark.parametrize(("formula", "within"), CASES)
def test_every_kind_of_violation_is_counted(formula: str, within: int) -> None:
    """By the robot's own vector environment, by copies of the single one, by tensors: one count."""
    register_tensor_environment(TENSORS, PointRobot)
    given = robots(judged=(formula, within))
    tensors = {**given, "env_id": TENSORS}  # which draw other layouts
    violating, late, ended = truth(given, within, formula)
    in_tensors, *_ = truth(tensors, within, formula)
    assert min(violating, in_tensors) > 0
    assert ended > 20
    copies = {**given, "cut_after": 25}
    for kind, expected in ((given, violating), (copies, violating), (tensors, in_tensors)):
        environment = TrainingEnvironment(kind)
        rng = np.random.default_rng(8)
        environment.reset(seed=3)
        for _ in range(STEPS):
            action = rng.normal([1.5, 0.0], [0.5, 0.4], (5, 2)).astype(np.float32)
            environment.step(action)
        assert take_violations(environment) == expected
    # The hazard alone, as it was counted before, is another number where episodes may be late.
    if formula == OWN and within == 12:
        assert late > 0
        environment = TrainingEnvironment({**given, "judged": None})
        rng = np.random.default_rng(8)
        environment.reset(seed=3)
        for _ in range(STEPS):
            action = rng.normal([1.5, 0.0], [0.5, 0.4], (5, 2)).astype(np.float32)
            environment.step(action)
        assert take_violations(environment) < violating


def test_late_episodes_of_any_environment() -> None:
    """Pendulums that are left alone: each episode that is cut and never was fast counts once."""
    given = {
        "env_id": EXAMPLE,
        "kwargs": horizon_arguments(EXAMPLE, 40),
        "squash": "none",
        "num_envs": 3,
        "cut_after": 10,
        "judged": ("F fast", 10),
    }
    environment = TrainingEnvironment(given)
    environment.reset(seed=1)
    cuts = late = 0
    fast, over = np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)
    for _ in range(53):
        seen, _, _, truncated, _ = environment.step(np.zeros((3, 1), dtype=np.float32))
        fast = (fast & ~over) | (np.abs(seen[:, 2]) >= 6.0)
        cuts, late = cuts + int(truncated.sum()), late + int((truncated & ~fast).sum())
        over = truncated
    assert cuts == 3 * 4
    assert 0 < late == take_violations(environment)  # the fifth episodes have taken nine steps
    single = TrainingEnvironment({k: v for k, v in given.items() if k != "num_envs"})
    _layer(single, Judged)


def test_without_signals_nothing_changes() -> None:
    """An environment that tells none keeps its own cost, and its count by it."""
    import gymnasium

    class Costs(gymnasium.Env):  # type: ignore[type-arg]
        observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

        def reset(self, **kwargs: Any) -> Any:
            return np.zeros(1, dtype=np.float32), {}

        def step(self, action: Any) -> Any:
            return np.zeros(1, dtype=np.float32), 0.0, True, False, {"cost": 0.5}

    env = Judged(Costs(), OWN, 5, UserError)  # type: ignore[arg-type]
    env.reset()
    assert env.step(np.zeros(1))[4] == {"cost": 0.5}


def test_a_signal_that_is_missing_is_told() -> None:
    given = robots(judged=("F fast", 5))
    with pytest.raises(UserError, match="fast"):
        TrainingEnvironment(given).reset(seed=0)
    made = TrainingEnvironment(robots(judged=(OWN, 5)))
    assert _layer(made, VectorJudged).num_envs == 5
