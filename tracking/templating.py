"""The template engine of the pages: everything from files is escaped, nothing may be undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Templates of ``tracking/templates``, with these filters."""
    environment = Environment(
        loader=PackageLoader("tracking", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment
