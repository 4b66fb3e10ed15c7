"""From the text of a property to its syntax tree, with errors that name the column."""

from __future__ import annotations

import re
from typing import NamedTuple

from sport_ray.errors import UserError
from sport_ray.properties.syntax import BINARY, BOUNDED, CONSTANTS, RESERVED, UNARY, Formula

# On the depth of the tree, which every later stage recurses on, so that all of them stay far from
# Python's own limit. Reading may go twice as deep: canonical text has parentheses at each level.
MAX_DEPTH = 64
MAX_BOUND = 1_000_000

_TOKEN = re.compile(r"\s*(?P<text><->|->|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\S|$)")
_RIGHT_ASSOCIATIVE = ("<->", "->", "U", "R")
_OPERAND = "a proposition, 'true', 'false', '!', 'X', 'N', 'F', 'G' or '('"


class _Token(NamedTuple):
    text: str  # "" at the end
    column: int  # counted from 1

    @property
    def is_name(self) -> bool:
        return bool(re.match(r"[A-Za-z_]", self.text)) and self.text not in RESERVED


def parse(text: str) -> Formula:
    """The syntax tree of a formula.

    Unary operators bind tightest, then U and R, &, |, ->, <->. U, R, -> and <-> associate to the
    right: ``a U b U c`` is ``a U (b U c)``.

    Raises:
        UserError: the formula cannot be read; the message has the column (from 1) and what was
            expected there. Also for more than MAX_DEPTH levels of operators, and for a bound
            above MAX_BOUND steps.
    """
    return _Parser(text).whole()


class _Parser:
    """Precedence climbing over the list of tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[_Token] = []
        end = 0
        while not self.tokens or self.tokens[-1].text:
            match = _TOKEN.match(text, end)
            assert match is not None  # the pattern takes any character, or the end
            self.tokens.append(_Token(match["text"], match.start("text") + 1))
            end = match.end()
        self.at = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, problem: str, token: _Token) -> UserError:
        shown = self.text if len(self.text) <= 200 else self.text[:199] + "…"
        return UserError(f"property {shown!r}, column {token.column}: {problem}")

    def expected(self, what: str) -> UserError:
        found = repr(self.token.text) if self.token.text else "the end"
        if self.token.text in RESERVED:
            found = f"the operator word {found}"
        return self.fail(f"expected {what}, found {found}", self.token)

    def take(self) -> _Token:
        token = self.token
        self.at += bool(token.text)
        return token

    def take_text(self, text: str) -> None:
        if self.token.text != text:
            raise self.expected(repr(text))
        self.take()

    def build(self, token: _Token, *parts: object) -> Formula:
        formula = Formula(token.text, *parts)  # type: ignore[arg-type]
        if formula.depth > MAX_DEPTH:
            raise self.too_deep(token)
        return formula

    def too_deep(self, token: _Token) -> UserError:
        problem = f"expected at most {MAX_DEPTH} levels of operators inside one another"
        return self.fail(f"{problem}; give a part a signal of its own", token)

    def whole(self) -> Formula:
        formula = self.binary(1, 1)
        if self.token.text:
            raise self.expected("'&', '|', '->', '<->', 'U', 'R' or the end")
        return formula

    def binary(self, level: int, depth: int) -> Formula:
        """A formula whose outermost operators bind at least as tightly as ``level``."""
        left = self.unary(depth)
        while BINARY.get(self.token.text, 0) >= level:
            token = self.take()
            bounds = self.bounds() if token.text in BOUNDED else None
            inner = BINARY[token.text] + (token.text not in _RIGHT_ASSOCIATIVE)
            right = self.binary(inner, depth + 1)
            args: tuple[Formula, ...] = (left, right)
            if token.text in "&|":  # flat, so that long lists of conditions are not deep
                args = tuple(
                    part for arg in args for part in (arg.args if arg.op == token.text else (arg,))
                )
            left = self.build(token, args, bounds)
        return left

    def unary(self, depth: int) -> Formula:
        token = self.token
        if depth > 2 * MAX_DEPTH:
            raise self.too_deep(token)
        if token.text == "(":
            self.take()
            formula = self.binary(1, depth + 1)
            if self.token.text != ")":
                raise self.expected("an operator or ')'")
            self.take()
            return formula
        if token.is_name:
            return Formula("name", name=self.take().text)
        if token.text in CONSTANTS:
            return Formula(self.take().text)
        if token.text not in (*UNARY, "WX"):
            raise self.expected(_OPERAND)
        token = self.take()
        if token.text == "WX":
            token = token._replace(text="N")
        bounds = self.bounds() if token.text in BOUNDED else None
        return self.build(token, (self.unary(depth + 1),), bounds)

    def bounds(self) -> tuple[int, int] | None:
        """``[a,b]`` if it stands here."""
        if self.token.text != "[":
            return None
        self.take()
        first = self.steps(0)
        self.take_text(",")
        last = self.steps(first)
        self.take_text("]")
        return first, last

    def steps(self, least: int) -> int:
        """A number of steps, at least ``least``."""
        token = self.token
        wanted = f"a number of steps from {least} to {MAX_BOUND}"
        if not re.match("[0-9]", token.text):
            raise self.expected(wanted)
        # The length first: Python refuses to read integers of thousands of digits.
        digits = token.text.lstrip("0") or "0"
        if len(digits) > len(str(MAX_BOUND)) or not least <= int(digits) <= MAX_BOUND:
            raise self.expected(wanted)
        self.take()
        return int(digits)
