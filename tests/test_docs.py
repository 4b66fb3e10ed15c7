"""The pages can be read: short lines, short sentences, links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
LONGEST_LINE = 120
MOST_WORDS = 30


def prose(text: str) -> str:
    """Without code, tables, formulas and comments."""
    for pattern in (r"```.*?```", r"\$\$.*?\$\$", r"<!--.*?-->"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("|"))


def sentences(text: str) -> list[str]:
    """Sentences, ended by a full stop, a colon or a semicolon, or by the end of an item."""
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*#]|\d+\.) )", text)
    one_line = (" ".join(block.split()) for block in blocks)
    return [part for block in one_line for part in re.split(r"(?<=[.!?:;])[)*]*\s+", block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_and_sentences_are_short(page: Path) -> None:
    text = prose(page.read_text(encoding="utf-8"))
    assert [line for line in text.splitlines() if len(line) > LONGEST_LINE] == []
    long = [one for one in sentences(text) if len(one.split()) > MOST_WORDS]
    assert long == []
