"""The wall steps of K cells side by side, until each has taken as many steps as it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.families import Distribution
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.projected_ppo.acting import Actors
from sport_ray.projected_ppo.array_runner import _finite_observations, _finite_rewards
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.noise import NoiseAhead
from sport_ray.projected_ppo.cohort.projection import Projection
from sport_ray.projected_ppo.cohort.protocol import Cells, CohortEnvironment, Errors
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.streams import noise_generator


@dataclass
class CohortSample:
    """What one call sampled, by cell: a fragment, or None of a cell that takes no part any more."""

    fragments: list[Fragment | None]
    finished: list[list[tuple[int, float]]]
    """Steps and return of the episodes that ended."""
    violations: list[int | None]
    """Episodes with a violation; None where the environment tells none."""
    errors: Errors = field(default_factory=dict)
    """What ended cells."""

    def __len__(self) -> int:
        """Steps taken, of all cells."""
        return sum(len(one) for one in self.fragments if one is not None)


class Rollout:
    """Samples from the projected policies of K cells in their environments.

    As the single algorithm's runner does for one: the same steps from the same seeds. A cell that
    has enough is neither stepped nor drawn for until the slowest has, too.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        base: FrozenPolicy | None,
        actors: Actors,
        environment: CohortEnvironment,
        copies: int,
        runner: int,
    ) -> None:
        spec = actors.spec
        constraints = [cell.constraint for cell in cells]
        self._constrained = np.array([not isinstance(c, Unconstrained) for c in constraints])
        self.base = base if self._constrained.any() else None
        self.actors, self.environment = actors, environment
        self._seeds = [None if cell.seed is None else cell.seed + runner for cell in cells]
        self._base_inputs = spec.observation_size - constraints[0].num_features
        self._projection = Projection(constraints, copies)
        generators = [noise_generator(cell.seed, runner) for cell in cells]
        self._noise = NoiseAhead(generators, spec.family, copies, spec.law_size)
        self._shape = (len(cells), copies)
        width = spec.family.noise_size(spec.law_size)
        self._drawn = np.empty((*self._shape, width))
        self._alive = np.ones(len(cells), dtype=np.bool_)
        self._errors: Errors = {}  # since the last sample
        self._started = False

    def drop(self, cells: Sequence[int]) -> None:
        """Cells that failed elsewhere take no part any more."""
        self._alive[list(cells)] = False

    def sample(self, at_least: int) -> CohortSample:
        """Step every cell until its copies have taken ``at_least`` steps together."""
        if not self._started:
            self._start()
        record = _Record(self._shape, self._observation, at_least)
        count = np.zeros(len(self._alive), dtype=np.int64)
        finished: list[list[tuple[int, float]]] = [[] for _ in self._alive]
        while len(cells := np.flatnonzero(self._alive & (count < at_least))):
            cells = self._step(cells, record, finished)
            if len(cells):
                count[cells] += record.taken[cells, record.steps - 1].sum(axis=1)
        told, self._errors = self._errors, {}
        violations = self.environment.take_violations()
        return CohortSample(
            fragments=[
                record.fragment(
                    cell,
                    self.actors.spec.family,
                    self._constrained[cell],
                    violations[cell] is not None,
                )
                if self._alive[cell]
                else None
                for cell in range(len(self._alive))
            ],
            finished=finished,
            violations=violations,
            errors=told,
        )

    def _start(self) -> None:
        observation, errors = self.environment.reset(self._seeds)
        self._fail(errors)
        self._observation = np.zeros(observation.shape, dtype=np.float32)
        cells = np.flatnonzero(self._alive)
        self._each(cells, lambda some: self._see(some, observation[some]), None)
        self._over = np.zeros(self._shape, dtype=np.bool_)
        self._lengths = np.zeros(self._shape, dtype=np.int64)
        self._returns = np.zeros(self._shape)
        self._started = True

    def _step(
        self, cells: Cells, record: _Record, finished: list[list[tuple[int, float]]]
    ) -> Cells:
        """One wall step of some cells; those that are still alive after it."""
        self._drawn[cells] = self._noise.draw(cells)
        acted = self._each(cells, self._act, _Acted.joined)
        cells = cells[self._alive[cells]]
        if acted is None or not len(cells):
            return cells[:0]
        step = self.environment.step(cells, acted.for_environment)
        running = ~self._over[cells]
        terminated, truncated = step.terminated & running, step.truncated & running
        reward = np.where(running, step.reward, 0.0)
        self._fail(step.errors)
        self._each(cells, lambda some: self._see_step(some, cells, step.observation, reward), None)
        violated = step.violated & running
        record.add(
            cells, acted, reward, terminated, truncated, running, violated, self._observation
        )
        self._count(cells, running, reward, terminated | truncated, finished)
        return cells[self._alive[cells]]

    def _act(self, cells: Cells) -> _Acted:
        """What cells do: distributions, actions (A, n, …), and what the environment is given."""
        copies = self._shape[1]
        seen = self._observation[cells]
        flat = seen.reshape(len(cells) * copies, -1)
        task = self.actors.distribution(cells, seen)
        base: Distribution | None = None
        step = task
        if self.base is not None:
            base = self._based(cells, flat, task)
            step = self._projection.project(cells, base, task, self._projection.limits(cells, flat))
        noise = self._drawn[cells].reshape(len(flat), -1)
        # As the single algorithm has them: in the dtype of the parameters.
        action: NDArray[np.floating] = step.sample(noise)
        if step.in_float32:
            action = action.astype(np.float32)
        given = action
        if self._projection.charges:
            assert base is not None
            exact = action.astype(np.float64)
            cost = self._projection.cost(cells, step, base, exact)
            given = np.concatenate([exact, cost[:, None]], axis=1)
        inputs = None if base is None else _joined(base.numbers, task.numbers)
        shape = (len(cells), copies, -1)
        return _Acted(
            action.reshape(shape),
            _joined(*step.parts).reshape(shape),
            None if inputs is None else inputs.reshape(shape),
            given.reshape(shape),
        )

    def _based(self, cells: Cells, flat: NDArray[np.float32], task: Distribution) -> Distribution:
        """The base's distributions of rows; of cells without a constraint the task's."""
        assert self.base is not None
        needed = np.repeat(self._constrained[cells], self._shape[1])
        if needed.all():
            return self.base.distribution(flat[:, : self._base_inputs]).rounded(np.float32)
        whole = task.numbers.numpy().copy()
        if needed.any():
            found = self.base.distribution(flat[needed, : self._base_inputs])
            whole[needed] = found.rounded(np.float32).numbers.numpy()
        return type(task).from_numbers(whole)

    def _see(self, cells: Cells, observation: NDArray[np.floating]) -> None:
        count, copies = observation.shape[:2]
        flat = observation.reshape(count * copies, -1)
        self._observation[cells] = _finite_observations(flat).reshape(observation.shape)

    def _see_step(
        self,
        some: Cells,
        cells: Cells,
        observation: NDArray[np.floating],
        reward: NDArray[np.floating],
    ) -> None:
        rows = np.searchsorted(cells, some)
        _finite_rewards(reward[rows].ravel())
        self._see(some, observation[rows])

    def _count(
        self,
        cells: Cells,
        running: NDArray[np.bool_],
        reward: NDArray[np.float64],
        over: NDArray[np.bool_],
        finished: list[list[tuple[int, float]]],
    ) -> None:
        """Lengths and returns of episodes, as the single algorithm's runner keeps them."""
        self._lengths[cells] += running
        self._returns[cells] += reward
        for row, copy in np.argwhere(over).tolist():
            cell = int(cells[row])
            finished[cell].append(
                (int(self._lengths[cell, copy]), float(self._returns[cell, copy]))
            )
            self._lengths[cell, copy] = 0
            self._returns[cell, copy] = 0.0
        self._over[cells] = over

    def _each(
        self, cells: Cells, action: Callable[[Cells], Any], join: Callable[[list[Any]], Any] | None
    ) -> Any:
        """Do it for all living cells at once; where that fails, one by one: whom it fails ends."""
        cells = cells[self._alive[cells]]
        if not len(cells):
            return None
        try:
            return action(cells)
        except (ArithmeticError, ValueError, UserError) as error:
            if len(cells) == 1:
                self._fail({int(cells[0]): error})
                return None
        parts = []
        for cell in cells:
            try:
                parts.append(action(np.array([cell])))
            except (ArithmeticError, ValueError, UserError) as error:
                self._fail({int(cell): error})
        return join(parts) if join is not None and parts else None

    def _fail(self, errors: Errors) -> None:
        for cell, error in errors.items():
            if self._alive[cell]:
                self._alive[cell] = False
                self._errors[cell] = error


def _joined(*parts: torch.Tensor) -> NDArray[np.floating]:
    found: NDArray[np.floating] = np.concatenate([part.numpy() for part in parts], axis=-1)
    return found


@dataclass(frozen=True)
class _Acted:
    """Of cells (A, n, …): actions, the projected parameters, base and task, what is given."""

    action: NDArray[np.floating]
    parameters: NDArray[np.floating]
    inputs: NDArray[np.floating] | None
    for_environment: NDArray[np.floating]

    @classmethod
    def joined(cls, parts: Sequence[_Acted]) -> _Acted:
        inputs = [one.inputs for one in parts if one.inputs is not None]
        return cls(
            np.concatenate([one.action for one in parts]),
            np.concatenate([one.parameters for one in parts]),
            np.concatenate(inputs) if inputs else None,
            np.concatenate([one.for_environment for one in parts]),
        )


class _Record:
    """Arrays (K, T, n, …) that grow as steps are added; those of a cell are one piece."""

    def __init__(
        self, shape: tuple[int, int], observation: NDArray[np.float32], at_least: int
    ) -> None:
        self._shape = shape
        self._capacity = 16 + at_least // shape[1] + at_least // (4 * shape[1])
        self.steps = 0
        self._columns: dict[str, NDArray[Any]] = {}
        self._lengths = np.zeros(shape[0], dtype=np.int64)
        self._seen = np.zeros(
            (shape[0], self._capacity + 1, *observation.shape[1:]), dtype=np.float32
        )
        self._seen[:, 0] = observation

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Which steps were taken, (K, T, n)."""
        return self._columns["taken"]

    def add(
        self,
        cells: Cells,
        acted: _Acted,
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        taken: NDArray[np.bool_],
        violated: NDArray[np.bool_],
        observation: NDArray[np.float32],
    ) -> None:
        """One step of some cells."""
        if self.steps == self._capacity:
            self._grow()
        values: dict[str, NDArray[Any]] = {
            "actions": acted.action,
            "parameters": acted.parameters,
            "rewards": reward,
            "terminated": terminated,
            "truncated": truncated,
            "taken": taken,
            "violated": violated,
        }
        if acted.inputs is not None:
            values["inputs"] = acted.inputs
        for name, value in values.items():
            if name not in self._columns:
                shape = (self._shape[0], self._capacity, *value.shape[1:])
                self._columns[name] = np.zeros(shape, dtype=value.dtype)
            self._columns[name][cells, self.steps] = value
        self.steps += 1
        self._lengths[cells] = self.steps
        self._seen[cells, self.steps] = observation[cells]

    def _grow(self) -> None:
        def longer(column: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([column, np.zeros_like(column[:, : self._capacity])], axis=1)

        self._seen = longer(self._seen)
        self._columns = {name: longer(column) for name, column in self._columns.items()}
        self._capacity *= 2

    def fragment(
        self, cell: int, family: type[Distribution], constrained: bool, judged: bool
    ) -> Fragment:
        """What one cell did; judged: whether its environment tells of violations."""
        steps = slice(0, int(self._lengths[cell]))
        own = {name: column[cell, steps] for name, column in self._columns.items()}
        law = family.from_parameters(torch.from_numpy(own["parameters"])).torch_distribution()
        logp = law.log_prob(torch.from_numpy(own["actions"]))
        return Fragment(
            observations=self._seen[cell, : steps.stop + 1],
            actions=own["actions"],
            action_logp=logp.numpy(),
            action_dist_inputs=own["parameters"],
            policy_inputs=own.get("inputs") if constrained else None,
            rewards=own["rewards"],
            terminated=own["terminated"],
            truncated=own["truncated"],
            taken=own["taken"],
            violated=own["violated"] if judged else None,
        )
