"""Negation normal form: negation at propositions only, until and release the only loops."""

from __future__ import annotations

from typing import NamedTuple

from sport_ray.properties.syntax import Formula

FALSE, TRUE = 0, 1


class Node(NamedTuple):
    """One operator of the normal form; operands are indices into ``NormalForm.nodes``.

    op: "false", "true", "literal", "and", "or", "next" (strong), "weak next", "until", "release".
    args: the operands; (left, right) of until and release.
    low, high: bounds of until and release in steps, both counted; high None for no bound.
    name, positive: a literal's proposition and sign.
    """

    op: str
    args: tuple[int, ...] = ()
    low: int = 0
    high: int | None = None
    name: str = ""
    positive: bool = True


# The law behind each pair: swapping the two negates a formula whose operands are negated.
_DUAL = {"&": "or", "|": "and", "X": "weak next", "N": "next", "U": "release", "R": "until"}
_PLAIN = {"&": "and", "|": "or", "X": "next", "N": "weak next", "U": "until", "R": "release"}


class NormalForm:
    """A table of nodes, each once, operands before what they are part of.

    ``F φ`` becomes ``true U φ`` and ``G φ`` ``false R φ``. The simplifications are equalities of
    robustness, hence of verdicts. ``p & !p`` is not false: at exactly 0 both literals hold.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = [Node("false"), Node("true")]
        self._index = {node: i for i, node in enumerate(self.nodes)}
        self._propositional = [True, True]
        self._added: dict[tuple[Formula, bool], int] = {}

    def _node(self, node: Node) -> int:
        index = self._index.get(node)
        if index is None:
            index = self._index[node] = len(self.nodes)
            self.nodes.append(node)
            inner = all(self._propositional[arg] for arg in node.args)
            self._propositional.append(node.op in ("literal", "and", "or") and inner)
        return index

    def is_propositional(self, index: int) -> bool:
        """Whether a node speaks of the present state only."""
        return self._propositional[index]

    def below(self, root: int) -> list[int]:
        """All nodes that a node is made of, itself last, operands before their users."""
        found, stack = {root}, [root]
        while stack:
            new = set(self.nodes[stack.pop()].args) - found
            found |= new
            stack.extend(new)
        return sorted(found)

    def add(self, formula: Formula, positive: bool = True) -> int:
        """The node of a formula, or of its negation."""
        key = (formula, positive)
        if key not in self._added:  # <-> names its operands twice: do not expand them twice
            self._added[key] = self._add(formula, positive)
        return self._added[key]

    def _add(self, formula: Formula, positive: bool) -> int:
        op = formula.op
        if op in ("true", "false"):
            return TRUE if (op == "true") == positive else FALSE
        if op == "name":
            return self._node(Node("literal", name=formula.name, positive=positive))
        if op == "!":
            return self.add(formula.args[0], not positive)
        if op in ("->", "<->"):
            yes = [self.add(arg, True) for arg in formula.args]
            no = [self.add(arg, False) for arg in formula.args]
            forth, back = (no[0], yes[1]), (no[1], yes[0])
            if not positive:
                forth, back = (yes[0], no[1]), (yes[1], no[0])
            inner, outer = ("or", "and") if positive else ("and", "or")
            parts = (forth,) if op == "->" else (forth, back)
            return self.junction(outer, tuple([self.junction(inner, part) for part in parts]))
        args = tuple([self.add(arg, positive) for arg in formula.args])
        low, high = formula.bounds or (0, None)
        if op in ("F", "G"):
            if (op == "F") == positive:
                return self.loop("until", TRUE, args[0], low, high)
            return self.loop("release", FALSE, args[0], low, high)
        kind = (_PLAIN if positive else _DUAL)[op]
        if op in ("&", "|"):
            return self.junction(kind, args)
        if op in ("X", "N"):
            return self.next(kind, args[0])
        return self.loop(kind, args[0], args[1], low, high)

    def junction(self, op: str, args: tuple[int, ...]) -> int:
        """The conjunction ("and") or disjunction ("or") of nodes."""
        neutral, decisive = (TRUE, FALSE) if op == "and" else (FALSE, TRUE)
        parts: set[int] = set()
        for arg in args:
            parts.update(self.nodes[arg].args if self.nodes[arg].op == op else (arg,))
        parts.discard(neutral)
        if decisive in parts or not parts:
            return decisive if decisive in parts else neutral
        # What speaks of the present state only is gathered into one node: the automaton reads
        # one bit for it, however many propositions it names.
        present = {part for part in parts if self.is_propositional(part)}
        if len(present) > 1 and present != parts:
            parts = (parts - present) | {self._node(Node(op, tuple(sorted(present))))}
        return parts.pop() if len(parts) == 1 else self._node(Node(op, tuple(sorted(parts))))

    def next(self, op: str, arg: int) -> int:
        """The "next" or "weak next" of a node."""
        trivial = FALSE if op == "next" else TRUE
        return trivial if arg == trivial else self._node(Node(op, (arg,)))

    def loop(self, op: str, left: int, right: int, low: int, high: int | None) -> int:
        """The "until" or "release" of two nodes within bounds."""
        absent, present = (FALSE, TRUE) if op == "until" else (TRUE, FALSE)
        if right == absent or (left == absent and low > 0):
            return absent
        if low == 0 and (high == 0 or left == absent or right == present):
            return right
        return self._node(Node(op, (left, right), low, high))
