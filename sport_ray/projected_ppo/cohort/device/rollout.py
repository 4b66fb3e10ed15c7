"""The wall steps of all copies of all cells, in lockstep, and what is counted on the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sport_ray.envs.vector_stepping import training_seeds
from sport_ray.families.gaussian.distribution import Gaussian
from sport_ray.policies.on_device import DeviceMapping
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.acting import Policies
from sport_ray.projected_ppo.cohort.device.graphs import Captured
from sport_ray.projected_ppo.cohort.device.plan import Plan
from sport_ray.properties.on_device import DeviceMonitors
from sport_ray.random_streams import seed_sequence
from sport_ray.tensors.environment import TensorEnvironment


class Record:
    """One iteration's steps on the device, (T, K·n, …).

    laws: (T, N, 6D) float32, as :class:`Laws` names them; observation and after, what was seen
    before and after each step, never that of a reset; ends: 0, 1 terminated, 2 truncated.
    """

    def __init__(
        self, plan: Plan, slots: int, observations: int, actions: int, device: torch.device
    ) -> None:
        def room(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros((plan.steps, slots, *shape), dtype=dtype, device=device)

        self.observation, self.after = room(observations), room(observations)
        self.action, self.laws = room(actions), room(6 * actions)
        self.reward = room(dtype=torch.float64)
        self.ends = room(dtype=torch.int8)


class Rollout:
    """Steps K cells of n copies; an episode that ends is followed by the next in the same step.

    Slot k·n + i is copy i of cell k. Its first episode has the copy's own training seed s, its
    e-th the seed that :func:`episode_seeds` makes of s and e, whatever other slots do.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        policies: Policies,
        environment: TensorEnvironment,
        noise: Tensor,
        device: torch.device,
    ) -> None:
        self._plan, self._policies, self._environment = plan, policies, environment
        self._noise = noise
        spec = policies.spec
        self._mapping = DeviceMapping(spec.action_mapping, device)
        self._dtype: torch.dtype = getattr(torch, str(environment.action_space.dtype))
        self._cells, slots = len(cells), len(cells) * plan.copies
        self.record = Record(plan, slots, spec.observation_size, spec.action_size, device)

        def zeros(dtype: torch.dtype, *shape: int) -> Tensor:
            return torch.zeros((slots, *shape), dtype=dtype, device=device)

        self._observation = zeros(torch.float32, spec.observation_size)
        self._given = zeros(torch.float64, spec.action_size)
        self._time = torch.zeros(1, dtype=torch.int64, device=device)
        self._length, self._return = zeros(torch.int64), zeros(torch.float64)
        self._violated = zeros(torch.bool)
        self._episode = zeros(torch.int64)
        self._seeds = torch.tensor(_slot_seeds(cells, plan), dtype=torch.int64, device=device)
        cost = getattr(environment, "cost_signal", None)
        self._cost = None if cost is None else environment.signal_names.index(cost)
        formula, names = plan.ends_when_violated, environment.signal_names
        self._monitors = (
            None if formula is None else DeviceMonitors(formula, slots, names, plan.env_id, device)
        )
        self._judging: DeviceMonitors | None = None
        if plan.judged is not None:
            self._judging = DeviceMonitors(plan.judged[0], slots, names, plan.env_id, device)
        self.finished = torch.zeros((len(cells), 4), dtype=torch.float64, device=device)
        """Of each cell in this iteration: episodes, their steps, their return, violations."""
        # An environment that draws nothing never waits for the host, so it can be captured.
        self._still = bool(getattr(environment, "draws_nothing", False))
        self._captured = Captured(self._step if self._still else self._act, device)
        self._begin()

    @property
    def tells_violations(self) -> bool:
        """Whether violations are judged, named as a signal of cost, or what ends episodes."""
        return any(one is not None for one in (self._judging, self._cost, self._monitors))

    def sample(self) -> None:
        """One iteration: every copy takes T steps."""
        self._time.zero_()
        self.finished.zero_()
        for _ in range(self._plan.steps):
            self._captured()
            if not self._still:
                self._move()

    def _begin(self) -> None:
        everyone = torch.ones_like(self._violated)
        observation, signals = self._environment.reset(everyone, self._seeds)
        self._observation.copy_(observation)
        self._violated.copy_(self._inside(signals))
        for monitors in (self._monitors, self._judging):
            if monitors is not None:
                monitors.begin(everyone, signals)
        self.starting = self._per_cell(self._violated.double())
        """Violations at the very first states, counted with the first iteration."""

    def _step(self) -> None:
        self._act()
        self._move()

    def _act(self) -> None:
        """Draw the actions of this step from the projected policies."""
        plan, time = self._plan, self._time
        observation = self._observation
        laws = self._policies.laws(observation.view(self._cells, plan.copies, -1))
        noise = self._noise.flatten(1, 2).index_select(0, time)[0]
        action = Gaussian(laws.mean, laws.std).sample_tensor(noise).float()
        record = self.record
        record.observation.index_copy_(0, time, observation[None])
        record.action.index_copy_(0, time, action[None])
        record.laws.index_copy_(0, time, torch.cat(laws, dim=1)[None])
        # A cell with an action that is not finite has failed, and its robots go on with nothing.
        given = self._mapping(action)
        self._given.copy_(torch.nan_to_num(given, nan=0.0, posinf=0.0, neginf=0.0))

    def _move(self) -> None:
        """Step the environment, begin anew what ended, and count."""
        environment, record, time = self._environment, self.record, self._time
        step = environment.step(self._given.to(self._dtype))
        reward = step.reward.double()
        after = step.observation.float()
        self._length += 1
        self._return += reward
        terminated, truncated = step.terminated, step.truncated
        if self._plan.cut_after is not None:
            truncated = truncated | (self._length >= self._plan.cut_after)
        violated = None if self._monitors is None else self._monitors.read(step.signals)
        if violated is not None:
            terminated, truncated = terminated | violated, truncated & ~violated
        over = terminated | truncated
        record.after.index_copy_(0, time, after[None])
        record.reward.index_copy_(0, time, reward[None])
        ends = torch.where(terminated, 1, torch.where(truncated, 2, 0))
        record.ends.index_copy_(0, time, ends.to(torch.int8)[None])
        # Signals are read before the reset, which may write on.
        inside = self._inside(step.signals)
        if self._judging is not None:
            inside = self._judged(self._judging, step.signals, over)
        elif self._cost is None and violated is not None:
            inside = violated
        entered = inside & ~self._violated
        self._episode += over
        seeds = self._seeds if self._still else episode_seeds(self._seeds, self._episode)
        observation, signals = environment.reset(over, seeds)
        for monitors in (self._monitors, self._judging):
            if monitors is not None:
                monitors.begin(over, signals)
        fresh = over & self._inside(signals)
        told = torch.stack(
            [
                over.double(),
                torch.where(over, self._length, 0).double(),
                torch.where(over, self._return, 0.0),
                entered.double() + fresh.double(),
            ],
            dim=1,
        )
        self.finished += self._per_cell(told)
        self._violated.copy_(torch.where(over, fresh, self._violated | entered))
        self._length.masked_fill_(over, 0)
        self._return.masked_fill_(over, 0.0)
        self._observation.copy_(torch.where(over[:, None], observation.float(), after))
        self._time += 1

    def _judged(self, monitors: DeviceMonitors, signals: Tensor, over: Tensor) -> Tensor:
        """Which copies' episodes are found violated with this step, as ``judging.Verdicts``."""
        assert self._plan.judged is not None
        horizon = self._plan.judged[1]
        lost = monitors.read(signals)
        lost = torch.where(over | (self._length >= horizon), ~monitors.accepts(), lost)
        return lost & (self._length <= horizon)

    def _inside(self, signals: Tensor) -> Tensor:
        if self._cost is None or self._judging is not None:
            return torch.zeros_like(self._violated)
        held = signals[:, self._cost]
        return held if held.dtype == torch.bool else held >= 0.0

    def _per_cell(self, values: Tensor) -> Tensor:
        return values.view(self._cells, self._plan.copies, *values.shape[1:]).sum(1)


def episode_seeds(seeds: Tensor, episode: Tensor) -> Tensor:
    """Seeds (N,) of the e-th episodes of slots that began with ``seeds``; e ≥ 1, below 2³¹.

    SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) of the slot's seed, e steps on: no slot draws from
    what another has left over, and nothing is remembered.
    """
    z = (seeds << 31) + episode * -7046029254386353131
    z = (z ^ _right(z, 30)) * -4658895280553007687
    z = (z ^ _right(z, 27)) * -7723592293110705685
    z = z ^ _right(z, 31)
    return _right(z, 33)


def _right(z: Tensor, by: int) -> Tensor:
    """Shifted as 64 bits without a sign."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def _slot_seeds(cells: Sequence[Cell], plan: Plan) -> list[int]:
    found: list[int] = []
    for cell in cells:
        seed = cell.seed
        if seed is None:
            (fresh,) = seed_sequence(None, "training environments").generate_state(1)
            seed = int(fresh)
        found += training_seeds(seed + plan.runner, plan.copies)
    return found
