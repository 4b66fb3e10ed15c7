"""Point robots of K cells in one simulator: the numbers of each cell's own vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.envs.faults import EnvironmentFault
from sport_ray.envs.layouts import robot_generator
from sport_ray.envs.registration import ENV_ID
from sport_ray.envs.settings import RobotSettings
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.envs.vector_stepping import training_seeds
from sport_ray.policies.actions import ActionMapping
from sport_ray.projected_ppo.cohort.budgets import Budgets
from sport_ray.projected_ppo.cohort.protocol import Cells, CohortStep, Errors
from sport_ray.projected_ppo.environment import AnyVectorEnv
from sport_ray.projected_ppo.judging import Verdicts
from sport_ray.properties.monitor import Monitors


class CohortOfRobots:
    """K·n slots of one simulator, stepped in a few calls whatever K."""

    def __init__(
        self,
        settings: RobotSettings,
        mapping: ActionMapping,
        constraints: Sequence[Constraint],
        copies: int,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        ends_when_violated: str | None = None,
        judged: tuple[str, int] | None = None,
    ) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self._mapping, self._copies, count = mapping, copies, len(constraints)
        self._simulator = PointReachAvoidSimulator(count * copies, **asdict(settings))
        self._budgets = Budgets(constraints, copies) if constraints[0].state_size else None
        self._slots = np.arange(count * copies).reshape(count, copies)
        self._generators = [robot_generator(None)] * (count * copies)
        self._over = np.zeros((count, copies), dtype=np.bool_)
        self._violated = np.zeros((count, copies), dtype=np.bool_)
        self._violations: list[int | None] = [None] * count
        self._monitors: Monitors | None = None
        if ends_when_violated is not None:
            names = self._simulator.signal_names
            self._monitors = Monitors(ends_when_violated, self._slots.size, names, ENV_ID)
        self._verdicts: Verdicts | None = None
        if judged is not None:
            names = self._simulator.signal_names
            self._verdicts = Verdicts(*judged, self._slots.size, names, ENV_ID)

    @classmethod
    def of(cls, made: AnyVectorEnv, contexts: Sequence[Mapping[str, Any]]) -> Self | None:
        """Of what ``TrainingEnvironment`` made for the first cell; None where it is no robots'."""
        inner = made.unwrapped
        cut = any(context.get("cut_after") is not None for context in contexts)
        if type(inner) is not PointReachAvoidVectorEnv or inner.render_mode is not None or cut:
            return None
        assert isinstance(made.single_observation_space, spaces.Box)
        assert isinstance(made.single_action_space, spaces.Box)
        return cls(
            inner.simulator.settings,
            ActionMapping.from_json(contexts[0]),
            [constraint_from_json(one["constraint"], run_module=True) for one in contexts],
            made.num_envs,
            made.single_observation_space,
            made.single_action_space,
            contexts[0].get("ends_when_violated"),
            contexts[0].get("judged"),
        )

    def reset(self, seeds: Sequence[int | None]) -> tuple[NDArray[np.floating], Errors]:
        """Start all cells, each copy from a seed of its own."""
        generators: list[np.random.Generator] = []
        for seed in seeds:
            own = [None] * self._copies if seed is None else training_seeds(seed, self._copies)
            generators += [robot_generator(one) for one in own]
        self._generators = generators
        observation, signals = self._simulator.reset(self._slots.ravel(), generators)
        if self._monitors is not None:
            self._monitors.begin(self._slots.ravel(), signals)
        if self._verdicts is not None:
            self._verdicts.begin(self._slots.ravel(), signals)
        self._over[:] = False
        self._violated[:] = False
        cells = np.arange(len(seeds))
        if self._budgets is not None:
            self._budgets.restart(cells, np.ones_like(self._over))
        return self._seen(cells, observation), {}

    def step(self, cells: Cells, actions: NDArray[np.floating]) -> CohortStep:
        """Step some cells: those of their copies that run, while the others start anew."""
        over = self._over[cells]
        errors: Errors = {}
        if self._budgets is not None:
            errors = self._budgets.spend(cells, ~over, actions[..., -1])
            self._budgets.restart(cells, over)
            actions = actions[..., :-1].astype(np.float32)
        control = self._mapping(actions)
        if not np.isfinite(control).all():
            for row in np.flatnonzero(~np.isfinite(control).all(axis=(1, 2))).tolist():
                errors[int(cells[row])] = EnvironmentFault(
                    f"the robots were given the actions {control[row].tolist()}: they must be "
                    "finite numbers"
                )
            control = np.nan_to_num(control, nan=0.0, posinf=0.0, neginf=0.0)
        slots = self._slots[cells]
        reward = np.zeros(over.shape)
        terminated, truncated = np.zeros_like(over), np.zeros_like(over)
        if not over.any():
            flat = slots.ravel()
            run = self._simulator.step(flat, control.reshape(len(flat), -1))
            observation, signals, reward = run.obs, run.signals, run.reward.reshape(over.shape)
            terminated = run.terminated.reshape(over.shape)
            truncated = run.truncated.reshape(over.shape)
        else:
            going, fresh = slots[~over], slots[over]
            run = self._simulator.step(going, control[~over])
            started = self._simulator.reset(fresh, [self._generators[one] for one in fresh])
            observation = np.empty((*over.shape, run.obs.shape[1]))
            signals = np.empty((*over.shape, 2))
            observation[~over], observation[over] = run.obs, started[0]
            signals[~over], signals[over] = run.signals, started[1]
            reward[~over] = run.reward
            terminated[~over], truncated[~over] = run.terminated, run.truncated
        signals = signals.reshape(*over.shape, 2)
        if self._monitors is not None:
            violated = np.zeros_like(over)
            violated[~over] = self._monitors.read(slots[~over], signals[~over])
            self._monitors.begin(slots[over], signals[over])
            terminated, truncated = terminated | violated, truncated & ~violated
        violating = signals[..., 0] >= 0.0
        if self._verdicts is not None:
            ended = (terminated | truncated)[~over]
            violating = np.zeros_like(over)
            violating[~over] = self._verdicts.read(slots[~over], signals[~over], ended)
            self._verdicts.begin(slots[over], signals[over])
        self._over[cells] = terminated | truncated
        entered = self._count(cells, violating)
        seen = self._seen(cells, observation)
        return CohortStep(seen, reward, terminated, truncated, entered, errors)

    def _count(self, cells: Cells, violating: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Episodes with a violation, as ``CountingViolations`` counts them; those that are new."""
        entered = violating & ~self._violated[cells]
        for cell, new in zip(cells.tolist(), entered.sum(axis=1).tolist(), strict=True):
            self._violations[cell] = (self._violations[cell] or 0) + new
        self._violated[cells] = (self._violated[cells] | entered) & ~self._over[cells]
        return entered

    def _seen(self, cells: Cells, observation: NDArray[np.floating]) -> NDArray[np.floating]:
        observation = observation.reshape(len(cells), self._copies, -1)
        if self._budgets is None:
            return observation
        return np.concatenate([observation, self._budgets.features(cells)], axis=2)

    def take_violations(self) -> list[int | None]:
        """Each cell's episodes with a violation since the last call."""
        found = self._violations
        self._violations = [None if one is None else 0 for one in found]
        return found

    def close(self) -> None:
        """Nothing is held."""
