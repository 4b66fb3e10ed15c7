"""A property read along with trajectories that go on: which of them can never satisfy it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties.automaton import Automaton, patterns
from sport_ray.properties.property import compiled, parse_property
from sport_ray.properties.propositions import require_given


class Monitors:
    """n trajectories, each read one state at a time; none depends on the others.

    given: names of the signals as an environment has them, in the order of its columns. who: the
    environment, for messages.

    Raises:
        UserError: a formula that cannot be read, or one that needs a signal that is not given.
    """

    def __init__(self, formula: str, count: int, given: Sequence[str], who: str) -> None:
        self._automaton, self._columns = automaton_over(formula, given, who)
        self._now = np.full(count, self._automaton.start, dtype=np.int32)

    def begin(self, slots: NDArray[np.intp], signals: NDArray[np.float64]) -> None:
        """New trajectories in ``slots`` (m,), with the signals (m, K) of their first states."""
        self._now[slots] = self._automaton.start
        self.read(slots, signals)

    def read(self, slots: NDArray[np.intp], signals: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of ``slots`` (m,) is violated for good, (m,), with its next state.

        signals: (m, K), columns as given, free of NaN.
        """
        automaton = self._automaton
        now = automaton.table[self._now[slots], letters(automaton, self._columns, signals)]
        self._now[slots] = now
        found: NDArray[np.bool_] = automaton.bad[now]
        return found

    def accepts(self, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each of ``slots`` (m,) satisfies the property if it ends here, (m,)."""
        found: NDArray[np.bool_] = self._automaton.accepts[self._now[slots]]
        return found


class Monitor:
    """As :class:`Monitors`, of one trajectory: what letter a pattern of signs is, is remembered."""

    def __init__(self, formula: str, given: Sequence[str], who: str) -> None:
        self._automaton, self._columns = automaton_over(formula, given, who)
        self._known: dict[tuple[int, ...], int] = {}
        self._now = self._automaton.start

    def begin(self, signals: Sequence[float]) -> None:
        """A new trajectory, with the signals (K,) of its first state."""
        self._now = self._automaton.start
        self.read(signals)

    def read(self, signals: Sequence[float]) -> bool:
        """Whether it is violated for good with its next state; signals: (K,), free of NaN."""
        signs = tuple((value > 0.0) - (value < 0.0) for value in signals)
        letter = self._known.get(signs)
        if letter is None:  # literals and what min and max make of them are told by signs alone
            row = np.array([signs], dtype=np.float64)
            letter = self._known[signs] = int(letters(self._automaton, self._columns, row)[0])
        self._now = int(self._automaton.table[self._now, letter])
        return bool(self._automaton.bad[self._now])

    @property
    def accepts(self) -> bool:
        """Whether the trajectory satisfies the property if it ends here."""
        return bool(self._automaton.accepts[self._now])


def automaton_over(
    formula: str, given: Sequence[str], who: str
) -> tuple[Automaton, dict[str, int]]:
    """A property's automaton, and the column of each of its signals.

    Raises:
        UserError: a signal that the property needs and that is not given.
    """
    prop = parse_property(formula)
    require_given(prop.formula, prop.signal_names, given, who)
    columns = {name: list(given).index(name) for name in prop.signal_names}
    return compiled(prop.formula).automaton, columns


def letters(
    automaton: Automaton, columns: dict[str, int], signals: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The automaton's letter (m,) of each row of signals (m, K)."""
    values = {name: signals[:, column] for name, column in columns.items()}
    found: NDArray[np.intp] = np.searchsorted(
        automaton.letters, patterns(automaton.form, automaton.parts, values)
    )
    return found
