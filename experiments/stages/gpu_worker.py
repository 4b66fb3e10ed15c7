"""A process with a study's share of a GPU, where scenarios run on tensors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any

import ray
import torch

from sport_ray.certificates.independence import AgainHere
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.cluster.resources import require_resources, wait_for_room
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.scenarios import stream_scenarios
from sport_ray.rollouts import Behaviour, Outcomes, ScenarioPlan, Tally
from sport_ray.tensors.placing import device_name
from sport_ray.tensors.running import (
    can_run,
    run_in_turn_on,
    run_tensor_scenarios,
    stream_tensor_scenarios,
)
from sport_ray.versions import DEVICE

Stream = Generator[tuple[Outcomes, Tally], None, None]
WAITING = 2
"""Portions of an outcome table that may wait to be counted: what bounds the memory."""


def on_gpu(study: Study, plan: ScenarioPlan, behaviour: Behaviour) -> bool:
    """Whether the scenarios run on a GPU: the study has one, and they have a form on tensors.

    Where Ray has none, nor nodes that are still to come, they run on its CPUs: the cells that need
    one refuse on their own.
    """
    asked = study.resources
    if not asked.gpus_per_cell or not can_run(plan, behaviour):
        return False
    return asked.wait_for_nodes_seconds > 0.0 or "GPU" in ray.cluster_resources()


class OnCpus(AgainHere):
    """Scenarios on CPUs: of this process, and of Ray's workers where that is sooner."""

    versions: dict[str, str] = {}  # noqa: RUF012  # nothing to tell

    def __init__(self, need: RayWhenNeeded | None = None) -> None:
        self._need = need

    def stream(
        self,
        plan: ScenarioPlan,
        behaviour: Behaviour,
        count: int,
        *,
        chunk: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Stream:
        """See ``stream_scenarios``."""
        return stream_scenarios(
            plan, behaviour, count, chunk=chunk, progress=progress, need=self._need
        )

    def close(self) -> None:
        """Nothing is held."""


class OnGpu:
    """Scenarios in one Ray actor that has a GPU, or a share of one.

    Raises:
        UserError: torch finds no CUDA device in the worker.
    """

    def __init__(self, gpus: float) -> None:
        self._gpus = gpus
        self._worker = self._started()
        self.versions: dict[str, str] = {DEVICE: _told(self._worker.name.remote())}

    def _started(self) -> Any:
        # gpus 0: the same on a CPU, which tests do.
        return ray.remote(_Worker).options(num_gpus=self._gpus).remote(self._gpus > 0.0)

    def stream(
        self,
        plan: ScenarioPlan,
        behaviour: Behaviour,
        count: int,
        *,
        chunk: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Stream:
        """Scenarios 0 … count − 1 in the order of their index; see ``stream_tensor_scenarios``.

        A worker that dies ends it; nothing is certified from a part.
        """
        parts = self._worker.stream.options(
            num_returns="streaming", _generator_backpressure_num_objects=WAITING
        ).remote(plan, behaviour, count, chunk)
        seen = 0
        try:
            for reference in parts:
                outcomes, counted = _told(reference)
                seen += outcomes.num_scenarios
                if progress is not None:
                    progress(outcomes.num_scenarios)
                yield outcomes, counted
        finally:
            if seen < count:  # it would make portions that nobody takes
                self.close()
                self._worker = self._started()

    def in_turn(
        self, parts: Sequence[tuple[ScenarioPlan, Sequence[int]]], behaviour: Behaviour
    ) -> Iterable[Outcomes]:
        """The row of each scenario, one after the other on one instance."""
        found: list[Outcomes] = _told(self._worker.in_turn.remote(parts, behaviour))
        return found

    def beside(
        self, plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int, slots: int
    ) -> Outcomes:
        """The table of scenarios that run side by side."""
        found: Outcomes = _told(self._worker.beside.remote(plan, behaviour, first, count, slots))
        return found

    def close(self) -> None:
        """End the process, so that cells get the GPU."""
        ray.kill(self._worker)


class _Worker:
    """What runs in the actor."""

    def __init__(self, cuda: bool) -> None:
        torch.set_num_threads(1)
        self._device = torch.device("cuda" if cuda else "cpu")

    def name(self) -> str:
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise UserError(
                "resources.gpus_per_cell asks for a GPU, torch finds no CUDA device in Ray's "
                "worker: install torch with CUDA there, or set it to 0"
            )
        return device_name(self._device)

    def stream(
        self, plan: ScenarioPlan, behaviour: Behaviour, count: int, chunk: int | None
    ) -> Stream:
        yield from stream_tensor_scenarios(plan, behaviour, count, device=self._device, chunk=chunk)

    def in_turn(self, parts: Any, behaviour: Behaviour) -> list[Outcomes]:
        return list(run_in_turn_on(parts, behaviour, self._device))

    def beside(self, plan: ScenarioPlan, behaviour: Behaviour, *given: int) -> Outcomes:
        first, count, slots = given
        return run_tensor_scenarios(plan, behaviour, first, count, device=self._device, slots=slots)


def _told(reference: ray.ObjectRef) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


def runner_of(
    study: Study, plan: ScenarioPlan, behaviour: Behaviour, need: RayWhenNeeded | None = None
) -> OnCpus | OnGpu:
    """Where the study's scenarios run.

    need: what starts Ray, where that is left to the scenarios.

    Raises:
        UserError: as :class:`OnGpu`.
    """
    if need is not None and study.resources.gpus_per_cell and not need.never:
        need.need()
    if need is not None and need.never:
        return OnCpus(need)
    return _on_gpu(study) if on_gpu(study, plan, behaviour) else OnCpus(need)


def _on_gpu(study: Study) -> OnGpu:
    asked = study.resources
    needs = [{"CPU": 1.0, "GPU": asked.gpus_per_cell}]
    wait_for_room(partial(require_resources, needs), needs, asked.wait_for_nodes_seconds)
    return OnGpu(asked.gpus_per_cell)


def gpu_again(study: Study, name: str) -> OnGpu:
    """Where scenarios that ran on the GPU ``name`` are run again.

    Raises:
        UserError: the study has no GPU, or another one.
    """
    if not study.resources.gpus_per_cell:
        raise UserError(
            f"the certificate's scenarios ran on {name}, and the study has no GPU to run them "
            "again on: set resources.gpus_per_cell, or run `sport-ray certify` for this study"
        )
    found = _on_gpu(study)
    if found.versions[DEVICE] != name:
        found.close()
        raise UserError(
            f"the certificate's scenarios ran on {name}, here is {found.versions[DEVICE]}: run "
            "`sport-ray certify` for this study, or take a node with that GPU"
        )
    return found
