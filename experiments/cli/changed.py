"""Results that a command changes beside the stages of a study: a folder, or a place in a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from sport_ray.tracking.console import say


@contextmanager
def changed(path: Path, console: Console) -> Iterator[Path]:
    """The path, or the driver's copy of the place that a URI means: what is new there is pushed.

    Of a place a file below its prefix may be named, as ``certificate.json``.

    Raises:
        UserError: no results there, another driver at work, and what else the store says.
    """
    from sport_ray.experiments.cluster.signals import terminating
    from sport_ray.experiments.storage.copies import driver_copy, require_results
    from sport_ray.experiments.storage.place import Place

    if Place.of(path) is None:
        yield path
        return
    file = path.name if path.suffix == ".json" else ""
    place = Place.of(path.parent if file else path)
    assert place is not None
    require_results(place)
    with terminating(), driver_copy(place, None, lambda line: say(console, line)) as root:
        yield root / file
