"""The rows of the table: which engine, in which process, on what."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.peers.settings import SETTINGS

TRAINING: Final = "training"
FLOOR: Final = "floor"
SCENARIOS: Final = "scenarios"


@dataclass(frozen=True)
class Row:
    """An engine, made by ``module.name(setting, cells, **options)`` in the process ``host``.

    ``cells``: how many at once where not as many as were asked for.
    """

    key: str
    title: str
    host: str
    module: str
    name: str
    part: str = TRAINING
    settings: tuple[str, ...] = tuple(SETTINGS)
    cells: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    needs_gpu: bool = False

    def make(self, setting: str, cells: int) -> Any:
        """The engine; its ``measure(seconds)`` is what is timed.

        Raises:
            ModuleNotFoundError: something that the engine needs is not installed.
        """
        module = importlib.import_module(f"benchmarks.peers.{self.module}")
        return getattr(module, self.name)(SETTINGS[setting], self.cells or cells, **self.options)


ROWS: Final = (
    Row("gemm", "one large product", "plain", "floor", "Gemm", FLOOR, ("paper",)),
    Row("kernels", "bare products and Adam, {cells} cells", "plain", "floor", "Kernels"),
    Row("single", "single engine", "ray", "ours", "Single", cells=1),
    Row("cohort", "cohort engine, {cells} cells", "ray", "ours", "Cohort"),
    Row("rllib", "stock RLlib PPO under Tune, no projection", "ray", "tuned", "TunedPPO", cells=1),
    Row("sb3", "Stable-Baselines3 PPO, no projection", "sb3", "sb3", "StableBaselines3", cells=1),
    Row("jax1", "JAX program, 1 cell", "jax", "jax_ppo", "JaxCohort", TRAINING, ("paper",), 1),
    Row("jax", "JAX program, {cells} cells", "jax", "jax_ppo", "JaxCohort"),
    Row(
        "single-gpu",
        "single engine, learner on the GPU",
        "ray",
        "ours",
        "Single",
        cells=1,
        options={"gpu": True},
        needs_gpu=True,
    ),
    Row(
        "cohort-gpu",
        "cohort engine, {cells} cells",
        "ray",
        "ours",
        "Cohort",
        options={"gpu": True},
        needs_gpu=True,
    ),
    Row("base", "base policy", "plain", "scenarios", "Scenarios", SCENARIOS, ("quickstart",)),
    Row(
        "projected",
        "projected policy, α = 1.5",
        "plain",
        "scenarios",
        "Scenarios",
        SCENARIOS,
        ("quickstart",),
        options={"projected": True},
    ),
)

BY_KEY: Final = {row.key: row for row in ROWS}
