"""The template engine of the pages: everything from files is escaped, nothing may be undefined."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sport_ray.tracking.console import plain_lines


def _seen(value: Any) -> Any:
    """Text without control characters, line by line; what was made for the page is left alone."""
    return (
        plain_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
    )


def page_environment(**filters: Callable[..., Any]) -> Environment:
    """Templates of ``tracking/report/templates``, with these filters, and two of bytes.

    ``base64`` and ``gzip``.
    """
    environment = Environment(
        loader=PackageLoader("sport_ray.tracking.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    # Without a time in it, so that the same files give the same page.
    environment.filters["gzip"] = lambda content: gzip.compress(content, mtime=0)
    environment.filters.update(filters)
    return environment


def asset(name: str) -> Markup:
    """A style or script of the pages. Part of this package, so trusted and not escaped."""
    folder = resources.files("sport_ray.tracking.report")
    return Markup(folder.joinpath("templates", name).read_text("utf-8"))
