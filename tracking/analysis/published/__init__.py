"""Published numbers, one table per paper, as read off its figures or tables."""

from __future__ import annotations

from importlib import resources


def published_names() -> list[str]:
    """The published tables that there are."""
    folder = resources.files(__name__)
    return sorted(
        one.name.removesuffix(".csv") for one in folder.iterdir() if one.name.endswith(".csv")
    )


def published_text(name: str) -> str:
    """A table as CSV. Raises FileNotFoundError for an unknown name."""
    return (resources.files(__name__) / f"{name}.csv").read_text("utf-8")
