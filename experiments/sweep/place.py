"""A cell's place in a list of limits that scenarios of the base choose from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Place(BaseModel):
    """Where a cell stands in its list, and what the list is tested with.

    list_id: content hash (16 hex digits) of its members in order and of all that is here; rank: 1,
    2, …, of ``size``. levels: acceptable risks. beta: of one member's test; risk_beta: of the
    choice for one risk, larger where the certificate's scenarios serve again. first: the first of
    ``num_scenarios`` scenarios, fresh ones or the certificate's.
    """

    model_config = ConfigDict(frozen=True)

    list_id: str
    rank: int
    size: int
    levels: tuple[float, ...]
    scenarios: str
    first: int
    num_scenarios: int
    beta: float
    risk_beta: float

    @property
    def levels_text(self) -> str:
        """As records have them."""
        return ", ".join(f"{level!r}" for level in self.levels)
