"""An iterator that is one item ahead of who takes from it, in a thread."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The items; the next one is made while the last is looked at.

    What is raised while making one is raised where it would have been taken. Closing waits for the
    item that is being made.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        try:
            coming = thread.submit(next, items, _END)
            while (found := coming.result()) is not _END:
                coming = thread.submit(next, items, _END)
                yield found  # type: ignore[misc]
        finally:
            thread.submit(items.close).result()
