"""What the rest of a trajectory still owes, as obligations, and how one more state changes it."""

from __future__ import annotations

from sport_ray.properties.normal_form import FALSE, TRUE, Node, NormalForm

# An obligation is about what follows the present state: 2·node + 1 ("strong": a next state exists
# and satisfies the node) or 2·node ("weak": if a next state exists, it does). A clause is a set of
# obligations, all owed; a demand is a set of clauses, one of which is to be met.
Clause = frozenset[int]
Demand = frozenset[Clause]

MET: Demand = frozenset([frozenset()])
LOST: Demand = frozenset()

# Comparisons of obligations and clauses, in total: some five seconds on one core.
MAX_WORK = 20_000_000


class TooLarge(Exception):
    """The automaton of a formula exceeds a limit."""


class Obligations:
    """Formula progression over one table of nodes.

    Demands are kept minimal: no obligation that another one of its clause implies, no clause that
    implies another clause. A bounded "until" implies the same within wider bounds, a "release"
    within narrower ones, so ``G (a -> F[0,20] b)`` owes at most one ``F[0,k] b`` at a time.

    Source: formula progression, Bacchus and Kabanza, Annals of Mathematics and AI 22 (1998).
    """

    def __init__(self, form: NormalForm, bits: dict[int, int]) -> None:
        """``bits``: for each propositional node that is read, its bit in a letter."""
        self.form = form
        self.bits = bits
        self.work = 0
        self._progress: dict[tuple[int, int], Demand] = {}
        self._implied: dict[tuple[int, int], bool] = {}

    def owed(self, node: int, strong: bool) -> Demand:
        """The demand that a node holds at the next state, if weak only where there is one."""
        if node == (FALSE if strong else TRUE):
            return LOST if strong else MET
        op = self.form.nodes[node].op
        if op in ("and", "or") and not self.form.is_propositional(node):
            parts = [self.owed(arg, strong) for arg in self.form.nodes[node].args]
            return self.both(parts) if op == "and" else self.either(parts)
        return frozenset([frozenset([2 * node + strong])])

    def step(self, demand: Demand, letter: int) -> Demand:
        """What is owed after one more state, with ``letter`` the bits of what holds there."""
        return self.either(
            [self.both([self.progress(o >> 1, letter) for o in clause]) for clause in demand]
        )

    @staticmethod
    def ends_well(demand: Demand) -> bool:
        """Whether the trajectory may end here: some clause owes weak obligations only."""
        return any(all(obligation % 2 == 0 for obligation in clause) for clause in demand)

    def progress(self, node: int, letter: int) -> Demand:
        """What is owed afterwards for a node to hold at a state with ``letter``."""
        key = (node, letter)
        if key not in self._progress:
            self._progress[key] = self._progressed(node, letter)
        return self._progress[key]

    def _progressed(self, index: int, letter: int) -> Demand:
        if index in (FALSE, TRUE):
            return MET if index == TRUE else LOST
        if self.form.is_propositional(index):
            return MET if letter >> self.bits[index] & 1 else LOST
        node = self.form.nodes[index]
        if node.op in ("and", "or"):
            parts = [self.progress(arg, letter) for arg in node.args]
            return self.both(parts) if node.op == "and" else self.either(parts)
        if node.op in ("next", "weak next"):
            return self.owed(node.args[0], strong=node.op == "next")
        # l U[a,b] r = r now (if a = 0), or l now and strongly next l U[a-1,b-1] r; R is the dual.
        until = node.op == "until"
        left = self.progress(node.args[0], letter)
        later = self.owed(self._rest(node), strong=until)
        goes_on = self.both([left, later]) if until else self.either([left, later])
        if node.low > 0:
            return goes_on
        right = self.progress(node.args[1], letter)
        return self.either([right, goes_on]) if until else self.both([right, goes_on])

    def _rest(self, node: Node) -> int:
        """A loop as it is owed one step later; loops with ``high`` 0 are no nodes (see loop)."""
        high = None if node.high is None else node.high - 1
        left, right = node.args
        return self.form.loop(node.op, left, right, max(node.low - 1, 0), high)

    def both(self, demands: list[Demand]) -> Demand:
        """The conjunction of demands."""
        result = MET
        for demand in sorted(demands, key=len):
            clauses = {self._minimal(c | d) for c in result for d in demand}
            result = self._absorbed(clauses)
        return result

    def either(self, demands: list[Demand]) -> Demand:
        """The disjunction of demands."""
        return self._absorbed({clause for demand in demands for clause in demand})

    def _minimal(self, clause: Clause) -> Clause:
        """The clause without the obligations that others in it imply."""
        self._count(len(clause) ** 2)
        return frozenset(
            o for o in clause if not any(p != o and self._implies(p, o) for p in clause)
        )

    def _absorbed(self, clauses: set[Clause]) -> Demand:
        """The clauses without those that imply another one."""
        if frozenset() in clauses:
            return MET
        if len(clauses) < 2:
            return frozenset(clauses)
        self._count(len(clauses) ** 2)
        return frozenset(
            c for c in clauses if not any(d != c and self._clause_implies(c, d) for d in clauses)
        )

    def _clause_implies(self, clause: Clause, other: Clause) -> bool:
        if other <= clause:
            return True
        self._count(len(other) * len(clause))
        return all(any(self._implies(p, o) for p in clause) for o in other)

    def _implies(self, one: int, other: int) -> bool:
        """Whether an obligation implies another; a partial order, so that minimal is unique."""
        if one == other:
            return True
        if other % 2 and not one % 2:
            return False  # a weak obligation may be met by the end of the trajectory
        key = (one >> 1, other >> 1)
        if key not in self._implied:
            self._count(1)
            self._implied[key] = self._node_implies(*key)
        return self._implied[key]

    def _node_implies(self, one: int, other: int) -> bool:
        if one in (other, FALSE) or other == TRUE:
            return True
        x, y = self.form.nodes[one], self.form.nodes[other]
        if x.op != y.op or x.op not in ("until", "release") or x.args != y.args:
            return False
        inner, outer = (x, y) if x.op == "until" else (y, x)
        ends_inside = outer.high is None or (inner.high is not None and inner.high <= outer.high)
        return outer.low <= inner.low and ends_inside

    def _count(self, work: int) -> None:
        self.work += work
        if self.work > MAX_WORK:
            raise TooLarge(f"more than {MAX_WORK} comparisons")
