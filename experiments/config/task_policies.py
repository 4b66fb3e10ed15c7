"""A study's key ``task_policies``: which sources, and the settings of each, checked by its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ValidationError

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.mistakes import did_you_mean, explained, require_different, shown
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.source import NoSettings, Source
from sport_ray.plugins import TASK_POLICIES, announced, plugin

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.samplers import BaseFile


def checked_sources(given: Any) -> dict[str, Section]:
    """The settings of each source by name, from a list of names or a mapping to settings.

    Raises:
        ValueError: one line with what is wrong, its value and the remedy.
    """
    if isinstance(given, list):
        names = [_as_name(entry) for entry in given]
        require_different(names)
        given = dict.fromkeys(names)
    if not isinstance(given, Mapping) or not given:
        known = ", ".join(sorted(SOURCES))
        raise ValueError(
            f"{shown(given)}: give a list of names, or a mapping from names to settings; known: "
            f"{known}"
        )
    found: dict[str, Section] = {}
    for name, settings in given.items():
        source = _source(name)
        if source.name in found:
            raise ValueError(f"holds {shown(source.name)} twice")
        found[source.name] = _checked(source, settings)
    return found


def _as_name(entry: Any) -> str:
    if not isinstance(entry, str):
        raise ValueError(f"holds {shown(entry)}: a list holds names; for settings give a mapping")
    return entry


def _source(name: Any) -> type[Source]:
    """The source of a name in the study, a plug-in's too; under its own name from here on."""
    try:
        if isinstance(name, str) and (found := plugin(TASK_POLICIES, name, Source, SOURCES)):
            return found
    except UserError as error:
        raise ValueError(str(error)) from None
    remedy = did_you_mean(str(name), sorted([*SOURCES, *announced(TASK_POLICIES)]), 0.6)
    raise ValueError(f"holds {shown(name)}, which is unknown; {remedy}")


def _checked(source: type[Source], given: Any) -> Section:
    name = source.name
    if isinstance(given, source.settings):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"{name} = {shown(given)}: give a mapping of settings, or {{}} for none")
    try:
        return source.settings.model_validate(dict(given or {}))
    except ValidationError as error:
        raise ValueError(_explained(name, source.settings, error)) from None


def _explained(name: str, settings: type[Section], error: ValidationError) -> str:
    told = explained(error, settings, name)
    if (elsewhere := SOURCES[name].sections) and not settings.model_fields:
        return f"{told}; its settings are in the section {elsewhere[0]}"
    return told


def source_name(given: str) -> str:
    """``module:Class`` and an entry point as ``module:name``, as the study's sources are named.

    What is no source stays as it is: whoever looks it up among the study's tells of it.
    """
    try:
        return _source(given).name
    except ValueError:
        return given


SourceName = Annotated[str, AfterValidator(source_name)]


def by_source(given: Any) -> Any:
    """A mapping from sources with those names as its keys; anything else as it is.

    Raises:
        ValueError: one source under two names.
    """
    if not isinstance(given, Mapping):
        return given
    found: dict[Any, Any] = {}
    for key, value in given.items():
        name = source_name(key) if isinstance(key, str) else key
        if name in found:
            raise ValueError(f"holds the source {shown(name)} twice")
        found[name] = value
    return found


def settled_sources(sources: Mapping[str, Section], study_folder: Path) -> dict[str, Section]:
    """The settings with what depends on the study file's place; see ``TaskPolicySource.settle``."""
    return {
        name: SOURCES[name]().settle(settings, study_folder) for name, settings in sources.items()
    }


def require_sources(
    names: Iterable[str], sources: Mapping[str, Section], task: Task, base: BaseFile
) -> None:
    """Refuse, before anything runs, a source that can do nothing with this base.

    names: of all sources of the study; sources: the settings of those that have their own. task:
    that of the shortest episodes.

    Raises:
        UserError: see ``Source.require``.
    """
    for name in names:
        SOURCES[name]().require(task, sources.get(name, NoSettings()), base)
