"""The template engine of the pages: everything from files is escaped, nothing may be undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sport_ray.tracking.console import plain_lines


def _seen(value: Any) -> Any:
    """Text without control characters, line by line; what was made for the page is left alone."""
    return (
        plain_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
    )


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Templates of ``tracking/templates``, with these filters."""
    environment = Environment(
        loader=PackageLoader("sport_ray.tracking.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters.update(filters)
    return environment
