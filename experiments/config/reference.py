"""The table of ``docs/studies.md`` that lists every key of a study file, made from the sections.

``python -m sport_ray.experiments.config.reference`` in the repository's root brings it up to date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from sport_ray.experiments import task_policies
from sport_ray.experiments.config.axes import KINDS, SAMPLES
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.mistakes import sections_of
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.tracking.reference import markdown_table, with_table
from sport_ray.tracking.results.files import write_atomically

COMMAND = "python -m sport_ray.experiments.config.reference"
PAGE = Path("docs/studies.md")
MARK = f"<!-- study keys: made by {COMMAND} -->"
WORDS: dict[Any, str] = {
    int: "whole number", float: "number", str: "text", bool: "true or false", dict: "mapping",
    NoneType: "nothing",
}  # fmt: skip
TECHNICAL = 100_000
"""Upper limits from here on keep mistakes out, and say nothing about the key."""
SMALLEST = 1e-9
"""Nor do lower ones below this."""
HEAD = ("key", "type", "unit", "default", "meaning")
Row = tuple[str, str, str, str, str]
"""As HEAD says."""
AXES = ("sweep.hyperparameters", "tuning.parameters")
"""Keys below which stand names of training parameters."""
_UNIT = re.compile(r"\s*\[([^\[\]]+)\]$")


def keys_table() -> str:
    """Every key of a study as Markdown."""
    return markdown_table(HEAD, [*rows(Study), *SHORT])


def rows(
    section: type[Section], path: str = "", told: dict[type[Section], str] | None = None
) -> Iterator[Row]:
    """A section's keys and, below each, its own.

    told: sections that were listed, by class, with their paths: each is listed once.
    """
    yield from _rows_of(section, section.model_fields, path, {} if told is None else told)


def _rows_of(
    section: type[Section], names: Iterable[str], path: str, told: dict[type[Section], str]
) -> Iterator[Row]:
    """The rows of some of a section's keys."""
    for name in names:
        field = section.model_fields[name]
        key = f"{path}{name}"
        found = _sections(field.annotation)
        meaning, unit = meaning_of(section, name), unit_of(section, name)
        if not found:
            default = _default(section, field)
            yield f"`{key}`", words(field.annotation, field.metadata), unit, default, meaning
            if name == "task_policies":
                yield from _sources(key, told)
            if key in AXES:
                yield from _axes(key)
            continue
        inner, *alternatives = found
        known = next((one for one in told if _holds(one, inner)), None)
        others = [] if known is None else _otherwise(known, inner)
        if known is not None:
            meaning += f" Keys as in `{told[known]}`" + (", but for:" if others else ".")
        needed = "required" if field.is_required() else "absent" if field.default is None else ""
        yield f"`{key}`", "section", "", needed, meaning
        if known is None:
            told[inner] = key
            yield from rows(inner, f"{key}.", told)
            for other in alternatives:
                yield from _differences(inner, other, key, told)
        else:
            yield from _rows_of(inner, others, f"{key}.", told)


def _differences(
    first: type[Section], other: type[Section], path: str, told: dict[type[Section], str]
) -> Iterator[Row]:
    """Rows of the keys that another section in the same place has, or has with another default."""
    names = [name for name in _otherwise(first, other) if name != "algorithm"]
    algorithm = other.model_fields["algorithm"].default
    for key, kind, unit, default, meaning in _rows_of(other, names, f"{path}.", told):
        said = f"With `algorithm: {algorithm}`: {meaning[0].lower()}{meaning[1:]}"
        yield key, kind, unit, default, said


def _sources(key: str, told: dict[type[Section], str]) -> Iterator[Row]:
    """The sources that ship, each with its settings."""
    for name, source in SOURCES.items():
        if source.__module__.startswith(task_policies.__name__):
            about = (source.__doc__ or "").strip().partition("\n\n")[0]
            where = f" Settings: section `{source.sections[0]}`." if source.sections else ""
            yield f"`{key}.{name}`", "section", "", "absent", " ".join(about.split()) + where
            yield from rows(source.settings, f"{key}.{name}.", told)


def _axes(key: str) -> Iterator[Row]:
    """What may stand under a training parameter that is varied."""
    unit, one = "the key's", f"{key}.KEY"
    listed = "These values of the section's key `KEY`, such as `lr`; or a distribution:"
    yield f"`{one}`", "list of values", unit, "", listed
    for kind, meaning in KINDS.items():
        numbers = "two whole numbers" if "randint" in kind else "two numbers"
        yield f"`{one}.{kind}`", numbers, unit, "", meaning
    if key == AXES[0]:
        yield f"`{one}.samples`", "whole number ≥ 1", "draws", "", SAMPLES


SHORT: tuple[Row, ...] = (
    ("`task_policy`", "text", "", "", "Short for `task_policies` with one name and its defaults."),
    ("`x-…`", "anything", "", "", "Any name that begins so: a place for YAML's anchors, not read."),
)
"""Keys that the sections do not have: a study is read without them."""


def _holds(listed: type[Section], section: type[Section]) -> bool:
    """Whether a section that is listed has all keys of another, nearly all with its defaults."""
    if not issubclass(listed, section):
        parent = section.__base__
        if parent is None or parent is Section or not issubclass(listed, parent):
            return False
    names = section.model_fields.keys()
    return names <= listed.model_fields.keys() and 2 * len(_otherwise(listed, section)) < len(names)


def _otherwise(listed: type[Section], section: type[Section]) -> list[str]:
    """The keys of a section that one that is listed has not, or has with another default."""
    mine, its = section.model_fields, listed.model_fields
    return [name for name in mine if name not in its or mine[name].default != its[name].default]


def _sections(annotation: Any) -> list[type[Section]]:
    return [one for one in sections_of(annotation) if issubclass(one, Section)]


def meaning_of(section: type[Section], name: str) -> str:
    """What stands under a key, without its unit."""
    return _UNIT.sub("", _said(section, name))


def unit_of(section: type[Section], name: str) -> str:
    """The unit of a key, "1" for pure numbers; empty for what is no number, or says none."""
    found = _UNIT.search(_said(section, name))
    return found[1] if found else ""


def _said(section: type[Section], name: str) -> str:
    """What stands under a key in its class, or in that of which it takes the key."""
    found = (
        kind.model_fields[name].description
        for kind in section.__mro__
        if issubclass(kind, Section) and name in kind.model_fields
    )
    return next((" ".join(text.split()) for text in found if text), "")


def words(annotation: Any, limits: list[Any] | tuple[Any, ...] = ()) -> str:
    """A type in words, such as 'list of whole numbers ≥ 0'."""
    kind, inside = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return words(inside[0], [*inside[1:], *limits])
    if kind in (Union, UnionType):
        return words(next(one for one in inside if one is not NoneType), limits)
    if kind is Literal:
        return " or ".join(f"`{one}`" for one in inside)
    if kind in (list, tuple):
        return f"list of: {words(inside[0])}"
    return WORDS[kind or annotation] + "".join(_limit(one) for one in _flat(limits))


def _flat(limits: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    """Also those that a Field of pydantic's holds."""
    for one in limits:
        yield from one.metadata if isinstance(one, FieldInfo) else [one]


def _limit(one: Any) -> str:
    """A bound in words; '' for what is none."""
    for name, sign in {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}.items():
        value: float | None = getattr(one, name, None)
        if value is None:
            continue
        if name.startswith("l"):
            return f", {sign} {value:g}" if value < TECHNICAL else ""
        return " > 0" if 0 < value < SMALLEST else f" {sign} {value:g}"
    return ""


def _default(section: type[Section], field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    others = {name: one.default for name, one in section.model_fields.items()}
    value = field.get_default(call_default_factory=True, validated_data=others)
    if value is None:
        return ""
    return f"`{json.dumps(value)}`" if not isinstance(value, float) else f"`{value:g}`"


def renewed(text: str) -> str:
    """The page with the table between its marks; ValueError where they are not there."""
    return with_table(text, MARK, keys_table())


def main() -> None:
    """Renew the page below the current directory."""
    write_atomically(PAGE, renewed(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
