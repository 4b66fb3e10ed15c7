"""From two policies to a switch: hand-over rollouts, a monitor, then its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sport_ray.comparators.simplex.behaviour import SwitchBehaviour
from sport_ray.comparators.simplex.hand_over import hand_overs
from sport_ray.comparators.simplex.monitor import MonitorOptions, learned_monitor
from sport_ray.comparators.simplex.switch import Switch
from sport_ray.comparators.simplex.threshold import Choice, loosest
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios


class Made(NamedTuple):
    """A switch and what it took.

    loss: of the monitor, nats, where nothing was learned from. learned, tested: rollouts and
    violations among them, before the choice of a threshold and for it. env_steps: of all.
    """

    switch: Switch
    loss: float
    choice: Choice
    learned: tuple[int, int]
    tested: tuple[int, int]
    env_steps: int


def make_switch(
    plan: ScenarioPlan,
    base: PolicyNetwork,
    task: PolicyNetwork,
    *,
    rollouts: int,
    options: MonitorOptions,
    resume: float,
    thresholds: Sequence[float],
    episodes: int,
    aim: float,
    beta: float,
    seed: int,
) -> Made:
    """A switch whose risk aims at ``aim``; a function of the arguments alone.

    Scenarios 0 … rollouts − 1 of the plan hand over; the next ``episodes``, the same for every
    threshold, are the switch's. resume, thresholds: see ``Switch``; beta: see ``loosest``.

    Raises:
        UserError: too few rollouts.
        ArithmeticError: a monitor that diverged.
    """
    frozen, horizon = FrozenPolicy(base), plan.horizon
    with one_thread():
        given = hand_overs(plan, frozen, FrozenPolicy(task), rollouts)
    monitor, loss = learned_monitor(given, horizon, options, seed)
    env_steps = given.env_steps

    def violations(threshold: float) -> int:
        nonlocal env_steps
        behaviour = SwitchBehaviour(frozen, Switch(task, monitor, horizon, threshold, resume))
        with one_thread():
            outcomes = run_scenarios(plan, behaviour, rollouts, episodes)
        env_steps += int(outcomes.length.sum())
        return outcomes.num_violations(horizon)

    choice = loosest(violations, thresholds, episodes, aim, beta)
    return Made(
        switch=Switch(task, monitor, horizon, choice.threshold, resume),
        loss=loss,
        choice=choice,
        learned=(given.episodes, given.violations),
        tested=(choice.tried * episodes, choice.all_violations),
        env_steps=env_steps,
    )
