"""A SQLite store that is made whole or not at all.

MLflow makes its database by dozens of migrations, for seconds. Killed in the middle it leaves one
that no later run can open.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_database(uri: str) -> None:
    """Make the file of a SQLite URI with MLflow's tables, if there is none.

    Made beside its place under another name, and put there when it is whole; of several processes
    that do so at once, one's stays. Nothing happens for other URIs, or where no folder is.

    Raises:
        Whatever MLflow, SQLAlchemy and the file system raise.
    """
    if not uri.startswith("sqlite"):
        return
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    path = Path(url.database or "")
    if url.query or not path.is_absolute() or path.exists() or not path.parent.is_dir():
        return
    if not uri.endswith(path.name):  # a name that is written otherwise: MLflow makes it in place
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        _initialize(f"{uri.removesuffix(path.name)}{draft.name}")
        with suppress(OSError):  # another's is there; where no links are, MLflow makes it in place
            os.link(draft, path)
    finally:
        for left in path.parent.glob(f".{path.name}.{os.getpid()}*"):
            left.unlink(missing_ok=True)


def _initialize(uri: str) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, "mlruns").engine.dispose()
