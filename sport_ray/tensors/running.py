"""Scenarios on a tensor environment: the table of ``run_scenarios``, made where the tensors are.

Scenario i draws its start and its action noise from the streams that it always has, so on a CPU
the table is the ordinary path's, to the bit. On a GPU sums, exponentials and the robot's step may
differ in last bits; what that does to a table is measured in docs/gpu.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from sport_ray.envs.flatten import require_same_observations
from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Array, Behaviour
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.seeding import ScenarioStreams, purpose_number
from sport_ray.rollouts.tally import Tally
from sport_ray.streams import as_numpy
from sport_ray.streams.device import DeviceStreams
from sport_ray.streams.kernels import first_integers, seeded
from sport_ray.tensors.acting import Acting, Laws, can_act
from sport_ray.tensors.ahead import ahead
from sport_ray.tensors.environment import TensorEnvironment, TensorStep
from sport_ray.tensors.judging import Portion, outcomes_of
from sport_ray.tensors.reading import require_starts, require_step
from sport_ray.tensors.registry import tensor_factory
from sport_ray.tensors.scenarios import TensorScenarios

if TYPE_CHECKING:
    from sport_ray.tensors.point_robot import PointRobot

PORTION = 2**19
"""Scenarios side by side on a GPU, where traces are short."""
_ON_CPU = 2**10
_TRACES = 2**28
"""Numbers of traces that are held at a time, 2 GB."""


def can_run(plan: ScenarioPlan, behaviour: Behaviour) -> bool:
    """Whether the scenarios can run on tensors, with the streams that they always have."""
    return (
        plan.copies is None
        and can_act(behaviour)
        and tensor_factory(plan.env_id) is not None
        and as_numpy()
    )


def portion_size(plan: ScenarioPlan, device: torch.device) -> int:
    """How many scenarios to run side by side."""
    most = _ON_CPU if device.type == "cpu" else PORTION
    return max(1, min(most, _TRACES // (8 * (plan.horizon + 1))))


def run_tensor_scenarios(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    first: int,
    count: int,
    *,
    device: str | torch.device,
    slots: int | None = None,
    tally: Tally | None = None,
) -> Outcomes:
    """Scenarios ``first`` … ``first + count − 1``, as ``run_scenarios`` has them.

    slots: scenarios side by side; the table does not depend on it.

    Raises:
        ValueError: a behaviour or numbers that this cannot run.
        what ``run_scenarios`` raises.
    """
    place = torch.device(device)
    size = min(count, slots or portion_size(plan, place))
    parts = _portions(plan, behaviour, first, count, place, size)
    with closing(parts):
        found = []
        for outcomes, counted in parts:
            found.append(outcomes)
            if tally is not None:
                tally.add(counted)
    return Outcomes.concatenate(found)


def stream_tensor_scenarios(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    *,
    device: str | torch.device,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    """Scenarios 0 … count − 1 in portions, in the order of their index, in bounded memory.

    The next portion runs while the last is looked at. chunk: their size; default as many as gain
    by it.

    Raises:
        what ``run_scenarios`` raises.
    """
    place = torch.device(device)
    size = min(count, chunk or portion_size(plan, place))
    with closing(ahead(_portions(plan, behaviour, 0, count, place, size))) as parts:
        for outcomes, counted in parts:
            if progress is not None:
                progress(outcomes.num_scenarios)
            yield outcomes, counted


def run_in_turn_on(
    parts: Sequence[tuple[ScenarioPlan, Sequence[int]]],
    behaviour: Behaviour,
    device: str | torch.device,
) -> Iterator[Outcomes]:
    """The row of each scenario, one after the other on one instance, which so grows old.

    parts: plans of one environment, each with its scenarios; one may come more than once.

    Raises:
        what ``run_tensor_scenarios`` raises.
    """
    with closing(TensorRunner(parts[0][0], behaviour, torch.device(device), 1)) as runner:
        for plan, scenarios in parts:
            for scenario in scenarios:
                yield runner.table(plan, scenario, 1, Tally())


def _portions(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    first: int,
    count: int,
    device: torch.device,
    slots: int,
) -> Generator[tuple[Outcomes, Tally], None, None]:
    if first < 0 or count < 1 or slots < 1:
        raise ValueError(
            f"first must be at least 0, count and slots at least 1, got {first}, {count}, {slots}"
        )
    with closing(TensorRunner(plan, behaviour, device, slots)) as runner:
        for start in range(first, first + count, slots):
            tally = Tally()
            yield runner.table(plan, start, min(slots, first + count - start), tally), tally


class TensorRunner:
    """An environment and a behaviour on a device, for one portion of scenarios after another.

    Raises:
        ValueError: a behaviour that this cannot run.
        UserError: an environment that cannot be made or does not fit the plan.
    """

    def __init__(
        self, plan: ScenarioPlan, behaviour: Behaviour, device: torch.device, slots: int
    ) -> None:
        if not can_run(plan, behaviour):
            raise ValueError(f"{plan.env_id} with {type(behaviour).__name__} cannot run on tensors")
        kwargs = {**plan.env_kwargs, "device": str(device)}
        limit = plan.environment_horizon or plan.horizon
        self._environment = TensorScenarios(slots, plan.env_id, kwargs, limit)
        try:
            plan.signal_columns(self._environment)
            behaviour.action_mapping.require_fits(plan.env_id, self._environment.action_space)
            require_same_observations(plan.env_id, behaviour.flattening, None)
            self._acting = Acting(behaviour, device)
        except BaseException:
            self.close()
            raise

    def table(self, plan: ScenarioPlan, first: int, count: int, tally: Tally) -> Outcomes:
        """Scenarios ``first`` … of a plan of this environment, one in each of ``count`` slots."""
        columns = plan.signal_columns(self._environment)
        run = _Run(plan, self._acting, self._environment, columns, first, count)
        outcomes = run.table(tally)
        tally.require_counts(count)
        return outcomes

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()


class _Run:
    """One portion: a scenario in each of the first m slots, until all have ended."""

    def __init__(
        self,
        plan: ScenarioPlan,
        acting: Acting,
        environment: TensorScenarios,
        columns: list[int],
        first: int,
        count: int,
    ) -> None:
        self.plan, self.acting, self.scenarios = plan, acting, environment
        self.environment: TensorEnvironment = environment.environment
        self.device = acting.device
        self.first, self.count = first, count
        self.columns = torch.tensor(columns, device=self.device)
        self.portion = Portion.empty(first, count, plan.horizon, len(columns), self.device)
        purpose = purpose_number(plan.purpose)
        self.streams = DeviceStreams(plan.root_seed, purpose, first, count, self.device)

    def table(self, tally: Tally) -> Outcomes:
        """Run to the end, and judge."""
        observation = self._start()
        tally.started += self.count
        behaviour = self.acting.behaviour
        state = behaviour.start(self.count)
        live = torch.arange(self.count, device=self.device)
        while len(live):
            observation, state, live = self._step(observation, state, live)
        return outcomes_of(self.plan, self.scenarios, self.portion, tally)

    def _start(self) -> Tensor:
        mask = torch.zeros(self.environment.num_slots, dtype=torch.bool, device=self.device)
        mask[: self.count] = True
        if self.plan.env_id == POINT_REACH_AVOID:  # the simulator draws from the streams themselves
            robots = cast("PointRobot", self.environment)
            started = require_starts(robots, robots.reset_from(mask, self._generators))
        else:
            seeds = self._seeds()
            started = self.scenarios.called(
                lambda: require_starts(self.environment, self.environment.reset(mask, seeds))
            )
        observation, signals = started
        expected = self.acting.behaviour.observation_size
        self.plan.require_observations(observation.shape[1], expected)
        if signals.dtype == torch.bool:
            self.scenarios.boolean_signals = frozenset(self.scenarios.signal_names)
        told = _floats(signals)[: self.count]
        self.portion.trace[0] = told.index_select(1, self.columns)
        self._require_right(None, 0, observation[: self.count], told, None)
        return observation[: self.count].double()

    def _generators(self) -> Sequence[np.random.Generator]:
        streams = ScenarioStreams(self.plan.root_seed, self.plan.purpose, self.count)
        slots = np.arange(self.count)
        streams.start(slots, slots + self.first)
        return streams.environment(slots)

    def _seeds(self) -> Tensor:
        purpose = purpose_number(self.plan.purpose)
        indices = np.arange(self.first, self.first + self.count)
        found = np.zeros(self.environment.num_slots, dtype=np.int64)
        found[: self.count] = first_integers(seeded(self.plan.root_seed, purpose, indices)[0])
        return torch.from_numpy(found).to(self.device)

    def _step(
        self, observation: Tensor, state: Array, live: Tensor
    ) -> tuple[Tensor, Array, Tensor]:
        """One step of the live scenarios (m,): their observations (m, O) and budgets after it."""
        acting, portion = self.acting, self.portion
        laws = acting.laws(observation, state)
        drawn = laws.chosen.sample_tensor(self.streams.normal(live, acting.noise_size))
        step = self._moved(live, acting.mapped(drawn))
        seen, told = step.observation[live], _floats(step.signals)[live]
        reward, over, stopped = step.reward[live], step.terminated[live], step.truncated[live]
        length = portion.length[live] + 1
        self._require_right(live, length, seen, told, reward)
        portion.length[live] = length
        portion.trace[length, live] = told.index_select(1, self.columns)
        portion.rewards[live] += reward
        state = acting.spend(state, laws, drawn)
        if not laws.is_base:
            self._count(laws, drawn, live)
        late = length >= self.plan.horizon
        ended = over | stopped | late
        portion.cut[live] = stopped & ~over & ~late
        left = torch.nonzero(~ended)[:, 0]
        if len(left) == len(live):
            return seen.double(), state, live
        # Without a budget nothing has to come to the host.
        state = state[left.cpu().numpy()] if state.shape[1] else state[: len(left)]
        return seen[left].double(), state, live[left]

    def _moved(self, live: Tensor, action: Tensor) -> TensorStep:
        """A step of the environment: with actions (m, A) in the live slots, 0 in the others."""
        space = self.environment.action_space
        dtype = torch.from_numpy(np.zeros(0, dtype=space.dtype)).dtype
        of_one = tuple(space.shape or ())
        if tuple(action.shape[1:]) != of_one:
            raise UserError(
                f"{self.plan.env_id} takes actions of shape {of_one}, the policy gives "
                f"{tuple(action.shape[1:])}"
            )
        shape = (self.environment.num_slots, *of_one)
        control = torch.zeros(shape, dtype=dtype, device=self.device)
        control[live] = action.to(dtype)
        step: TensorStep = self.scenarios.called(
            lambda: require_step(self.environment, self.environment.step(control))
        )
        return step

    def _count(self, laws: Laws, drawn: Tensor, live: Tensor) -> None:
        portion = self.portion
        sums = portion.sums[live] + laws.sums(drawn)
        portion.sums[live] = sums
        portion.furthest[live] = torch.maximum(portion.furthest[live], sums[:, 1])
        portion.largest[live] = torch.maximum(portion.largest[live], laws.max_log_ratio)

    def _require_right(
        self,
        live: Tensor | None,
        length: Tensor | int,
        observation: Tensor,
        signals: Tensor,
        reward: Tensor | None,
    ) -> None:
        """Refuse numbers that are not as they must be: ``tensors.reading.what_is_wrong``."""
        good = torch.isfinite(observation.float()).all(-1) & ~torch.isnan(signals).any(-1)
        if reward is not None:
            good = good & torch.isfinite(reward)
        if bool(good.all()):
            return
        row = int((~good).int().argmax())
        slot = row if live is None else int(live[row])
        steps = length if isinstance(length, int) else int(length[row])
        given = None if reward is None else reward[row : row + 1]
        self.scenarios.refuse(
            self.first + slot, steps, observation[row : row + 1], signals[row : row + 1], given
        )


def _floats(signals: Tensor) -> Tensor:
    """In float64; Booleans are +1 and −1, as everywhere."""
    if signals.dtype == torch.bool:
        return signals.double() * 2.0 - 1.0
    return signals.double()
