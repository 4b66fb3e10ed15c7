"""What of the benchmark is asked for: tasks, bases, methods, seeds, and how large."""

from __future__ import annotations

from dataclasses import dataclass

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.files import picked, require_named
from sport_ray.experiments.benchmark.method import MethodFile, methods
from sport_ray.experiments.benchmark.task import BASE_SEEDS, LEVELS, TaskFile, tasks
from sport_ray.experiments.config.mistakes import did_you_mean

RISK_LEVELS = (0.02, 0.05, 0.1, 0.2)
SEEDS = 10
TINY_RISK_LEVELS = (0.2,)
TINY_SEEDS = 2


@dataclass(frozen=True)
class BaseName:
    """A base of every task: its level of smoothness, and the seed of its training.

    >>> str(BaseName("smooth", 0))
    'smooth_0'
    """

    level: str
    seed: int

    def __str__(self) -> str:
        return f"{self.level}_{self.seed}"


ALL_BASES = tuple(BaseName(level, seed) for level in LEVELS for seed in BASE_SEEDS)


@dataclass(frozen=True)
class Suite:
    """The part of the benchmark that is asked for.

    named: whether its tasks were named, so that one that cannot be run is a mistake. seeds: of
    training, from 0 on.
    """

    tasks: tuple[TaskFile, ...]
    methods: tuple[MethodFile, ...]
    bases: tuple[BaseName, ...]
    seeds: int = SEEDS
    tiny: bool = False
    named: bool = False

    @classmethod
    def of(
        cls,
        *,
        tasks_named: list[str] | None = None,
        methods_named: list[str] | None = None,
        bases_named: list[str] | None = None,
        seeds: int | None = None,
        tiny: bool = False,
    ) -> Suite:
        """The whole suite, or the tiny one, or what of either is named.

        Raises:
            UserError: a name of nothing, or a file with a mistake.
        """
        known = methods()
        chosen = picked(methods_named, known, "method")
        if tiny and methods_named is None:
            chosen = [one for one in chosen if one.tiny]
        few = (ALL_BASES[0],) if tiny else ALL_BASES
        found = cls(
            tasks=tuple(picked(tasks_named, tasks(), "task")),
            methods=tuple(chosen),
            bases=few if bases_named is None else _bases(bases_named),
            seeds=seeds or (TINY_SEEDS if tiny else SEEDS),
            tiny=tiny,
            named=tasks_named is not None,
        )
        if not found.tasks or not found.methods:
            raise UserError("the benchmark has no tasks or no methods: is the package whole?")
        return found

    @property
    def risk_levels(self) -> tuple[float, ...]:
        """ε_max of every method that promises a risk."""
        return TINY_RISK_LEVELS if self.tiny else RISK_LEVELS


def _bases(named: list[str]) -> tuple[BaseName, ...]:
    """Bases by name, or all of a level.

    Raises:
        UserError: a name of none, or no name.
    """
    require_named(named, "--bases")
    known = [*LEVELS, *map(str, ALL_BASES)]
    for name in named:
        if name not in known:
            raise UserError(f"--bases: no base {name!r}; {did_you_mean(name, known)}")
    return tuple(one for one in ALL_BASES if str(one) in named or one.level in named)
