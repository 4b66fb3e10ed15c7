"""What each kind of line of an audit log has, as a reader takes it: names, types and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sport_ray.constraints.mixture import MOST_PARTS
from sport_ray.deploy.audit_log import SCHEMA
from sport_ray.deploy.seeds import MOST_WORDS, POOL
from sport_ray.selection.limits import MOST_CANDIDATES

Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[tuple[Number, ...], Field(strict=False)]  # a list, as JSON has it
Word = Annotated[int, Field(ge=0, lt=2**32)]


class Wrong(Exception):
    """What a line says is not so."""


class Line(BaseModel):
    """A line without its digests."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PartLine(Line):
    """What a policy draws; selection: each action is one of several drawn from the base."""

    family: str
    selection: bool


class OpenLine(Line):
    """What was loaded, and how; of a mixture family and selection are its first part's."""

    schema_name: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    bundle: str
    horizon: Count
    family: str
    selection: bool
    parts: list[PartLine] | None = Field(default=None, min_length=1, max_length=MOST_PARTS)
    constraint: dict[str, Any]
    promise: dict[str, Any]
    on_breach: Literal["raise", "base"]
    outside: Literal["refuse", "base"]
    damage: str | None


class ResetLine(Line):
    """An episode begins; part: of a mixture, the one that it keeps to."""

    episode: Count
    seed: list[Word] = Field(min_length=POOL, max_length=MOST_WORDS)
    part: Count | None = None


class StepLine(Line):
    """An action; ``limit`` and the log ratios are None where there is no end.

    Where one of several ``candidates`` was chosen, ``drawn`` is its index and ``action`` it.
    """

    episode: Count
    step: Count
    played: Literal["task", "base"]
    observation: str
    base: dict[str, Numbers] | None = None
    candidates: int | None = Field(default=None, ge=1, le=MOST_CANDIDATES)
    action: Numbers | None = None
    chosen: dict[str, Numbers] | None = None
    drawn: Numbers
    limit: Number | None
    max_log_ratio: Number | None
    log_ratio: Number | None
    cost: Number
    state: Numbers
    breach: str | None = None

    @model_validator(mode="after")
    def _as_played(self) -> StepLine:
        given = {"chosen", "breach", "base", "candidates", "action"} & self.model_fields_set
        if None in (getattr(self, name) for name in given):
            raise ValueError("a number is missing")
        if given - {"chosen", "breach"} not in ({"base"}, {"candidates", "action"}):
            raise ValueError("it has neither a base policy nor candidates, or both")
        if ("chosen" in given) != (self.played == "task"):
            raise ValueError("it has the numbers of another policy than played")
        if self.played == "task" and self.breach is not None:
            raise ValueError("the task policy acted outside of the promise")
        return self


class BreachLine(Line):
    """A refusal, or a call that was cut short."""

    episode: Count
    step: Count
    reason: str
    stream: Count


class EndLine(Line):
    """An episode ends."""

    episode: Count
    step: Count
    reason: str


class CloseLine(Line):
    """The log ends."""

    lines: Count


KINDS: dict[str, type[Line]] = {
    "open": OpenLine,
    "reset": ResetLine,
    "step": StepLine,
    "breach": BreachLine,
    "end": EndLine,
    "close": CloseLine,
}


def parse_line(kind: Any, record: dict[str, Any]) -> Line:
    """A line as its kind has it.

    Raises:
        Wrong: another kind, a field more or less, or a value that is none; says which.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise Wrong(f"its kind {kind!r} is unknown")
    try:
        return KINDS[kind].model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        got = repr(first["input"])[:80]
        raise Wrong(f"its {where} is wrong: {first['msg']}, got {got}") from None
