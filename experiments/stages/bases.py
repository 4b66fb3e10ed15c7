"""A study over several bases: every stage once per base, each in a result folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sport_ray.errors import UserError
from sport_ray.experiments.config.study_file import dump_study, study_values
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.context import Context, require_tracking
from sport_ray.experiments.stages.propositions import require_propositions
from sport_ray.experiments.stages.run import ray_for_cells, run_study, write_pages
from sport_ray.tracking.console import say
from sport_ray.tracking.results.bases import base_folders, size_name

if TYPE_CHECKING:
    from sport_ray.experiments.sweep.driver import SweepSummary

Found = TypeVar("Found")


def text_of_base(text: bytes, base: str) -> bytes:
    """A study file's text with ``base`` in the place of ``bases``; comments are lost.

    Of ``sizes`` with the one of that name as its number of scenarios.
    """
    values = study_values(text, "study file")
    if values.get("sizes") is not None:
        (size,) = (one for one in values["sizes"] if size_name(one) == base)
        rest = {name: value for name, value in values.items() if name != "sizes"}
        certificate = {**(values.get("certificate") or {}), "num_scenarios": size}
        sweep = {**values["sweep"], "out_of_reach": "skip"}
        return dump_study({**rest, "certificate": certificate, "sweep": sweep})
    one = {"base" if name == "bases" else name: value for name, value in values.items()}
    return dump_study({**one, "base": base})


def contexts_of(context: Context, text: bytes | None = None) -> dict[str, Context]:
    """What the stages work on, for each base of a study with several.

    text: the study's YAML, where it is not that of its file.

    Raises:
        UserError: a sub-folder that holds something else.
    """
    bases = context.study.part_names
    if text is None:
        text = context.file.read_bytes()
    found = {}
    for base, name in base_folders(bases).items():
        study = context.study.of_base(base)
        folder = StudyFolder(context.folder.root / name, study, text_of_base(text, base))
        found[base] = context._replace(study=study, folder=folder)
    return found


def each(context: Context, do: Callable[[Context], Found]) -> dict[str, Found]:
    """`do` once per base, or once in all where the study has one; results by base."""
    if context.study.part_names:
        return for_each_base(context, do)
    return {context.study.base: do(context)}


def for_each_base(
    context: Context, do: Callable[[Context], Found], text: bytes | None = None
) -> dict[str, Found]:
    """Do something once per base, with one Ray for all; results by base.

    Every base is looked at before anything runs. The whole folder is locked meanwhile.

    Raises:
        UserError: a base that is not there or does not fit; and what `do` raises.
    """
    parts = contexts_of(context, text)
    require_propositions(context.study)
    require_tracking(context)
    with ray_for_cells(context):
        _require_bases(parts)
        context.folder.claim(context.source)
        context.folder.write_study(context.source)
        found = {}
        for number, (base, part) in enumerate(parts.items(), 1):
            heading = f"{_kind(base, part)} ({number} of {len(parts)}): {_told(part)}"
            say(context.console, heading, style="bold")
            try:
                found[base] = do(part)
            finally:
                part.folder.release()
    return found


def _kind(name: str, part: Context) -> str:
    size = part.study.certificate.num_scenarios
    return f"N = {size}" if name == size_name(size) else f"base {name}"


def _told(part: Context) -> str:
    root = part.folder.root
    return str(root.relative_to(Path.cwd())) if root.is_relative_to(Path.cwd()) else str(root)


def _require_bases(parts: dict[str, Context]) -> None:
    """Refuse a base that is not there: several are never trained by the one section on it.

    Raises:
        UserError: naming the base.
    """
    from sport_ray.experiments.stages.base import load_base
    from sport_ray.policies.store import MANIFEST
    from sport_ray.samplers.base_file import SAMPLER

    for part in parts.values():
        if any((part.folder.base / one).is_file() for one in (MANIFEST, SAMPLER)):
            continue  # compared when its stages begin
        try:
            load_base(part.study, part.study.base, part.source)
        except UserError as error:
            raise UserError(f"bases: {error}") from None


def run_whole(context: Context) -> SweepSummary:
    """Every stage that is missing of one base, and the pages to read."""
    summary = run_study(context)
    write_pages(context)
    return summary


def together(summaries: dict[str, SweepSummary]) -> SweepSummary:
    """The summary of all bases; refuted names the bases that are."""
    from sport_ray.experiments.sweep.driver import SweepSummary

    if len(summaries) == 1:
        return next(iter(summaries.values()))
    refuted = [f"base {base}: {one.refuted}" for base, one in summaries.items() if one.refuted]
    return SweepSummary(
        sum(one.planned for one in summaries.values()),
        sum(one.finished for one in summaries.values()),
        sum(one.failed for one in summaries.values()),
        "; ".join(refuted) or None,
    )
