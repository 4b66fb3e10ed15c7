"""The finite automaton of a formula: exact verdicts on every prefix, and when they are fixed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties.normal_form import FALSE, TRUE, NormalForm
from sport_ray.properties.obligations import Demand, Obligations, TooLarge
from sport_ray.properties.robustness import Values, node_values

# States times letters, and combinations of propositions that are tried to find the letters.
MAX_TRANSITIONS = 2**17


class Automaton(NamedTuple):
    """A deterministic automaton that reads one state of a trajectory at a time.

    Its letters are patterns of bits: which of the formula's propositional parts hold there.

    form, parts: the table of nodes and the parts, bit i of a pattern for part i.
    letters: the patterns that can occur, ascending, shape (m,).
    table: next state, shape (states, m + 1); the last column, for "no state here", stays.
    start: the state before the first letter.
    accepts: whether a trajectory that ends here satisfies the formula, shape (states,).
    good, bad: whether every continuation, none included, satisfies it, or violates it.
    """

    form: NormalForm
    parts: tuple[int, ...]
    letters: NDArray[np.int64]
    table: NDArray[np.int32]
    accepts: NDArray[np.bool_]
    good: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    start: int = 0

    def read(
        self, signals: Mapping[str, NDArray[np.float64]], lengths: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """The automaton's state after each state of n trajectories, shape (n, L).

        Beyond a trajectory's end it stays as it is. Arguments as in ``robustness``.
        """
        pattern = patterns(self.form, self.parts, signals)
        letter = np.searchsorted(self.letters, pattern)
        count, width = letter.shape
        letter[np.arange(width) >= lengths[:, None]] = len(self.letters)
        states = np.empty((width, count), dtype=np.int32)
        now = np.full(count, self.start, dtype=np.int32)
        for t, column in enumerate(np.ascontiguousarray(letter.T)):
            now = self.table[now, column]
            states[t] = now
        return states.T


def build_automaton(form: NormalForm, root: int) -> Automaton:
    """The automaton of a node.

    Raises:
        TooLarge: more than MAX_TRANSITIONS transitions, or more work than MAX_WORK on the way.
    """
    parts = _parts(form, root)
    letters = _letters(form, parts)
    obligations = Obligations(form, {part: bit for bit, part in enumerate(parts)})
    start = obligations.owed(root, strong=True)
    number: dict[Demand, int] = {start: 0}
    demands = [start]
    rows: list[list[int]] = []
    while len(rows) < len(demands):
        row = []
        for letter in letters.tolist():
            after = obligations.step(demands[len(rows)], letter)
            if after not in number:
                number[after] = len(demands)
                demands.append(after)
            row.append(number[after])
        rows.append([*row, len(rows)])
        if len(demands) * len(letters) > MAX_TRANSITIONS:
            raise TooLarge(f"more than {MAX_TRANSITIONS} transitions")
    table = np.array(rows, dtype=np.int32)
    accepts = np.array([obligations.ends_well(demand) for demand in demands])
    return Automaton(
        form, parts, letters, table, accepts, ~_reaches(table, ~accepts), ~_reaches(table, accepts)
    )


def _parts(form: NormalForm, root: int) -> tuple[int, ...]:
    """The largest propositional nodes: what the automaton needs to know of a state."""
    found, seen, stack = set(), {root}, [root]
    while stack:
        node = stack.pop()
        if form.is_propositional(node):
            found.add(node)
        else:
            new = set(form.nodes[node].args) - seen
            seen |= new
            stack.extend(new)
    return tuple(sorted(found - {FALSE, TRUE}))


def _letters(form: NormalForm, parts: tuple[int, ...]) -> NDArray[np.int64]:
    """The patterns that some values of the signals show.

    A proposition above 0 holds, below 0 its negation does, at exactly 0 both do; one that occurs
    with one sign only is at its best at 0, and needs no value for that.
    """
    if not parts:  # the formula is a matter of length alone
        return np.zeros(1, dtype=np.int64)
    signs: dict[str, set[bool]] = defaultdict(set)
    for part in parts:
        for node in (form.nodes[index] for index in form.below(part)):
            if node.op == "literal":
                signs[node.name].add(node.positive)
    values = [(-1.0, 0.0, 1.0) if len(both) == 2 else (-1.0, 1.0) for both in signs.values()]
    if len(parts) > 62 or np.prod([float(len(v)) for v in values]) > MAX_TRANSITIONS:
        raise TooLarge(f"{len(signs)} propositions in one formula")
    cases = np.array(list(product(*values)))
    signals = {name: cases[:, [i]] for i, name in enumerate(signs)}
    return np.unique(patterns(form, parts, signals))


def patterns(
    form: NormalForm,
    parts: tuple[int, ...],
    signals: Mapping[str, Values],
    library: ModuleType = np,
) -> Any:
    """Bit i where part i holds, int64 in the shape of the signals; library as ``node_values``."""
    found = library.zeros_like(next(iter(signals.values())), dtype=library.int64)
    for bit, part in enumerate(parts):
        holds = node_values(form, part, signals, library) >= 0.0
        found |= library.where(holds, 1 << bit, 0)
    return found


def _reaches(table: NDArray[np.int32], targets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From which states some word, the empty one included, leads into the targets."""
    before: list[list[int]] = [[] for _ in table]
    for state, row in enumerate(table):
        for after in np.unique(row).tolist():
            before[after].append(state)
    found = targets.copy()
    stack = np.flatnonzero(targets).tolist()
    while stack:
        for state in before[stack.pop()]:
            if not found[state]:
                found[state] = True
                stack.append(state)
    return found
