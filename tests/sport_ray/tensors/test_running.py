"""Scenarios that run on tensors: the ordinary path's table, and what a device does otherwise."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import fields
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.envs.faults import EnvironmentFault
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.on_device import DevicePolicy, _Blocks
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    OutcomeTotals,
    ProjectedBehaviour,
    ScenarioPlan,
    Tally,
    run_scenarios,
)
from sport_ray.rollouts.tally import ScenarioAborted
from sport_ray.streams.kernels import first_integers, generator_of, seeded
from sport_ray.tensors import judging, running
from sport_ray.tensors.ahead import ahead
from sport_ray.tensors.running import can_run, run_tensor_scenarios, stream_tensor_scenarios
from tests.sport_ray.tensors.line import LINE

ROBOT = "sport_ray/PointReachAvoid-v0"


def plan(env_id: str = ROBOT, **more: Any) -> ScenarioPlan:
    told = {"property": "(!hazard) U goal", "horizon": 25, "root_seed": 2, "purpose": "certify"}
    return ScenarioPlan(env_id=env_id, **{**told, **more})


def require_equal(got: Outcomes, wanted: Outcomes) -> None:
    for field in fields(Outcomes):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(wanted, field.name))


@pytest.fixture(scope="module")
def base(small_base: PolicyNetwork) -> FrozenPolicy:
    return FrozenPolicy(small_base)


@pytest.fixture(scope="module")
def task(small_base: PolicyNetwork) -> FrozenPolicy:
    network = PolicyNetwork(small_base.spec)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        moved = {n: v + 0.05 * torch.randn_like(v) for n, v in small_base.state_dict().items()}
    network.load_state_dict(moved)
    return FrozenPolicy(network)


@pytest.mark.parametrize(
    "world",
    [
        {},
        {"layout": "random", "actuation_noise": 0.2, "start_noise": [0.05, 0.05, 0.5]},
        {"reward": "guided", "margin": 0.1, "end_on_violation": True},
    ],
    ids=str,
)
def test_the_table_is_the_ordinary_one_to_the_bit(base, task, world) -> None:
    asked = plan(env_kwargs=world)
    for behaviour in (BaseBehaviour(base), ProjectedBehaviour(base, task, RatioConstraint(1.3))):
        wanted, got = Tally(), Tally()
        table = run_scenarios(asked, behaviour, 5, 60, tally=wanted)
        for slots in (60, 13):
            got = Tally()
            again = run_tensor_scenarios(
                asked, behaviour, 5, 60, device="cpu", slots=slots, tally=got
            )
            require_equal(again, table)
            assert got == wanted
            assert got.signals == wanted.signals
        if isinstance(behaviour, ProjectedBehaviour):
            assert table.projected_steps.sum() > 0


@pytest.mark.parametrize("budget", [PathwiseBudget(log_budget=1.0), MeanShiftBudget(mu=0.5)])
def test_budgets_are_spent_as_on_arrays(base, task, budget) -> None:
    behaviour = ProjectedBehaviour(base, task, budget)
    wanted = run_scenarios(plan(), behaviour, 0, 40)
    require_equal(run_tensor_scenarios(plan(), behaviour, 0, 40, device="cpu", slots=16), wanted)
    assert wanted.projected_steps.sum() > 0


def test_any_tensor_environment_has_the_table_of_its_adapter(line_behaviour) -> None:
    for world in ({}, {"spoil": "buffer"}, {"spoil": "Booleans"}, {"spoil": "float32"}):
        asked = plan(LINE, horizon=15, env_kwargs=world)
        wanted, got = Tally(), Tally()
        table = run_scenarios(asked, line_behaviour, 0, 50, tally=wanted)
        again = run_tensor_scenarios(asked, line_behaviour, 0, 50, device="cpu", tally=got)
        require_equal(again, table)
        assert got.signals == wanted.signals


def test_seeds_are_those_drawn_from_the_generators() -> None:
    states = seeded(7, 0, np.arange(3000))[0]
    found = first_integers(states)
    assert found.tolist() == [int(generator_of(one).integers(2**31)) for one in states]


def test_a_stream_counts_as_the_whole_does(base) -> None:
    behaviour, seen = BaseBehaviour(base), []
    totals, whole, tally = OutcomeTotals(25), OutcomeTotals(25), Tally()
    stream = stream_tensor_scenarios(
        plan(), behaviour, 50, device="cpu", chunk=12, progress=seen.append
    )
    for outcomes, counted in stream:
        totals.add(outcomes)
        tally.add(counted)
    tally.require_complete(50)
    whole.add(run_scenarios(plan(), behaviour, 0, 50))
    assert totals.digest == whole.digest
    assert seen == [12, 12, 12, 12, 2]


def test_a_horizon_beyond_the_environments_own_is_told(line_behaviour) -> None:
    asked = plan(LINE, horizon=15, env_kwargs={"drift": 0.0}, property="G !hazard & F goal")
    table = run_tensor_scenarios(asked, line_behaviour, 0, 30, device="cpu")
    assert (table.length <= 15).all()
    gymnasium.spec(LINE)  # it has one

    class Short(running.TensorScenarios):
        def __init__(self, slots: int, env_id: str, kwargs: Any, horizon: int) -> None:
            super().__init__(slots, env_id, kwargs, 3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "TensorScenarios", Short)
        with pytest.raises(ScenarioAborted, match=r"was cut off by .* after 3 of 15 steps"):
            run_tensor_scenarios(asked, line_behaviour, 0, 30, device="cpu")
        patch.setattr(judging, "_on_host", judging._on_device)
        with pytest.raises(ScenarioAborted, match=r"was cut off by .* after 3 of 15 steps"):
            run_tensor_scenarios(asked, line_behaviour, 0, 30, device="cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("NaN signal", r"scenario 1, step 2: signal 'hazard' is NaN"),
        ("infinite observation", r"scenario 2, step 2: the observation is inf at entry 1"),
        ("NaN reward", r"scenario 0, step 1: the reward is nan"),
        ("raises", "no such world"),
        ("observation dtype", "observation has dtype float16"),
    ],
)
def test_what_an_environment_does_wrong_is_named(line_behaviour, spoil: str, message: str) -> None:
    asked = plan(LINE, horizon=15, env_kwargs={"spoil": spoil})
    with pytest.raises(EnvironmentFault, match=message):
        run_tensor_scenarios(asked, line_behaviour, 0, 20, device="cpu")


def test_other_sizes_and_signals_are_refused(line_behaviour, base) -> None:
    with pytest.raises(UserError, match="needs the signal 'fire'"):
        run_tensor_scenarios(plan(LINE, property="G !fire"), line_behaviour, 0, 5, device="cpu")
    with pytest.raises(UserError, match="observations of 44 entries, the policy expects 2"):
        run_tensor_scenarios(plan(), line_behaviour, 0, 5, device="cpu")


def test_what_has_no_form_on_tensors_is_told_before(base) -> None:
    assert can_run(plan(), BaseBehaviour(base))
    assert not can_run(plan(copies=1), BaseBehaviour(base))
    assert not can_run(plan("CartPole-v1"), BaseBehaviour(base))

    class Own(BaseBehaviour):
        """Somebody's own."""

    assert not can_run(plan(), Own(base))
    with pytest.raises(ValueError, match="Own cannot run on tensors"):
        run_tensor_scenarios(plan(), Own(base), 0, 5, device="cpu")


# What a GPU does, on the CPU's tensors.


def test_judging_on_a_device_gives_the_same_columns(base, line_behaviour, monkeypatch) -> None:
    cases = [(plan(), BaseBehaviour(base)), (plan(LINE, horizon=15), line_behaviour)]
    for asked, behaviour in cases:
        wanted, got = Tally(), Tally()
        table = run_scenarios(asked, behaviour, 0, 70, tally=wanted)
        with monkeypatch.context() as patch:
            patch.setattr(judging, "_on_host", judging._on_device)
            again = run_tensor_scenarios(asked, behaviour, 0, 70, device="cpu", slots=32, tally=got)
        require_equal(again, table)
        assert got == wanted
        assert got.signals == wanted.signals


def test_blocks_of_another_size_agree_but_for_last_bits(base, monkeypatch) -> None:
    monkeypatch.setattr("sport_ray.policies.on_device.BLOCK", 96)
    policy = DevicePolicy(base, torch.device("cpu"))
    policy._blocks = _Blocks(base, torch.device("cpu"))
    seen = torch.randn(200, 44, dtype=torch.float64)
    found = policy.distribution(seen)
    expected = base.distribution(seen.numpy())
    assert found.agrees(expected, expected).all()
    same = (found.parameters == expected.parameters).float().mean()
    assert same > 0.99  # a GPU's numbers: docs/gpu.md
    alone = policy.distribution(seen[17:19])
    assert torch.equal(alone.parameters, found.parameters[17:19])
    seen[3, 2] = torch.inf
    with pytest.raises(UserError, match="observation 3 is inf at entry 2"):
        policy.distribution(seen)


def test_an_iterator_ahead_hands_on_items_and_errors() -> None:
    closed = threading.Event()

    def items(broken: bool) -> Generator[int, None, None]:
        try:
            yield from range(3)
            if broken:
                raise UserError("the fourth")
        finally:
            closed.set()

    assert list(ahead(items(False))) == [0, 1, 2]
    broken, taken = ahead(items(True)), []
    with pytest.raises(UserError, match="the fourth"):
        taken.extend(next(broken) for _ in range(4))
    closed.clear()
    early = ahead(items(False))
    assert next(early) == 0
    early.close()
    assert closed.is_set()
