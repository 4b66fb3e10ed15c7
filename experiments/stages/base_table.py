"""The table of ``docs/your-own-base.md`` that compares the bases that ship.

``python -m sport_ray.experiments.stages.base_table`` in the repository's root brings it up to date.
"""

from __future__ import annotations

from pathlib import Path

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED, bundled_bases, load_base
from sport_ray.experiments.stages.base_statistics import statistics_of
from sport_ray.rollouts.base_statistics import BaseStatistics
from sport_ray.tracking.reference import markdown_table, with_table
from sport_ray.tracking.results.files import write_atomically

COMMAND = "python -m sport_ray.experiments.stages.base_table"
PAGE = Path("docs/your-own-base.md")
MARK = f"<!-- shipped bases: made by {COMMAND} -->"
HEAD = (
    "base", "layout", "beyond ±0.99, by dimension", "median std before tanh", "entropy, nats",
    "time, steps", "std", "fastest tenth", "violates within 22",
)  # fmt: skip


def bases_table() -> str:
    """A row for each base that ships, in the layout that it was made for, as Markdown."""
    return markdown_table(HEAD, (row(name) for name in bundled_bases()))


def row(name: str) -> tuple[str, ...]:
    """Of one base."""
    layout, found = measured(name)
    times, std, at_bounds = found.times, found.std, found.at_bounds
    assert times is not None  # the robot has a goal, a std and bounds
    assert std is not None
    assert at_bounds is not None
    return (
        f"`{name}`",
        layout,
        ", ".join(f"{100 * one:.0f}%" for one in at_bounds),
        ", ".join(f"{one:.1f}" for one in std.median),
        f"{found.entropy:.1f}",
        f"{times.spread.mean:.1f}",
        f"{times.spread.std:.1f}",
        f"{times.fastest_tenth:.1f}",
        f"{100 * found.num_violations['22'] / found.num_scenarios:.1f}%",
    )


def measured(name: str) -> tuple[str, BaseStatistics]:
    """Its layout and statistics; the fixed layout where its file names none."""
    asked = Study.model_validate({"name": name, "sweep": {"alphas": [1.0], "horizons": [22]}})
    made_in = load_base(asked, str(BUNDLED / name), None).provenance.get("environment", {})
    layout = str(made_in.get("kwargs", {}).get("layout", "fixed"))
    kwargs = {"kwargs": {"layout": layout}}
    study = asked.model_copy(
        update={"environment": asked.environment.model_copy(update=kwargs), "base": name}
    )
    return layout, statistics_of(study, load_base(study, name, None))


def renewed(text: str) -> str:
    """The page with the table between its marks; ValueError where they are not there."""
    return with_table(text, MARK, bases_table())


def main() -> None:
    """Renew the page below the current directory."""
    write_atomically(PAGE, renewed(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
