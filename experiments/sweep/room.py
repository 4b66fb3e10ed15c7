"""Room for cohorts: how many trials run side by side, and how many cells one of them can hold."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import ray

from sport_ray.experiments.cluster.resources import bundles
from sport_ray.experiments.config.copies import concurrent_trials
from sport_ray.experiments.config.study import Study
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort.device.plan import why_not_on_device

MOST_ON_CPU = 26
"""Cells of a cohort on a CPU, where more fall out of the caches: environment steps a second of a
core at the paper's settings are 8,100 with 13 of them, 9,500 with 26, 9,100 with 40, 8,700 with 65.
"""
MOST_ON_GPU = 512
"""On a GPU a step costs its launches, nearly whatever the number of cells."""
SHARE_OF_MEMORY = 0.5
"""Of what a trial's part of the machine has; the rest is for its process and its evaluation."""
MIB = 2**20


class Room(NamedTuple):
    """slots: trials that run side by side. memory: bytes that one of them may take.

    copies, copies_per_process: as in the study's section environment.
    """

    slots: int
    memory: float
    gpu: bool = False
    copies: int | None = None
    copies_per_process: int | None = None

    @classmethod
    def of(cls, study: Study) -> Room:
        """What the nodes that Ray has now give to the study; needs Ray."""
        has = ray.cluster_resources()
        needs = bundles(study)
        cpus = sum(bundle["CPU"] for bundle in needs)
        gpus = sum(bundle.get("GPU", 0.0) for bundle in needs)
        slots = has.get("CPU", 1.0) // cpus
        if gpus:
            slots = min(slots, has.get("GPU", 0.0) / gpus)
        slots = max(int(min(slots, concurrent_trials(study.environment) or slots)), 1)
        memory = SHARE_OF_MEMORY * has.get("memory", math.inf) / slots
        limits = study.environment.copies, study.environment.copies_per_process
        return cls(slots, memory, bool(gpus), *limits)

    @classmethod
    def here(cls, study: Study) -> Room:
        """What one process of this machine gives, without Ray."""
        memory = SHARE_OF_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limits = study.environment.copies, study.environment.copies_per_process
        return cls(1, memory, bool(study.resources.gpus_per_cell), *limits)

    def cells(self, config: ProjectedPPOConfig) -> int:
        """How many cells like this one a cohort may have, at least one."""
        most = MOST_ON_GPU if self.together(config) else MOST_ON_CPU
        most = int(min(most, self.memory // cell_bytes(config)))
        own = config.num_envs_per_env_runner * max(config.num_env_runners, 1)
        for limit in (self.copies, self.copies_per_process):
            if limit is not None:
                most = min(most, limit // own)
        return max(most, 1)

    def together(self, config: ProjectedPPOConfig) -> bool:
        """Whether such cells go in lockstep on a GPU, where many cost hardly more than few."""
        return self.gpu and why_not_on_device(config) is None


def cell_bytes(config: ProjectedPPOConfig) -> int:
    """About what a cell takes, bytes: networks with Adam's state, a batch, its environments.

    Two networks of the task policy's size, each four times (weights, gradient, two moments) and
    once more while it is updated; a step of the batch in float64, twice; a MiB an environment.
    """
    network = config.task or config.base
    assert network is not None  # a configuration of a study's has both
    weights = sum(value.numel() for value in network.parameters())
    step = network.spec.observation_size + 6 * network.spec.action_size + 16
    own = config.num_envs_per_env_runner * max(config.num_env_runners, 1)
    return int(2 * 5 * 4 * weights + 2 * 8 * step * config.train_batch_size + MIB * own)
