"""Compose the study of one task and base: all methods that fit, every level of risk, every seed.

Nothing here is computed anew: a method is cells of a source under a constraint
(``sweep.constraints_of``), limits from data a list of ``sweep.choose``, a random budget the key
``mixtures``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.files import merged
from sport_ray.experiments.benchmark.method import MethodFile, methods
from sport_ray.experiments.benchmark.suite import BaseName, Suite
from sport_ray.experiments.benchmark.task import TaskFile
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.config.study_file import dump_study
from sport_ray.experiments.task_policies.source import source_class

THE_BASE = "base"
"""The source whose cells every gain is measured from."""
WHOLE_GAIN = "unconstrained"
"""The method whose gain every other's is a share of."""


@dataclass(frozen=True)
class Part:
    """The study of one task and base.

    text: its study file. left_out: why methods have no cells, by their names.
    """

    task: TaskFile
    base: BaseName
    study: Study
    text: bytes
    methods: tuple[MethodFile, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Its result folder, within that of the benchmark."""
        return f"{self.task.name}/{self.base}"


def compose(suite: Suite, task: TaskFile, base: BaseName) -> Part:
    """The study of a task and base.

    Raises:
        UserError: a task file that makes no study; methods that contradict each other.
    """
    # torch takes seconds
    from sport_ray.experiments.benchmark.fitting import base_like, mixes_afresh, why_not

    bare = bare_study(suite, task, base)
    found = base_like(bare)
    asked = [*suite.methods, *_parts_of(suite.methods)]
    own = task.sections(base.level, base.seed, tiny=suite.tiny).get("settings", {})
    reasons = {one.name: why_not(one, _used(one, own, suite.tiny), bare, found) for one in asked}
    left_out = {name: why for name, why in reasons.items() if why is not None}
    fitting = [one for one in asked if one.name not in left_out]
    sections = _sections(suite, task, base, fitting)
    if not mixes_afresh(bare):
        sections.pop("mixtures", None)
    shown = tuple(one for one in suite.methods if one in fitting)
    left_out = {one.name: left_out[one.name] for one in suite.methods if one.name in left_out}
    return Part(task, base, _study(sections), dump_study(sections), shown, left_out)


def bare_study(suite: Suite, task: TaskFile, base: BaseName) -> Study:
    """The same without any method: its environment, property, base and certificate.

    Raises:
        UserError: a task file that makes no study.
    """
    return _study(_sections(suite, task, base, ()))


def _study(sections: dict[str, Any]) -> Study:
    return parse_study(sections, f"benchmark, {sections['base'].removeprefix('benchmark/')}")


def _parts_of(chosen: Iterable[MethodFile]) -> list[MethodFile]:
    """Methods that were not asked for: those of mixtures, and what scores are shares of."""
    chosen, known = list(chosen), methods()
    names = {WHOLE_GAIN, *(other for one in chosen for other in one.of)}
    return [known[name] for name in sorted(names - {one.name for one in chosen})]


def _sections(
    suite: Suite, task: TaskFile, base: BaseName, chosen: Iterable[MethodFile]
) -> dict[str, Any]:
    """The study file of a task and base with these methods, as values."""
    chosen, about = list(chosen), task.sections(base.level, base.seed, tiny=suite.tiny)
    cells = [one for one in chosen if one.source is not None]
    rest = {name: value for name, value in about.items() if name not in ("horizon", "settings")}
    evaluation = int(rest["evaluation"].get("num_scenarios", 2_000))
    certificate = dict(rest["certificate"])
    most = int(certificate.get("num_scenarios", evaluation))
    if not chosen or any(_learns_by(one) for one in cells):
        certificate.setdefault("transitions", min(2 * evaluation, most))
    kinds = {one.constraint for one in cells if one.constraint}
    sweep: dict[str, Any] = {
        "eps_max": list(suite.risk_levels),
        "out_of_reach": "skip",
        "horizons": [about["horizon"]],
        "seeds": list(range(suite.seeds)),
        "constraints": sorted(kinds) or ["ratio"],
        "constraints_of": {THE_BASE: [], **_kinds_of(cells)},
    }
    if lists := [one for one in cells if one.limits is not None]:
        sweep["choose"] = {
            "from_base_scenarios": {
                "limits": _limits(lists),
                "constraints_of": _kinds_of(lists),
                "num_scenarios": max(2 * evaluation, most // 4),
            }
        }
    prefix = "bench-tiny" if suite.tiny else "bench"
    sections = {
        "name": f"{prefix}_{task.name}_{base}",
        **rest,
        "base": f"benchmark/{task.name}/{base}",
        "certificate": certificate,
        "sweep": sweep,
        "task_policies": {THE_BASE: {}, **_settings(cells, about.get("settings", {}), suite.tiny)},
    }
    if mixed := {other for one in chosen for other in one.of}:
        by_name = {one.name: one for one in chosen}
        sources = {by_name[name].source for name in mixed if name in by_name}
        sections["mixtures"] = {
            "sources": [THE_BASE, *sorted(filter(None, sources))],
            "num_scenarios": evaluation,
        }
    return sections


def _learns_by(method: MethodFile) -> bool:
    """Whether it learns from transitions that the certificate's scenarios keep."""
    assert method.source is not None
    return bool(getattr(source_class(method.source), "needs_transitions", False))


def _kinds_of(cells: Iterable[MethodFile]) -> dict[str, list[str]]:
    """Constraints by source; of a source that is used as it is alone, none."""
    found: dict[str, set[str]] = {}
    for one in cells:
        assert one.source is not None
        found.setdefault(one.source, set()).update(filter(None, [one.constraint]))
    return {source: sorted(kinds) for source, kinds in sorted(found.items())}


def _limits(lists: Iterable[MethodFile]) -> dict[str, list[float]]:
    """Limits by the kind of constraint: a study has one list of each."""
    found: dict[str, list[float]] = {}
    for one in lists:
        assert one.constraint is not None
        assert one.limits is not None
        if found.setdefault(one.constraint, one.limits) != one.limits:
            raise UserError(
                f"method {one.name}: another method has other limits of {one.constraint!r}, and a "
                "study has one list of each kind: give both the same"
            )
    return found


def _settings(
    cells: Iterable[MethodFile], own: dict[str, Any], tiny: bool
) -> dict[str, dict[str, Any]]:
    """Settings by source: a method's, with what the task says of the source."""
    found: dict[str, dict[str, Any]] = {}
    for one in cells:
        assert one.source is not None
        settings = _used(one, own, tiny)
        if found.setdefault(one.source, settings) != settings:
            raise UserError(
                f"method {one.name}: another method has other settings of {one.source!r}, and a "
                "study has one of each: give both the same"
            )
    return dict(sorted(found.items()))


def _used(method: MethodFile, own: dict[str, Any], tiny: bool) -> dict[str, Any]:
    """A method's settings, with what the task says of its source; of a mixture none."""
    return merged(method.settings_in(tiny=tiny), own.get(method.source or "") or {})
