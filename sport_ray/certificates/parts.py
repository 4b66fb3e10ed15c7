"""The parts of a certificate: what was counted, the table of bounds, the table it rests on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Frozen(BaseModel):
    """A part of a certificate: never changed, no key too many, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Counts(Frozen):
    """What became of the scenarios; there is no certificate unless finished = planned.

    Under a stopping rule, planned are those up to the look at which it stopped.
    """

    planned: int
    started: int
    finished: int
    aborted: int

    @model_validator(mode="after")
    def _complete(self) -> Counts:
        if not self.finished == self.started == self.planned or self.aborted:
            raise ValueError(
                f"{self.finished} of {self.planned} planned scenarios finished "
                f"({self.started} started, {self.aborted} aborted): an incomplete set certifies "
                "nothing"
            )
        return self


class OutcomeTable(Frozen):
    """The outcome table that every number comes from: its file, beside the certificate.

    sha256: of the file's bytes. digest: of the numbers in it, whatever the file format.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    sha256: str
    digest: str


class BoundTable(Frozen):
    """ε_base(T) for T = 1 … T_max; lists of equal length.

    eps_base: bound at confidence 1 − β, for a T that was chosen beforehand.
    eps_base_simultaneous: bounds at β / T_max each, so that all of them hold together
        with confidence 1 − β (Bonferroni): valid for a T chosen by looking at this table.
    num_settled: scenarios whose violation nothing could undo any more by step T.
    num_running: scenarios that lasted longer than T steps.
    """

    horizon: list[int]
    num_violations: list[int]
    num_settled: list[int]
    num_running: list[int]
    eps_base: list[float]
    eps_base_simultaneous: list[float]

    @model_validator(mode="after")
    def _rectangular(self) -> BoundTable:
        columns = [getattr(self, name) for name in type(self).model_fields]
        if self.horizon != [*range(1, len(self.horizon) + 1)] or any(
            len(column) != len(self.horizon) for column in columns
        ):
            raise ValueError(
                "the table must hold every horizon from 1 on, in columns of one length"
            )
        return self
