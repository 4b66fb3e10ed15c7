"""A study file's text as plain values: YAML in which everything means one thing, or is refused.

Between YAML 1.1, YAML 1.2 and what people mean, the same text is different values: ``no`` is false
or text, ``010`` is 8 or 10, ``1:30`` is 90 or text, ``1e6`` is text or a million, and the second of
two equal keys replaces the first. Numbers are read as Python reads them (``1e6``, ``1_000``,
``.5``, ``+1``, ``0x1f``); what has two readings is refused with its line, its place and the
remedy; ``true``, ``false``, ``null`` and ``~`` are themselves, and the rest is text.

Nothing grows beyond the file: anchors and merge keys (``<<``) are followed, and what they expand to
is counted before it is built.
"""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

from sport_ray.errors import UserError

LARGEST_FILE = 2**20
"""Bytes; studies have a few thousand."""
LARGEST_COUNT = 50_000
"""Values and keys, aliases expanded."""
DEEPEST = 32
LONGEST_NUMBER = 40
"""Characters; a float64 needs 24 at most, a seed ten."""

NULL = re.compile(r"|~|null|Null|NULL")
BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
INTEGER = re.compile(
    r"[-+]?(?:0|[1-9]\d*(?:_\d+)*|0[xX][0-9a-fA-F]+|0o[0-7]+|0[bB][01]+)", re.ASCII
)
REAL = re.compile(
    r"[-+]?(?:\.\d+(?:_\d+)*|\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?)(?:[eE][-+]?\d+)?", re.ASCII
)
SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
WORD = re.compile(r"(?:yes|no|on|off)", re.IGNORECASE)
"""Booleans of YAML 1.1, text of YAML 1.2."""
SEXAGESIMAL = re.compile(r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+", re.ASCII)
NOT_TEXT = re.compile(
    "|".join(
        f"(?:{one.pattern})"
        for one in (NULL, BOOL, INTEGER, REAL, SPECIAL, SEXAGESIMAL, LEADING_ZERO)
    )
    + r"|(?i:yes|no|on|off)|<<|="
)
"""What is written in quotes where it is meant as text."""
QUOTE = "text that begins with one of ! & * @ % ` | > [ { or holds ': ' or ' #' needs quotes"


class Text(NamedTuple):
    """Text that a study file holds, and its values."""

    data: bytes
    values: dict[str, Any]


def read_study_file(path: Path) -> Text:
    """The bytes and the values of a study file, read as UTF-8 whatever the locale.

    Raises:
        UserError: one line: no such file, not a mapping, or anything of the above.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise UserError(f"study file {path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"study file {path} is a folder: give the file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"study file {path} cannot be read: {reason}") from None
    return Text(data, study_values(data, f"study file {path}"))


def study_values(data: bytes, where: str) -> dict[str, Any]:
    """The mapping that a study file's bytes hold, as JSON values; sections ``x-…`` included.

    Raises:
        UserError: see ``read_study_file``; ``where`` begins the line.
    """
    if len(data) > LARGEST_FILE:
        raise UserError(f"{where} is larger than {LARGEST_FILE} bytes: is it a study?")
    text = _decoded(data, where)
    try:
        values = _Reader(text, where).document()
    except yaml.MarkedYAMLError as error:
        raise UserError(_syntax(error, text, where)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(
            f"{where}, line {line}: the character U+{int(error.character):04X} is not allowed in "
            "YAML: remove it"
        ) from None
    if values is None:
        raise UserError(f"{where} is empty: it must hold a mapping of sections, such as 'name: …'")
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else "one value"
        raise UserError(f"{where} holds {kind}, not a mapping of sections, such as 'name: …'")
    return values


def dump_study(values: dict[str, Any]) -> bytes:
    """A study file that reads back as these values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True).encode()


class _Dumper(yaml.SafeDumper):
    """In quotes, what is text and would not read back as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("!not-text", re.compile(rf"(?:{NOT_TEXT.pattern})\Z"), None)


def _decoded(data: bytes, where: str) -> str:
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        if data.startswith(mark) or (len(data) > 1 and data[:2].replace(b"\0", b"") != data[:2]):
            raise UserError(f"{where} is UTF-16 or UTF-32: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{where}, line {line}: the byte 0x{data[error.start]:02X} is not UTF-8: save the file "
            "as UTF-8"
        ) from None


def _syntax(error: yaml.MarkedYAMLError, text: str, where: str) -> str:
    """One line for what YAML itself does not read."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{where} is not YAML: {' '.join(str(error).split())[:200]}"
    lines = text.splitlines() or [""]
    shown = _short(lines[min(mark.line, len(lines) - 1)].strip())
    problem = " ".join(str(error.problem or error.context).split())
    remedy = "indent with spaces" if r"'\t'" in problem else QUOTE
    return f"{where}, line {mark.line + 1}, is not YAML: {problem}, at {shown}; {remedy}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


class _Value(NamedTuple):
    """A value, how many values and keys it is made of, and the line where it begins."""

    value: Any
    size: int
    line: int
    plain: bool = False


_ABSENT = object()


class _Reader:
    """Values from YAML's events; every event is looked at, so nothing is taken silently."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.loader = yaml.SafeLoader(text)
        self.anchors: dict[str, _Value | None] = {}
        self.unused: dict[str, Any] = {}
        self.count = 0
        self.place: list[str] = []

    def document(self) -> Any:
        self.loader.get_event()  # the stream's start
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.loader.get_event()
        found = self._value()
        self.loader.get_event()
        if not self.loader.check_event(yaml.StreamEndEvent):
            again = self.loader.get_event()
            self._refuse(again, "a second document begins ('---'): a study is one, remove it")
        for name, event in self.unused.items():
            self._refuse(
                event, f"'&{name}' is an anchor that nothing refers to: remove it; {QUOTE}"
            )
        return found.value

    def _value(self) -> _Value:
        event = self.loader.get_event()
        line = event.start_mark.line + 1
        self.count += 1
        if self.count > LARGEST_COUNT:
            self._refuse(event, f"more than {LARGEST_COUNT} values: is it a study?")
        if len(self.place) > DEEPEST:
            self._refuse(event, f"nested more than {DEEPEST} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._refuse(
                event,
                f"{_short(event.tag)} at the beginning of a value is a tag in YAML: put the whole "
                "text in quotes, as in property: \"!hazard U goal\", or remove the '!'",
            )
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # not to be used inside itself
            if isinstance(event, yaml.ScalarEvent):  # text that begins with '&', perhaps
                self.unused.setdefault(event.anchor, event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            found = _Value(self._plain(event) if plain else self._sound(event), 1, line, plain)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._sequence(line)
        else:
            found = self._mapping(line)
        if event.anchor is not None:
            self.anchors[event.anchor] = found
        return found

    def _alias(self, event: Any) -> _Value:
        found = self.anchors.get(event.anchor, _ABSENT)
        if found is _ABSENT:
            self._refuse(
                event, f"'*{event.anchor}' is an alias of an anchor that is not there; {QUOTE}"
            )
        if not isinstance(found, _Value):
            self._refuse(event, f"'*{event.anchor}' stands inside what it means: remove it")
        self.unused.pop(event.anchor, None)
        self.count += found.size
        if self.count > LARGEST_COUNT:
            self._refuse(event, f"aliases expand to more than {LARGEST_COUNT} values")
        return found._replace(value=copy.deepcopy(found.value), line=event.start_mark.line + 1)

    def _sequence(self, line: int) -> _Value:
        entries: list[Any] = []
        count = 1
        while not self.loader.check_event(yaml.SequenceEndEvent):
            self.place.append(str(len(entries)))
            entry = self._value()
            self.place.pop()
            entries.append(entry.value)
            count += entry.size
        self.loader.get_event()
        return _Value(entries, count, line)

    def _mapping(self, line: int) -> _Value:
        own: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        lines: dict[str, int] = {}
        count = 1
        while not self.loader.check_event(yaml.MappingEndEvent):
            begin = self.loader.peek_event()
            key = self._value()
            name, merge = key.value, key.plain and key.value == "<<"
            if not isinstance(name, str):
                self._refuse(
                    begin,
                    f"the key {_short(str(name))} is no text: put it in quotes if it is meant",
                )
            if name in lines:
                what = "use one <<: [*a, *b]" if merge else "remove one"
                self._refuse(
                    begin,
                    f"the key {_short(name)} is given twice, on lines {lines[name]} and "
                    f"{key.line}: {what}",
                )
            lines[name] = key.line
            self.place.append(name)
            after = self.loader.peek_event()
            entry = self._value()
            if merge:
                sources = entry.value if isinstance(entry.value, list) else [entry.value]
                if not all(isinstance(source, dict) for source in sources):
                    self._refuse(after, "<< takes a mapping or a list of mappings, such as *common")
                merged += sources
            else:
                own[name] = entry.value
            self.place.pop()
            count += key.size + entry.size
        self.loader.get_event()
        for source in merged:  # what comes first wins, and what is written here before all
            for name, value in source.items():
                own.setdefault(name, value)
        return _Value(own, count, line)

    def _plain(self, event: Any) -> Any:
        text = event.value
        if NULL.fullmatch(text):
            return None
        if BOOL.fullmatch(text):
            return text.lower() == "true"
        if WORD.fullmatch(text):
            truth = "true" if text.lower() in ("yes", "on") else "false"
            self._refuse(
                event,
                f"{text} is {truth} to some readers of YAML and text to others: write a number "
                f'where one is wanted, {truth}, or "{text}" in quotes',
            )
        if LEADING_ZERO.fullmatch(text):
            self._refuse(
                event,
                f"{_short(text)} begins with 0, which some read as octal: write the number without "
                "it (octal: 0o…), or quotes for text",
            )
        if SEXAGESIMAL.fullmatch(text):
            self._refuse(
                event,
                f"{_short(text)} is a number to base 60 to some readers of YAML: write the number "
                "itself, or quotes for text",
            )
        if text == "=":
            self._refuse(event, "'=' has a meaning of its own in YAML: put it in quotes")
        if SPECIAL.fullmatch(text):
            return float(text.replace(".", ""))
        whole = INTEGER.fullmatch(text)
        if whole or REAL.fullmatch(text):
            if len(text) > LONGEST_NUMBER:
                self._refuse(event, f"{_short(text)} is a number of {len(text)} characters")
            return int(text, 0) if whole else self._real(event)
        return self._sound(event)

    def _real(self, event: Any) -> float:
        value = float(event.value)
        digits = re.split("[eE]", event.value)[0]
        if math.isinf(value) or (value == 0.0 and re.search("[1-9]", digits)):
            size = "large" if value else "small"
            self._refuse(event, f"{event.value} is too {size} for a number of 64 bits")
        return value

    def _sound(self, event: Any) -> str:
        text: str = event.value
        try:
            text.encode()
        except UnicodeEncodeError:
            self._refuse(event, f"{_short(text)} holds half a character (a lone surrogate)")
        return text

    def _refuse(self, event: Any, why: str) -> NoReturn:
        place = f" ({_short('.'.join(self.place))[1:-1]})" if self.place else ""
        raise UserError(f"{self.where}, line {event.start_mark.line + 1}{place}: {why}")
