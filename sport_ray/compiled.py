"""numba's compiler with its cache on disk; without one where there is no place for it."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit(cache=True, **options)``; where no cache can be written, the same without one.

    numba itself refuses to import such a module: installed read-only, with a home folder that is
    read-only, too, as in many containers. The results are the same; each process compiles anew.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = numba.njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _tell_once()
            return numba.njit(**options)(function)
        _tolerate_a_full_disk(dispatcher)
        return dispatcher

    return compiled


@functools.cache
def _tell_once() -> None:
    warnings.warn(
        "numba finds no folder to keep compiled code in, so every process compiles for some "
        "seconds: set NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )


def _tolerate_a_full_disk(dispatcher: Any) -> None:
    """What cannot be kept is compiled all the same: a call must not fail for it."""
    cache: Any = getattr(dispatcher, "_cache", None)
    if not hasattr(cache, "save_overload"):
        return
    save = cache.save_overload

    def save_if_possible(*arguments: Any) -> None:
        with contextlib.suppress(OSError):
            save(*arguments)

    cache.save_overload = save_if_possible
