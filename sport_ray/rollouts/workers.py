"""Ray workers that each keep an environment and take portions of scenarios from one list."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator
from typing import Any, NamedTuple

import ray
import torch
from ray.exceptions import RayError, RayTaskError

from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.instance import Instance, pace_of
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.repeat import run_in_turn
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.streaming import RunPortion, cut_at_chunks, timed

AHEAD = 4
"""Portions per worker that may wait for their turn: what bounds the memory."""
LOST = 3
"""How often a portion is run again whose worker died."""
CLOSING_SECONDS = 5.0
"""How long workers may take to close their environments; then their processes are ended."""


class Done(NamedTuple):
    """A portion's outcome, in the order of scenarios; seconds: that it took on its worker."""

    found: Any
    first: int
    count: int  # type: ignore[assignment]  # of a tuple it is a method, which nobody needs here
    seconds: float


class _Task(NamedTuple):
    """What a worker is at; count 0: it is starting."""

    worker: Any
    first: int
    count: int  # type: ignore[assignment]  # of a tuple it is a method, which nobody needs here


def cpus_there() -> int:
    """CPUs of all nodes that Ray has now."""
    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


def workers_for(plan: ScenarioPlan, count: int, cpus: int) -> int:
    """How many workers share so many scenarios: one a CPU, as far as there is work and copies."""
    pace = pace_of(plan, cpus)
    return max(1, min(cpus, -(-count // pace.first), plan.copies or cpus))


class _Worker:
    """What runs in the actor: one environment, made once and closed by ``close``."""

    def __init__(self, plan: ScenarioPlan, behaviour: Behaviour, run: RunPortion) -> None:
        torch.set_num_threads(1)
        self._instance = Instance(plan)
        self._behaviour, self._run = behaviour, run

    def ready(self) -> None:
        """Returns once the process is there."""

    def run(self, first: int, count: int) -> tuple[Any, float]:
        def portion(start: int, size: int) -> Any:
            return self._run(self._instance, self._behaviour, start, size)

        return timed(portion, self._instance, first, count)

    def close(self) -> None:
        self._instance.close()


class Crew:
    """Workers for scenarios ``first`` … ``count − 1`` of a plan; ``done`` yields the portions.

    Each is given its next portion when it has ended one, as large as the pace of all says. A
    portion whose worker dies is run again, from the same seeds, by another. Where copies of the
    environment are limited over all processes, workers share them.

    run: what is run of a portion, a function that workers can import. chunk: portions end where
    one of its multiples is.
    """

    def __init__(
        self,
        plan: ScenarioPlan,
        behaviour: Behaviour,
        run: RunPortion,
        first: int,
        count: int,
        chunk: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._size = workers_for(plan, count - first, cpus_there())
        self._pace = pace or pace_of(plan, self._size)
        self._pace.workers = self._size
        each = None if plan.copies is None else plan.copies // self._size
        self._given = plan.model_copy(update={"copies": each}), ray.put(behaviour), run
        self._next, self._count, self._chunk = first, count, chunk
        self._again: deque[tuple[int, int]] = deque()
        self._lost: dict[int, int] = {}
        self._workers: list[Any] = []
        self._ready: list[Any] = []
        self._idle: deque[Any] = deque()
        self._tasks: dict[ray.ObjectRef, _Task] = {}

    def done(self) -> Generator[Done, None, None]:
        """Portions in the order of their scenarios, as they come; workers end with it.

        Raises:
            UserError: a worker that dies again and again.
            what ``run`` raises.
        """
        waiting: dict[int, Done] = {}
        turn = self._next
        try:
            for _ in range(self._size):
                self._start_worker()
            while turn < self._count:
                self._hand_out(len(waiting))
                for one in self._come():
                    waiting[one.first] = one
                while turn in waiting:
                    one = waiting.pop(turn)
                    turn += one.count
                    yield one
        finally:
            self.close()

    def _start_worker(self) -> None:
        worker = ray.remote(_Worker).options(num_cpus=1, max_restarts=0).remote(*self._given)
        self._workers.append(worker)
        self._tasks[worker.ready.remote()] = _Task(worker, 0, 0)

    def _hand_out(self, waiting: int) -> None:
        """A portion to each idle worker, unless too many wait for a slow one."""
        while self._idle and waiting < AHEAD * self._size and (portion := self._portion()):
            worker = self._idle.popleft()
            self._tasks[worker.run.remote(*portion)] = _Task(worker, *portion)

    def _portion(self) -> tuple[int, int] | None:
        if self._again:
            return self._again.popleft()
        if self._next >= self._count:
            return None
        first = self._next
        size = cut_at_chunks(first, self._pace.size(self._count - first), self._chunk)
        self._next += size
        return first, size

    def _come(self) -> list[Done]:
        """What has ended meanwhile, at least one thing."""
        ended, _ = ray.wait(list(self._tasks), num_returns=1)
        found = []
        for reference in ended:
            task = self._tasks.pop(reference)
            try:
                result = ray.get(reference)
            except RayTaskError as error:
                # The cause itself: the message of Ray's own class is a traceback of many lines.
                raise error.cause from error
            except RayError as error:
                self._replace(task, error)
                continue
            if task.count:
                self._pace.add(task.count, result[1])
                found.append(Done(result[0], task.first, task.count, result[1]))
            else:
                self._ready.append(task.worker)
            self._idle.append(task.worker)
        return found

    def _replace(self, task: _Task, error: RayError) -> None:
        """Another worker instead of one that died, and its portion again."""
        name = task.first if task.count else -1
        self._lost[name] = self._lost.get(name, 0) + 1
        if self._lost[name] > LOST:
            what = f"scenarios {task.first} to {task.first + task.count - 1}"
            what = what if task.count else "its start"
            reason = " ".join(str(error).partition("\n")[0].split())
            raise UserError(
                f"a worker died {self._lost[name]} times in {what} of {self._given[0].env_id}: "
                f"{reason}"
            ) from None
        self._workers.remove(task.worker)
        if task.worker in self._ready:
            self._ready.remove(task.worker)
        if task.count:
            self._again.append((task.first, task.count))
        self._start_worker()

    def close(self) -> None:
        """Close the workers' environments, then end the workers; one still at work is ended."""
        workers, self._workers = self._workers, []
        try:
            with contextlib.suppress(RayError):
                closing = [worker.close.remote() for worker in self._ready]
                if closing:
                    ray.wait(closing, num_returns=len(closing), timeout=CLOSING_SECONDS)
        finally:
            for worker in workers:
                with contextlib.suppress(RayError, ValueError):
                    ray.kill(worker)
            self._ready, self._tasks = [], {}
            self._idle.clear()


def _run_in_turn(plan: ScenarioPlan, behaviour: Behaviour, scenarios: list[int]) -> list[Outcomes]:
    torch.set_num_threads(1)
    return list(run_in_turn(plan, behaviour, scenarios))


def run_in_turn_on_ray(
    plan: ScenarioPlan, behaviour: Behaviour, scenarios: list[int]
) -> list[Outcomes]:
    """As :func:`sport_ray.rollouts.repeat.run_in_turn`, in one Ray task.

    Raises:
        what ``run_scenarios`` raises in a worker.
    """
    task = ray.remote(_run_in_turn).remote(plan, behaviour, scenarios)
    try:
        rows: list[Outcomes] = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    return rows
