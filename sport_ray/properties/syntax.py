"""Formulas of temporal logic on finite traces: the syntax tree and its canonical text."""

from __future__ import annotations

from dataclasses import dataclass, field

CONSTANTS = ("true", "false")
# N is the weak next; WX is another spelling of it.
UNARY = ("!", "X", "N", "F", "G")
# Loosest first, as (operator, level); U and R bind more tightly than &, unary operators most.
BINARY = {"<->": 1, "->": 2, "|": 3, "&": 4, "U": 5, "R": 5}
# These may carry step bounds [a,b].
BOUNDED = ("F", "G", "U", "R")
RESERVED = (*CONSTANTS, "X", "N", "WX", "F", "G", "U", "R")


@dataclass(frozen=True)
class Formula:
    """One node of the syntax tree.

    op: an operator of ``UNARY`` or ``BINARY``, a constant, or ``"name"`` for a proposition.
    args: the operands; two or more for ``&`` and ``|``, which are flat, else as op says.
    bounds: (a, b) in steps, 0 ≤ a ≤ b, or None for no bound; only with ``BOUNDED``.
    name: the proposition's name; only with ``"name"``.
    depth: number of nodes on the longest path down; what the parser's limit is on.
    """

    op: str
    args: tuple[Formula, ...] = ()
    bounds: tuple[int, int] | None = None
    name: str = ""
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((arg.depth for arg in self.args), default=0))

    def __str__(self) -> str:
        """Canonical text: the parser reads the same tree from it.

        >>> hazard, goal = Formula("name", name="hazard"), Formula("name", name="goal")
        >>> str(Formula("U", (Formula("!", (hazard,)), goal), bounds=(0, 9)))
        '(!hazard) U[0,9] goal'
        """
        if self.op == "name":
            return self.name
        if self.op in CONSTANTS:
            return self.op
        op = self.op if self.bounds is None else f"{self.op}[{self.bounds[0]},{self.bounds[1]}]"
        if self.op == "!":
            return f"!{_operand(self.args[0])}"
        if self.op in UNARY:
            return f"{op} {_operand(self.args[0])}"
        # Precedence is not relied upon, so that nobody needs to know it to read the text.
        return f" {op} ".join(_operand(arg, bare=self.op not in "UR") for arg in self.args)

    def names(self) -> tuple[str, ...]:
        """The propositions, each once, in order of first appearance."""
        if self.op == "name":
            return (self.name,)
        return tuple(dict.fromkeys(name for arg in self.args for name in arg.names()))


def _operand(formula: Formula, bare: bool = True) -> str:
    """An operand's text, in parentheses unless it is an atom, or unary where ``bare`` allows."""
    atom = formula.op == "name" or formula.op in CONSTANTS
    return str(formula) if atom or (bare and formula.op in UNARY) else f"({formula})"
