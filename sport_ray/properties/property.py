"""A temporal property of finite trajectories, and its verdict on many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.errors import UserError
from sport_ray.properties.automaton import Automaton, build_automaton
from sport_ray.properties.normal_form import NormalForm
from sport_ray.properties.obligations import TooLarge
from sport_ray.properties.over_time import is_never_mended, kept_from
from sport_ray.properties.parser import parse
from sport_ray.properties.robustness import robustness
from sport_ray.properties.signals import checked_signals
from sport_ray.properties.syntax import Formula

NEVER = -1
# Numbers held at a time, some 30 MB: the trajectories are judged in blocks of rows.
_BLOCK = 2**22


class Verdict(NamedTuple):
    """The verdict on n trajectories; step t is the state with index t, the first one being 0.

    robustness: ρ of the whole trajectory, shape (n,), in the signals' unit; negative iff violated.
    satisfied: ρ ≥ 0, shape (n,).
    by_step: whether the states 0 … t alone satisfy the property, shape (n, L); from a
        trajectory's last state on, the verdict on the whole.
    satisfied_at: first step from which on no continuation, none included, can violate the
        property, or NEVER (−1), shape (n,).
    violated_at: first step from which on none can satisfy it, or NEVER, shape (n,). A trajectory
        may be satisfied or violated with NEVER in both: it ended while either was possible.
    """

    robustness: NDArray[np.float64]
    satisfied: NDArray[np.bool_]
    by_step: NDArray[np.bool_]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]

    @property
    def violated(self) -> NDArray[np.bool_]:
        """The trajectories with ρ < 0."""
        return ~self.satisfied


@dataclass(frozen=True)
class Property:
    """A formula of linear temporal logic on finite traces, over real-valued signals.

    ``formula`` is brought to its canonical text, which is all that a property is: equal and
    pickled by it. What evaluation needs is built on first use and cached in the process.

    Robustness ρ is min and max over the literals' values, s for p and −s for !p (see
    ``robustness``); ρ ≥ 0 satisfies. That is the Boolean verdict in which a literal holds iff its
    value is at least 0, so at exactly 0 both p and !p hold.

    Raises:
        UserError: the formula cannot be read (with the column), or names no proposition.
    """

    formula: str

    def __post_init__(self) -> None:
        tree = parse(self.formula)
        if not tree.names():
            raise UserError(
                f"property {self.formula!r} names no proposition: write one, such as 'F goal'"
            )
        object.__setattr__(self, "formula", str(tree))

    @property
    def signal_names(self) -> tuple[str, ...]:
        """The propositions that an environment must provide, in order of first appearance."""
        return _tree(self.formula).names()

    @property
    def literals(self) -> frozenset[tuple[str, bool]]:
        """The propositions with their signs, once negations are moved inwards to them.

        >>> sorted(parse_property("!(hazard & !goal)").literals)
        [('goal', True), ('hazard', False)]
        """
        form = NormalForm()
        nodes = [form.nodes[index] for index in form.below(form.add(_tree(self.formula)))]
        return frozenset((node.name, node.positive) for node in nodes if node.op == "literal")

    @property
    def eventual_goal(self) -> str | None:
        """For exactly the form ``(!a) U b`` the name b: what "time to goal" is the time to.

        >>> parse_property("!hazard U goal").eventual_goal
        'goal'
        >>> parse_property("F goal").eventual_goal is None
        True
        """
        tree = _tree(self.formula)
        if tree.op != "U" or tree.bounds is not None:
            return None
        avoid, reach = tree.args
        named = avoid.op == "!" and avoid.args[0].op == "name" and reach.op == "name"
        return reach.name if named else None

    def kept_from(self, longest: int) -> int | None:
        """The smallest T ≥ 1 (steps) from which "satisfied within T" is satisfied for good.

        A T from there on may be picked by its risk alone: a longer one would promise no more.
        None: of no T up to ``longest``, so that the shorter T is, the less is promised.

        Raises:
            UserError: the formula's automaton is too large.

        >>> [parse_property(text).kept_from(100) for text in ("F goal", "G !fast", "G[0,5] !fast")]
        [1, None, 5]
        """
        return kept_from(compiled(self.formula).automaton, longest)

    @property
    def is_never_mended(self) -> bool:
        """Whether a violation within T steps is one for every longer T: risk cannot fall with T.

        >>> parse_property("G !fast").is_never_mended, parse_property("F goal").is_never_mended
        (True, False)
        """
        return is_never_mended(compiled(self.formula).automaton)

    def compile(self) -> None:
        """Build now what the first evaluation would build.

        Raises:
            UserError: the formula's automaton is too large.
        """
        compiled(self.formula)

    def evaluate(
        self, signals: Mapping[str, ArrayLike], lengths: ArrayLike | None = None
    ) -> Verdict:
        """Judge n trajectories at once.

        Args:
            signals: for each proposition its values, shape (n, L) or (L,), state 0 first: positive
                where the proposition holds, infinite values are allowed; or Booleans (+1 and −1).
            lengths: number of states of each trajectory, shape (n,), 1 … L; default all L. What
                lies beyond is ignored.

        Raises:
            ValueError: a missing signal, shapes that differ, lengths out of range, or a NaN
                inside a trajectory (a NaN has no verdict).
            UserError: the formula's automaton is too large.

        >>> prop = parse_property("(!hazard) U goal")
        >>> verdict = prop.evaluate({"hazard": [-3, -1, -2], "goal": [-2, -1, 0.5]})
        >>> verdict.robustness.item(), verdict.satisfied_at.item(), verdict.by_step.tolist()
        (0.5, 2, [[False, False, True]])
        """
        arrays, ends = checked_signals(self.signal_names, signals, lengths)
        built = compiled(self.formula)
        width = arrays[self.signal_names[0]].shape[1]
        rows = max(1, _BLOCK // (width * built.num_nodes))
        blocks = [
            _judge(built, {k: v[i : i + rows] for k, v in arrays.items()}, ends[i : i + rows])
            for i in range(0, max(len(ends), 1), rows)
        ]
        return Verdict(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def parse_property(formula: str) -> Property:
    """The property that a formula states.

    Propositions are names; ``!``, ``&``, ``|``, ``->``, ``<->``; ``X`` (a next state exists and …),
    ``N`` or ``WX`` (if a next state exists, …), ``F``, ``G``, ``U``, ``R``, the last four also with
    step bounds, ``F[0,5]``; ``true``, ``false`` and parentheses.

    Raises:
        UserError: the formula cannot be read (with the column), or names no proposition.

    >>> parse_property("F goal & G(hazard -> F[0, 5] clear)").formula
    'F goal & G (hazard -> F[0,5] clear)'
    """
    return Property(formula)


class Compiled(NamedTuple):
    """What evaluates a property: its nodes, the root, how many there are, the automaton."""

    form: NormalForm
    root: int
    num_nodes: int
    automaton: Automaton


@lru_cache(maxsize=128)
def _tree(formula: str) -> Formula:
    return parse(formula)


@lru_cache(maxsize=32)
def compiled(formula: str) -> Compiled:
    """What evaluates the property of a formula, built once.

    Raises:
        UserError: the formula's automaton is too large.
    """
    form = NormalForm()
    root = form.add(_tree(formula))
    num_nodes = len(form.below(root))  # before the automaton adds the steps of bounded operators
    try:
        return Compiled(form, root, num_nodes, build_automaton(form, root))
    except TooLarge as problem:
        raise UserError(
            f"property {formula!r} is too large to monitor ({problem}): shorten its bounds, or "
            "give a part of it a signal of its own"
        ) from None


def _judge(
    built: Compiled, signals: dict[str, NDArray[np.float64]], lengths: NDArray[np.int64]
) -> Verdict:
    value = robustness(built.form, built.root, signals, lengths)
    satisfied = value >= 0.0
    automaton = built.automaton
    states = automaton.read(signals, lengths)
    by_step = automaton.accepts[states]
    # Two independent evaluations: a certificate must not rest on one that disagrees.
    if not np.array_equal(by_step[:, -1], satisfied):
        raise RuntimeError("the automaton and the robustness of a property disagree")
    return Verdict(
        value, satisfied, by_step, _first(automaton.good[states]), _first(automaton.bad[states])
    )


def _first(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First step (n,) at which each row of (n, L) holds, or NEVER."""
    return np.where(holds.any(axis=1), holds.argmax(axis=1), NEVER)
