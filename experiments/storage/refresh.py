"""A reader's copy that stays current, for those who watch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.storage.copies import reader_copy
from sport_ray.experiments.storage.layout import for_report
from sport_ray.experiments.storage.origin import FOLDER, origin_of

REFRESH_SECONDS = 10.0


@contextmanager
def refreshed(folder: Path) -> Iterator[None]:
    """Fetch what is new every ten seconds in the block; of a folder that is no reader's, nothing.

    A store that does not answer is asked again: what is here is shown meanwhile.
    """
    place, ended = origin_of(folder), threading.Event()
    if place is None or folder.absolute() != place.cache / "reader" / FOLDER:
        yield
        return

    def work() -> None:
        while not ended.wait(REFRESH_SECONDS):
            with suppress(UserError, OSError):
                reader_copy(place, for_report)

    threading.Thread(target=work, name="refresh", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
