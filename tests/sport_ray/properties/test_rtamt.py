"""Robustness against RTAMT (Nickovic and Yamaguchi, ATVA 2020), a maintained STL library."""

from __future__ import annotations

import numpy as np
import rtamt
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.properties import Property
from sport_ray.properties.syntax import Formula
from tests.sport_ray.properties.semantics import NAMES, formulas


def rtamt_text(formula: Formula) -> str:
    """The same formula for RTAMT, whose robustness of ``iff`` is another one (−|p − q|)."""
    args = [f"({rtamt_text(arg)})" for arg in formula.args]
    span = "" if formula.bounds is None else "[{},{}]".format(*formula.bounds)
    match formula.op:
        case "name":
            return f"{formula.name} >= 0"
        case "!":
            return f"not {args[0]}"
        case "&" | "|":
            return {"&": " and ", "|": " or "}[formula.op].join(args)
        case "->":
            return f"{args[0]} implies {args[1]}"
        case "<->":
            return f"({args[0]} implies {args[1]}) and ({args[1]} implies {args[0]})"
        case "X":  # RTAMT's next is the weak one; the strong one has no keyword
            return f"not (next (not {args[0]}))"
        case "N":
            return f"next {args[0]}"
        case "F" | "G":
            return f"{'eventually' if formula.op == 'F' else 'always'}{span} {args[0]}"
        case "U":
            return f"{args[0]} until{span} {args[1]}"
        case "R":
            return f"not ((not {args[0]}) until{span} (not {args[1]}))"
    raise AssertionError(formula.op)


@given(formulas(max_leaves=6, max_bound=5, constants=False), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_robustness_is_that_of_rtamt(formula, seed):
    spec = rtamt.StlDiscreteTimeOfflineSpecification()
    for name in formula.names():
        spec.declare_var(name, "float")
    spec.spec = rtamt_text(formula)
    spec.parse()
    rng = np.random.default_rng(seed)
    prop = Property(str(formula))
    for length in (2, 5, 12):  # not 1: RTAMT fails on a single sample
        trace = {name: rng.integers(-3, 4, size=length) / 2 for name in NAMES}
        data = {"time": list(range(length))}
        data |= {name: trace[name].tolist() for name in formula.names()}
        for t, wanted in spec.evaluate(data):  # the robustness of every suffix
            suffix = {name: values[t:] for name, values in trace.items()}
            assert prop.evaluate(suffix).robustness.item() == wanted
