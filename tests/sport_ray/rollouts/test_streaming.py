"""A table in portions, in one process: the same to the bit however it is cut."""

from __future__ import annotations

import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, Outcomes, OutcomeTotals, ScenarioPlan, Tally
from sport_ray.rollouts import run_scenarios as run
from sport_ray.rollouts.instance import Instance, pace_of
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.streaming import stream_here
from tests.slow_simulator import NAMED

COUNT = 30


def same(found: Outcomes, wanted: Outcomes) -> None:
    for field in fields(Outcomes):
        mine, theirs = getattr(found, field.name), getattr(wanted, field.name)
        assert mine.dtype == theirs.dtype, field.name
        np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


class Given(Pace):
    """Sizes that are given, one after the other and from the start again."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__(1, 10**9)
        self.sizes, self.at = sizes, 0

    def size(self, left: int) -> int:
        self.at += 1
        return min(self.sizes[(self.at - 1) % len(self.sizes)], left)


_WHOLE: dict[str, Outcomes] = {}


def whole_table(plan: ScenarioPlan, behaviour: BaseBehaviour) -> Outcomes:
    """All scenarios in one piece, run once for all examples."""
    if not _WHOLE:
        _WHOLE["table"] = run(plan, behaviour, 0, COUNT)
    return _WHOLE["table"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, COUNT), min_size=1, max_size=8),
    chunk=st.one_of(st.none(), st.integers(1, COUNT)),
    limit=st.one_of(st.none(), st.integers(1, 5)),
)
def test_the_table_does_not_depend_on_portions_chunks_or_copies(
    walk_plan, walk_behaviour, sizes, chunk, limit
):
    whole = whole_table(walk_plan, walk_behaviour)
    plan = walk_plan.model_copy(update={"copies_per_process": limit})
    told: list[int] = []
    parts = list(
        stream_here(
            plan, walk_behaviour, COUNT, chunk=chunk, progress=told.append, pace=Given(sizes)
        )
    )
    same(Outcomes.concatenate([outcomes for outcomes, _ in parts]), whole)
    assert sum(told) == COUNT
    tally, totals = Tally(), OutcomeTotals(plan.horizon)
    for outcomes, counted in parts:
        totals.add(outcomes)
        tally.add(counted)
    tally.require_complete(COUNT)
    if chunk is not None:
        given_sizes = [outcomes.num_scenarios for outcomes, _ in parts]
        assert given_sizes[:-1] == [chunk] * (len(parts) - 1)
        assert given_sizes[-1] <= chunk
    once = OutcomeTotals(plan.horizon)
    once.add(whole)
    assert totals.digest == once.digest


@pytest.mark.parametrize("first", [0, 1, 17, COUNT - 1])
def test_a_stream_goes_on_where_another_ended(walk_plan, walk_behaviour, first):
    """What was run here before workers are there is not run again."""
    stream = stream_here(walk_plan, walk_behaviour, COUNT, first=first)
    parts = [outcomes for outcomes, _ in stream]
    wanted = run(walk_plan, walk_behaviour, first, COUNT - first)
    same(Outcomes.concatenate(parts), wanted)


def slow(**kwargs: object) -> tuple[ScenarioPlan, BaseBehaviour]:
    """The slow simulator, 17 steps a scenario."""
    plan = ScenarioPlan(
        env_id=NAMED,
        env_kwargs=kwargs,
        property="G !hazard",
        horizon=17,
        root_seed=0,
        purpose="certify",
    )
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(8,))
    return plan, BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))


def test_progress_comes_with_the_first_scenario_of_a_slow_simulator() -> None:
    plan, behaviour = slow()
    began = time.monotonic()
    seen: list[tuple[float, int]] = []
    stream = stream_here(
        plan, behaviour, 1_000, progress=lambda n: seen.append((time.monotonic() - began, n))
    )
    next(stream)
    stream.close()
    assert [n for _, n in seen] == [1]
    # One scenario sleeps for 17 × 0.05 s at most; a thousand of them for a quarter of an hour.
    assert seen[0][0] < 60.0


def test_an_environment_is_made_once_and_with_no_more_copies_than_portions_have(tmp_path) -> None:
    plan, behaviour = slow(seconds=0.002, book=str(tmp_path))
    for _ in stream_here(plan, behaviour, 12, pace=Given([1, 1, 1, 3, 2, 3, 1])):
        pass
    [book] = tmp_path.iterdir()
    events = [line.split()[1] for line in book.read_text().splitlines()]
    # One copy, then three once a portion has three: closed before the others are made.
    assert events == ["made", "closed", "made", "made", "made", "closed", "closed", "closed"]


def test_copies_of_a_process_are_limited_by_the_plan(tmp_path) -> None:
    plan, behaviour = slow(seconds=0.0, book=str(tmp_path))
    limited = plan.model_copy(update={"copies_per_process": 2})
    for _ in stream_here(limited, behaviour, 40, pace=Given([20])):
        pass
    [book] = tmp_path.iterdir()
    assert book.read_text().count("made") == 2
    assert limited.model_dump() == plan.model_dump()


def test_few_copies_are_made_of_an_environment_that_takes_long_to_make() -> None:
    plan, _ = slow(start=0.5, seconds=0.0)
    with Instance(plan) as instance:
        instance.for_count(1)
        _, slots = instance.for_count(200)
        assert 1 <= slots <= 4


def test_an_environment_is_closed_when_the_stream_is_left(tmp_path) -> None:
    plan, behaviour = slow(seconds=0.001, book=str(tmp_path))
    stream = stream_here(plan, behaviour, 100)
    next(stream)
    stream.close()
    [book] = tmp_path.iterdir()
    assert book.read_text().count("made") == book.read_text().count("closed") == 1


def test_robots_begin_with_as_many_as_step_together(robot_plan) -> None:
    robot, other = pace_of(robot_plan, 2), pace_of(slow()[0], 2)
    assert robot.first == 1024
    assert other.first == 1
