"""Run scenarios: every planned one from its own seed to its own end, many side by side."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sport_ray.envs.flatten import require_same_observations
from sport_ray.errors import UserError
from sport_ray.properties import parse_property
from sport_ray.properties.propositions import require_given
from sport_ray.rollouts.behaviour import Behaviour, Step
from sport_ray.rollouts.environment import (
    make_scenario_environment,
    usual_slots,
)
from sport_ray.rollouts.judging import Finished, Judge
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.seeding import Purpose, ScenarioStreams
from sport_ray.rollouts.slots import ScenarioEnvironment
from sport_ray.rollouts.tally import Tally


class ScenarioPlan(BaseModel):
    """What scenarios are: all that their outcomes depend on, beside the behaviour.

    A scenario is cut after ``horizon`` steps. The environment is made for ``environment_horizon``
    steps (None: for as many) and never learns of the cut: a policy that is judged at T meets the
    world that its base was certified in at T_max. ``copies`` limits how many of the environment
    exist at a time over all processes, ``copies_per_process`` how many in one; nothing depends on
    them, so they are in no dump.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env_id: str
    env_kwargs: dict[str, Any] = Field(default_factory=dict)
    property: str
    horizon: int = Field(ge=1)
    root_seed: int = Field(ge=0)
    purpose: Purpose
    environment_horizon: int | None = Field(default=None, ge=1)
    copies: int | None = Field(default=None, ge=1, exclude=True)
    copies_per_process: int | None = Field(default=None, ge=1, exclude=True)

    @model_validator(mode="after")
    def _cut_within_the_environment(self) -> ScenarioPlan:
        if self.environment_horizon is not None and self.environment_horizon < self.horizon:
            raise ValueError(
                f"environment_horizon {self.environment_horizon} lies below the horizon "
                f"{self.horizon}"
            )
        return self

    def slots(self, count: int, most: int | None = None) -> int:
        """How many of so many scenarios run side by side in one process.

        most: default :func:`usual_slots`.
        """
        usual = usual_slots(self.env_id, self.horizon) if most is None else most
        return min(usual, count, self.copies or usual, self.copies_per_process or usual)

    def environment(self, num_slots: int) -> ScenarioEnvironment:
        """The environment with the limit that is planned, in slots."""
        limit = self.environment_horizon or self.horizon
        return make_scenario_environment(self.env_id, self.env_kwargs, limit, num_slots)

    def signal_columns(self, environment: ScenarioEnvironment) -> list[int]:
        """Which of the environment's signals are the property's, in the property's order.

        Raises:
            UserError: a signal that the property needs and the environment lacks.
        """
        given, needed = environment.signal_names, parse_property(self.property).signal_names
        require_given(self.property, needed, given, self.env_id)
        return [given.index(name) for name in needed]

    def require_observations(self, given: int, expected: int) -> None:
        """Refuse observations of another size than the policy expects.

        Raises:
            UserError: naming both.
        """
        if given != expected:
            raise UserError(
                f"{self.env_id} gives observations of {given} entries, the policy expects "
                f"{expected}"
            )


Observer = Callable[
    [NDArray[np.int64], NDArray[np.int64], Step | None, NDArray[np.float64] | None], None
]
"""Called in every state with (scenario indices, step numbers, the distributions there, poses); in
the last state of a scenario, where nothing is sampled any more, the distributions are None."""


Recorder = Callable[
    [
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ],
    None,
]
"""Called after every step with (scenario indices, step numbers from 0, observations before it
(m, O), actions before the action mapping (m, D), rewards)."""


Ended = Callable[[NDArray[np.int64], NDArray[np.float64]], None]
"""Called where scenarios end with (scenario indices, the behaviour's states there)."""


def run_scenarios(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    first: int,
    count: int,
    *,
    slots: int | None = None,
    observer: Observer | None = None,
    on_end: Ended | None = None,
    recorder: Recorder | None = None,
    tally: Tally | None = None,
    environment: ScenarioEnvironment | None = None,
) -> Outcomes:
    """Run scenarios ``first`` … ``first + count − 1`` to their ends and judge each.

    A freed slot takes the next planned scenario, so nothing is decided by which episode ends
    first: all that start finish and all that are planned start. Scenario i draws its layout and
    its action noise from its own streams, and neither the environment nor the policies mix
    rows, so the table does not depend on ``slots`` or on how scenarios are split over calls.
    ``tally`` counts starts and ends as they happen, and keeps what the signals were like.
    ``environment``: one of the plan's that has lived already, instead of a new one; it stays open.

    Raises:
        ValueError: ``first`` below 0, or ``count`` or ``slots`` below 1.
        UserError: signals that the property needs and the environment lacks; observations that
            are not finite.
        ScenarioAborted: an environment that cuts an episode off before the horizon while its
            verdict is still open (a time limit of its own).
    """
    for name, value, least in (("first", first, 0), ("count", count, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    return run_chosen(
        plan,
        behaviour,
        np.arange(first, first + count),
        slots=slots,
        observer=observer,
        on_end=on_end,
        recorder=recorder,
        tally=tally,
        environment=environment,
    )


def run_chosen(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    scenarios: NDArray[np.int64],
    *,
    slots: int | None = None,
    observer: Observer | None = None,
    on_end: Ended | None = None,
    recorder: Recorder | None = None,
    tally: Tally | None = None,
    environment: ScenarioEnvironment | None = None,
) -> Outcomes:
    """As :func:`run_scenarios`, scenarios of these numbers (n,); the table is sorted by them.

    Raises:
        ValueError: no number, one that is negative or occurs twice; ``slots`` below 1.
        what ``run_scenarios`` raises.
    """
    scenarios = np.asarray(scenarios, dtype=np.int64)
    if scenarios.ndim != 1 or not scenarios.size or scenarios.min() < 0:
        raise ValueError("scenarios must be given by at least one number, none below 0")
    if np.unique(scenarios).size < scenarios.size:
        raise ValueError("scenarios hold a number twice: each counts once")
    if slots is not None and slots < 1:
        raise ValueError(f"slots must be at least 1, got {slots}")
    slots = plan.slots(len(scenarios), slots)
    given = scenarios, slots, observer, on_end, recorder, tally
    if environment is not None:
        return _run(plan, behaviour, environment, *given)
    with closing(plan.environment(slots)) as made:
        return _run(plan, behaviour, made, *given)


def _run(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    environment: ScenarioEnvironment,
    scenarios: NDArray[np.int64],
    slots: int,
    observer: Observer | None,
    on_end: Ended | None,
    recorder: Recorder | None,
    tally: Tally | None,
) -> Outcomes:
    columns = plan.signal_columns(environment)
    mapping = behaviour.action_mapping
    mapping.require_fits(plan.env_id, environment.action_space)
    require_same_observations(plan.env_id, behaviour.flattening, environment.flattening)

    scenario = np.full(slots, -1, dtype=np.int64)
    step = np.zeros(slots, dtype=np.int64)
    streams = ScenarioStreams(plan.root_seed, plan.purpose, slots)
    trace = np.full((slots, plan.horizon + 1, len(columns)), np.nan)
    sums = np.zeros((slots, 5))
    largest = np.zeros(slots)
    furthest = np.zeros(slots)
    state = behaviour.start(slots)
    observation = np.empty((slots, behaviour.observation_size))
    rewards = np.zeros(slots)
    counted = Tally()
    judge = Judge(plan.property, plan.horizon, plan.env_id, environment, slots, counted)
    upcoming = 0

    def start(free: NDArray[np.int64]) -> None:
        nonlocal upcoming
        chosen = free[: len(scenarios) - upcoming]
        if not chosen.size:
            return
        scenario[chosen] = scenarios[upcoming : upcoming + chosen.size]
        upcoming += chosen.size
        streams.start(chosen, scenario[chosen])
        start_observation, signals = environment.reset(
            chosen, streams.environment(chosen), scenario[chosen].tolist()
        )
        plan.require_observations(start_observation.shape[1], observation.shape[1])
        observation[chosen] = start_observation
        trace[chosen, 0] = signals[:, columns]
        step[chosen] = 0
        sums[chosen] = 0.0
        largest[chosen] = 0.0
        furthest[chosen] = 0.0
        state[chosen] = behaviour.start(chosen.size)
        rewards[chosen] = 0.0
        counted.started += chosen.size

    def finish(done: NDArray[np.int64], cut: NDArray[np.bool_]) -> None:
        judge.add(
            Finished(
                index=scenario[done],
                length=step[done],
                trace=trace[done],
                cut=cut,
                rewards=rewards[done],
                sums=sums[done],
                largest=largest[done],
                furthest=furthest[done],
            )
        )
        if on_end is not None:
            on_end(scenario[done], state[done])
        scenario[done] = -1

    start(np.arange(slots))
    while (live := np.flatnonzero(scenario >= 0)).size:
        seen = observation[live]
        draws = behaviour.draw(seen, streams.actions(live))
        laws = behaviour.step(seen, state[live], draws, step[live])
        if observer is not None:
            observer(scenario[live], step[live], laws, environment.poses(live))
        drawn = laws.chosen.sample(draws.noise)
        action = laws.played(drawn)
        transition = environment.step(live, mapping(action))
        if recorder is not None:
            recorder(scenario[live], step[live], seen, action, transition.reward)
        step[live] += 1
        observation[live] = transition.observation
        trace[live, step[live]] = transition.signals[:, columns]
        rewards[live] += transition.reward
        state[live] = behaviour.spend(state[live], laws, drawn)
        if not laws.is_base:
            sums[live] += _step_sums(laws, drawn)
            furthest[live] = np.maximum(furthest[live], sums[live, 1])
            largest[live] = np.maximum(largest[live], laws.max_log_ratio)
        late = step[live] >= plan.horizon
        ended = transition.terminated | transition.truncated | late
        if ended.any():
            done = live[ended]
            if observer is not None:
                observer(scenario[done], step[done], None, environment.poses(done))
            finish(done, ~transition.terminated[ended] & ~late[ended])
            start(done)
    outcomes = judge.outcomes()
    counted.require_counts(len(scenarios))
    if tally is not None:
        tally.add(counted)
    return outcomes


def _step_sums(laws: Step, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per-step quantities (n, 5): log ratio, realised log ratio, projected, KL base, KL task."""
    return np.stack(
        [
            laws.max_log_ratio,
            laws.chosen.log_ratio(laws.base, drawn),
            laws.projected.astype(np.float64),
            laws.chosen.kl(laws.base).numpy(),
            laws.chosen.kl(laws.task).numpy(),
        ],
        axis=1,
    )
