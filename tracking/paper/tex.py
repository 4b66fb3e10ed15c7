"""Text as LaTeX in plain ASCII: nothing that comes from a file is a command, or stops an engine."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': "''", "`": r"\`{}",
    "–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'", "„": ",,",
    "\N{NO-BREAK SPACE}": "~", "\N{NARROW NO-BREAK SPACE}": r"\,",
    "§": r"\S{}", "°": r"\ensuremath{^{\circ}}",
    "ß": r"\ss{}", "æ": r"\ae{}", "ø": r"\o{}", "å": r"\aa{}", "ł": r"\l{}",
    "Æ": r"\AE{}", "Ø": r"\O{}", "Å": r"\AA{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
_MATHS = {
    "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "−": "-", "×": r"\times",
    "·": r"\cdot", "±": r"\pm", "∞": r"\infty", "→": r"\to", "←": r"\leftarrow", "↑": r"\uparrow",
    "↓": r"\downarrow", "√": r"\surd", "∈": r"\in", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee",
    "′": r"^{\prime}", "½": r"\frac12", "ε": r"\varepsilon", "φ": r"\varphi", "ℓ": r"\ell",
    "∑": r"\sum", "Σ": r"\Sigma", "∏": r"\prod", "∂": r"\partial", "∅": r"\emptyset",
}  # fmt: skip
_SUPER, _SUB = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀⁿ", "₀₁₂₃₄₅₆₇₈₉₊₋ₜᵢ"
_PLAIN = str.maketrans(_SUPER + _SUB, "0123456789+-Tn" + "0123456789+-ti")
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=",
    "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0306": "u", "\u0327": "c",
}  # fmt: skip
_LATIN = dict(zip(
    ["alpha", "beta", "epsilon", "zeta", "eta", "iota", "kappa", "mu", "nu", "omicron", "rho",
     "tau", "chi"],
    "ABEZHIKMNOPTX", strict=True,
))  # fmt: skip
"""Greek capitals that TeX does not have, since they look like Latin ones."""
_TOKEN = re.compile(
    rf"(?P<named>[εαβγδμ]_[A-Za-z]+)|(?P<up>[{_SUPER}]+)|(?P<down>[{_SUB}]+)|.", re.DOTALL
)


def escape(text: str) -> str:
    r"""The text for LaTeX, whatever it holds.

    >>> print(escape("50% of α_1 & ε_max, 10⁻⁷"))
    50\% of \ensuremath{\alpha}\_1 \& \ensuremath{\varepsilon_{\mathrm{max}}}, 10\ensuremath{^{-7}}
    >>> print(escape("Gauss–Rényi {x}^2"))
    Gauss--R\'{e}nyi \{x\}\textasciicircum{}2
    """
    return "".join(_of(token) for token in _TOKEN.finditer(unicodedata.normalize("NFC", text)))


def _of(token: re.Match[str]) -> str:
    whole = token.group()
    if token["named"]:
        letter, _, name = whole.partition("_")
        return rf"\ensuremath{{{_greek(letter)}_{{\mathrm{{{name}}}}}}}"
    if token["up"] or token["down"]:
        sign = "^" if token["up"] else "_"
        return rf"\ensuremath{{{sign}{{{whole.translate(_PLAIN)}}}}}"
    if whole in _SPECIAL:
        return _SPECIAL[whole]
    if whole in _MATHS:
        return rf"\ensuremath{{{_MATHS[whole]}}}"
    return whole if whole.isascii() and whole.isprintable() else _other(whole)


def _other(letter: str) -> str:
    if letter in "\n\t\r":
        return " "
    greek = _greek(letter)
    if greek:
        return rf"\ensuremath{{{greek}}}" if greek.startswith("\\") else greek
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and len(marks) == 1 and marks[0] in _ACCENTS:
        inner = rf"\{base}" if base in "ij" else base
        return rf"\{_ACCENTS[marks[0]]}{{{inner}}}"
    # A script of which TeX's own fonts have no letters is still told apart.
    return rf"\texttt{{U+{ord(letter):04X}}}"


def _greek(letter: str) -> str:
    """A Greek letter in maths, or as the Latin letter that looks like it; "" of others."""
    if letter in _MATHS:
        return _MATHS[letter]
    name = unicodedata.name(letter, "").split(" WITH ")[0]
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if found is None:
        return ""
    word = found[2].lower().replace("lamda", "lambda")
    if found[1] == "CAPITAL":
        return _LATIN.get(word, rf"\{word.capitalize()}")
    return "o" if word == "omicron" else rf"\{word}"
