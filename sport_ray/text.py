"""Text that others wrote, before a terminal sees it."""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories without a glyph: controls, formats (bidi overrides), lone surrogates, and
separators of lines and paragraphs."""


def plain(text: object) -> str:
    r"""One line of what can be seen: no control character is left, line breaks and tabs are spaces.

    Without them a terminal obeys nothing in it (colours, cursor, title, reversed order). Rich
    reads markup beside that: where a console prints the text, ``rich.markup.escape`` it too.

    >>> plain("a\x1b[31mb\tc\u202ed\r\n")
    'a[31mb cd '
    """
    line = str(text)
    if line.isprintable():  # nearly always, and then there is nothing of `_UNSEEN` in it
        return line
    return "".join(
        char if unicodedata.category(char) not in _UNSEEN else " " if char.isspace() else ""
        for char in line.replace("\r\n", "\n")
    )
