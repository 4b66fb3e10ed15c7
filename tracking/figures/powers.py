"""Labels of logarithmic axes as plain text: '10⁻²', where matplotlib would set mathematics.

With them no figure needs its mathematical mode, in which a '$' of a name would be a command.
"""

from __future__ import annotations

import re
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, LogFormatterMathtext

_SUPERSCRIPT = str.maketrans("-+0123456789", "⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹")


class PlainPowers(Formatter):
    """A formatter of a logarithmic axis, its labels in plain text."""

    def __init__(self, inner: LogFormatterMathtext) -> None:
        self.inner = inner

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of one tick."""
        return plain_power(self.inner(x, pos))

    def set_locs(self, locs: Any) -> None:
        """Where the ticks are, by which it is decided how many are labelled."""
        super().set_locs(locs)
        self.inner.set_locs(locs)


def plain_power(label: str) -> str:
    r"""A label of matplotlib's in plain text.

    >>> plain_power(r"$\mathdefault{2\times10^{-3}}$"), plain_power("0.5")
    ('2×10⁻³', '0.5')
    """
    text = label.strip("$").replace(r"\times", "×").replace("−", "-")
    text = re.sub(r"\\mathdefault\{(.*)\}", r"\1", text)
    return re.sub(r"\^\{([-+\d]*)\}", lambda found: found[1].translate(_SUPERSCRIPT), text)


def label_powers_plainly(figure: Figure) -> None:
    """Give every logarithmic axis of the figure plain labels."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            major, minor = axis.get_major_formatter(), axis.get_minor_formatter()
            if isinstance(major, LogFormatterMathtext):
                axis.set_major_formatter(PlainPowers(major))
            if isinstance(minor, LogFormatterMathtext):
                axis.set_minor_formatter(PlainPowers(minor))
