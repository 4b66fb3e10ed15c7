"""What is wrong with a study, in one line: each key with its value and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

MOST = 5
"""Problems in one line."""
EXPECTED = {
    "model_type": "expected a section of keys and values",
    "dict_type": "expected a mapping of keys and values",
    "mapping_type": "expected a mapping of keys and values",
    "tuple_type": "expected a list",
    "string_type": "expected text; put it in quotes if it is meant",
    "bool_type": "expected true or false",
    "none_required": "this key has no use here: remove it",
    "union_tag_invalid": "expected one of those that its key algorithm knows: ppo, sac",
}


def explained(error: ValidationError, root: type[BaseModel], prefix: str = "") -> str:
    """All problems of a validation of ``root``; ``prefix`` begins the place of each."""
    found = error.errors(include_url=False)
    # A default that waits for another key's value is no mistake of its own.
    problems = [one for one in found if one["type"] != "default_factory_not_called"]
    lines = [_explained(problem, root, prefix) for problem in problems[:MOST]]
    if len(problems) > MOST:
        lines.append(f"and {len(problems) - MOST} more")
    return "; ".join(lines)


def reason(error: ValidationError) -> str:
    """The first problem's reason, without its place."""
    return _reason(error.errors(include_url=False)[0])


def shown(value: Any) -> str:
    """A value as Python writes it, shortened."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def place(location: str) -> str:
    """Keys as they are told: a part of a line, and nothing that a terminal obeys."""
    text = location if location.isprintable() else ascii(location)[1:-1]
    return text if len(text) <= 120 else text[:117] + "…"


def nearest(key: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known key that was meant, whatever its case and whether it has _ or -."""
    plain = {one.lower().replace("-", "_"): one for one in known}
    near = difflib.get_close_matches(key.lower().replace("-", "_"), list(plain), n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def did_you_mean(key: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The remedy for an unknown key: the known one that was meant, or all there are."""
    known = list(known)
    near = nearest(key, known, cutoff)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}"


def require_different(values: Iterable[Any], name: str = "") -> None:
    """Refuse a list that holds something twice.

    Raises:
        ValueError: with the value; ``name`` begins the line.
    """
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{name} holds {shown(value)} twice".strip())
        seen.add(value)


def _explained(problem: Any, root: type[BaseModel], prefix: str) -> str:
    keys = _keys(root, problem["loc"])
    location = ".".join(str(part) for part in keys)
    location = ".".join(part for part in (prefix, location) if part) or "study"
    location = place(location)
    if problem["type"] == "extra_forbidden":
        known = list(_section(root, problem["loc"][:-1]).model_fields)
        return f"unknown key {location!r}; {did_you_mean(str(problem['loc'][-1]), known)}"
    if problem["type"] == "missing":
        return f"{location} is missing"
    if problem["type"] == "value_error":
        return f"{location}: {_reason(problem)}"
    if problem["input"] is None:
        return f"{location} is empty: give a value, or remove the key"
    return f"{location} = {shown(problem['input'])}: {_reason(problem)}"


def _reason(problem: Any) -> str:
    message: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in EXPECTED:
        return EXPECTED[problem["type"]]
    bound = problem.get("ctx", {}).get("ge")
    if isinstance(bound, float):  # pydantic writes 1e-200 with all its noughts
        return f"input should be greater than or equal to {bound:g}"
    return message if problem["type"] == "value_error" else message[0].lower() + message[1:]


def _section(root: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section's class that a location inside a study points to."""
    return _walk(root, location)[0]


def _keys(root: type[BaseModel], location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without what pydantic puts in it to tell which of several sections it means."""
    return _walk(root, location)[1]


def _walk(
    root: type[BaseModel], location: tuple[int | str, ...]
) -> tuple[type[BaseModel], tuple[int | str, ...]]:
    """The last section on a location's way, and the keys on it."""
    section, keys, rest = root, [], list(location)
    while rest:
        part = rest.pop(0)
        keys.append(part)
        field = section.model_fields.get(str(part))
        choices = sections_of(field.annotation) if field else []
        if not choices:
            return section, (*keys, *rest)
        section = choices[0]
        if len(choices) > 1 and rest:
            tag = rest.pop(0)
            section = next(one for one in choices if one.model_fields["algorithm"].default == tag)
    return section, tuple(keys)


def sections_of(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a key may hold: none, one, or one for each algorithm."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for inside in get_args(annotation) for one in sections_of(inside)]
