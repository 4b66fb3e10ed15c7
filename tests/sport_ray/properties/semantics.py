"""The semantics, written down as it is defined, and random formulas and traces to try it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sport_ray.properties.syntax import Formula

INF = float("inf")
NAMES = ("a", "b", "c")
# Few values, so that ties, zeros and repeats are common.
VALUES = (-INF, -2.0, -0.5, 0.0, 0.5, 1.0, INF)

Trace = Mapping[str, Sequence[float]]


def rho(formula: Formula, trace: Trace, length: int, t: int = 0) -> float:
    """Robustness of the states t … length − 1, by definition; negation is the minus sign."""
    op, args = formula.op, formula.args

    def at(arg: Formula, when: int) -> float:
        return rho(arg, trace, length, when)

    def steps() -> range:
        low, high = formula.bounds or (0, length)
        return range(t + low, min(t + high, length - 1) + 1)

    match op:
        case "name":
            return trace[formula.name][t]
        case "true" | "false":
            return INF if op == "true" else -INF
        case "!":
            return -at(args[0], t)
        case "&":
            return min(at(arg, t) for arg in args)
        case "|":
            return max(at(arg, t) for arg in args)
        case "->":
            return max(-at(args[0], t), at(args[1], t))
        case "<->":
            p, q = at(args[0], t), at(args[1], t)
            return min(max(-p, q), max(-q, p))
        case "X":
            return at(args[0], t + 1) if t + 1 < length else -INF
        case "N":
            return at(args[0], t + 1) if t + 1 < length else INF
        case "F":
            return max((at(args[0], k) for k in steps()), default=-INF)
        case "G":
            return min((at(args[0], k) for k in steps()), default=INF)
        case "U":
            left, right = args
            ways = (min([at(right, k), *(at(left, j) for j in range(t, k))]) for k in steps())
            return max(ways, default=-INF)
        case "R":
            left, right = args
            duties = (max([at(right, k), *(at(left, j) for j in range(t, k))]) for k in steps())
            return min(duties, default=INF)
    raise AssertionError(op)


def holds(formula: Formula, trace: Trace, length: int, sign: bool = True, t: int = 0) -> bool:
    """The Boolean verdict on the formula, or for ``sign`` False on its negation.

    A literal holds iff its own value is at least 0, so at 0 both p and !p hold.
    """
    op, args = formula.op, formula.args
    both, either = (all, any) if sign else (any, all)

    def at(arg: Formula, when: int, same: bool = True) -> bool:
        return holds(arg, trace, length, sign == same, when)

    low, high = formula.bounds or (0, length)
    steps = range(t + low, min(t + high, length - 1) + 1)
    match op:
        case "name":
            return (trace[formula.name][t] if sign else -trace[formula.name][t]) >= 0
        case "true" | "false":
            return (op == "true") == sign
        case "!":
            return at(args[0], t, False)
        case "&":
            return both(at(arg, t) for arg in args)
        case "|":
            return either(at(arg, t) for arg in args)
        case "->":
            return either([at(args[0], t, False), at(args[1], t)])
        case "<->":
            p, not_p, q, not_q = (at(arg, t, same) for arg in args for same in (True, False))
            return both([either([not_p, q]), either([not_q, p])])
        case "X" | "N":
            return at(args[0], t + 1) if t + 1 < length else (op == "N") == sign
        case "F":
            return either(at(args[0], k) for k in steps)
        case "G":
            return both(at(args[0], k) for k in steps)
        case "U":
            left, right = args
            return either(both([at(right, k), *(at(left, j) for j in range(t, k))]) for k in steps)
        case "R":
            left, right = args
            return both(either([at(right, k), *(at(left, j) for j in range(t, k))]) for k in steps)
    raise AssertionError(op)


def flat(op: str, args: Sequence[Formula]) -> Formula:
    """``&`` and ``|`` as the parser makes them: no operand has the operator itself."""
    return Formula(op, tuple(p for arg in args for p in (arg.args if arg.op == op else (arg,))))


@st.composite
def _compound(draw: st.DrawFn, inner: st.SearchStrategy[Formula], max_bound: int) -> Formula:
    op = draw(st.sampled_from(("!", "&", "|", "->", "<->", "X", "N", "F", "G", "U", "R", "U", "G")))
    if op in ("&", "|"):
        return flat(op, draw(st.lists(inner, min_size=2, max_size=3)))
    bounds = None
    if op in ("F", "G", "U", "R") and draw(st.booleans()):
        low = draw(st.integers(0, max_bound))
        bounds = (low, draw(st.integers(low, max_bound)))
    size = 2 if op in ("->", "<->", "U", "R") else 1
    return Formula(op, tuple(draw(inner) for _ in range(size)), bounds)


def formulas(
    names: Sequence[str] = NAMES, max_leaves: int = 5, max_bound: int = 4, constants: bool = True
) -> st.SearchStrategy[Formula]:
    """Random formulas that name at least one proposition."""
    leaf = st.sampled_from([Formula("name", name=name) for name in names])
    if constants:
        leaf |= st.sampled_from([Formula("true"), Formula("false")])
    trees = st.recursive(leaf, lambda inner: _compound(inner, max_bound), max_leaves=max_leaves)
    return trees.filter(lambda tree: bool(tree.names()))


@st.composite
def batches(
    draw: st.DrawFn,
    count: int = 3,
    max_length: int = 5,
    values: Sequence[float] = VALUES,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Signals (count, L) for each name, and lengths."""
    width = draw(st.integers(1, max_length))
    elements = st.sampled_from(values)
    signals = {
        name: draw(hnp.arrays(np.float64, (count, width), elements=elements)) for name in NAMES
    }
    return signals, draw(hnp.arrays(np.int64, count, elements=st.integers(1, width)))


def rows(signals: Mapping[str, np.ndarray], lengths: np.ndarray) -> list[tuple[Trace, int]]:
    """One trace and its length at a time."""
    return [
        ({name: values[i].tolist() for name, values in signals.items()}, int(length))
        for i, length in enumerate(lengths)
    ]
