"""matplotlib, loaded so that no setting of the user's stops a figure or changes one.

Import this before anything of matplotlib. What its settings say is overruled where figures are
drawn (`sport_ray.tracking.figures.style.look`); here it is about settings with which it does not
load at all.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sport_ray.errors import UserError


def _load() -> None:
    """Import matplotlib, without its warnings about settings and about where it keeps its fonts.

    Raises:
        UserError: a settings file that it cannot read, by name.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    backend = os.environ.get("MPLBACKEND")
    try:
        importlib.import_module("matplotlib.font_manager")
    except ValueError as error:
        if backend is None or isinstance(error, UnicodeError):
            raise _unreadable(error) from None
        del os.environ["MPLBACKEND"]  # a name that it does not know; nothing here asks for one
        for half in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[half]
        try:
            importlib.import_module("matplotlib.font_manager")
        finally:
            os.environ["MPLBACKEND"] = backend
    except OSError as error:
        raise _unreadable(error) from None
    finally:
        logger.setLevel(level)


def _unreadable(error: Exception) -> UserError:
    file = next((file for file in _settings_files() if file.is_file()), None)
    where = f"its settings file {file}" if file else "its settings"
    return UserError(f"matplotlib cannot read {where} ({error}): mend it or move it away")


def _settings_files() -> Iterator[Path]:
    """Where matplotlib looks, in its order."""
    yield Path("matplotlibrc").absolute()
    named = os.environ.get("MATPLOTLIBRC")
    if named:
        yield from (Path(named), Path(named) / "matplotlibrc")
    own = os.environ.get("MPLCONFIGDIR")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    yield Path(own or os.path.join(config, "matplotlib")) / "matplotlibrc"


_load()
