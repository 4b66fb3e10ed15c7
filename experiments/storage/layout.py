"""What of a result folder goes to a store, in which order, and what each reader needs of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from sport_ray.tracking.mlflow.client import DATABASE

Wanted = Callable[[str], bool]

LEDGER = "ledger.jsonl"
_STAYS = ("mlartifacts", "__pycache__")
_PRODUCTS = ("figures",)


def belongs(name: str) -> bool:
    """Whether a file of a result folder is kept in the store.

    Not what begins with a dot: temporary files, locks, Tune's state. Nor MLflow's store, which
    names folders of this machine and is made of the records again.
    """
    parts = PurePosixPath(name).parts
    if any(one.startswith(".") or one in _STAYS for one in parts):
        return False
    return not parts[-1].startswith(DATABASE) and not parts[-1].endswith(".tmp")


def is_record(name: str) -> bool:
    """Whether it is a cell's record, in the folder or in that of one of several bases."""
    parts = PurePosixPath(name).parts
    return len(parts) >= 3 and parts[-3] == "cells" and parts[-1] == "record.json"


def rank(name: str) -> int:
    """In which of three rounds a file is pushed: what names others comes after them.

    A record comes last: where there is one, all that it names is there. Likewise a certificate
    after its table, a policy's manifest after its weights.
    """
    if is_record(name) or name.rpartition("/")[2] == "certificate.json":
        return 2
    return 1 if name.endswith(".json") else 0


def is_finished(data: bytes) -> bool:
    """Whether the bytes of a record say that its cell is finished."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("status") == "finished"


def files_of(root: Path) -> Iterator[str]:
    """The names of the files of a copy that belong into the store; links are not followed."""
    stack = [""]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = list(found)
        except FileNotFoundError:
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not belongs(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                stack.append(name)
            elif entry.is_file(follow_symlinks=False):
                yield name


def whole(name: str) -> bool:
    """What a driver pulls, and most readers: all but what is made of the rest."""
    return belongs(name) and not any(one in _PRODUCTS for one in PurePosixPath(name).parts)


def for_report(name: str) -> bool:
    """What a report is made of: no policies, no certified table."""
    parts = PurePosixPath(name).parts
    return whole(name) and "policies" not in parts and not name.endswith(".parquet")


def for_certificate(name: str) -> bool:
    """What a certificate is verified with: its table and the base, no cells."""
    parts = PurePosixPath(name).parts
    return whole(name) and not {"cells", "policies"} & {*parts}


def for_status(name: str) -> bool:
    """What `status` reads: records, plan, ledger and the study."""
    last = name.rpartition("/")[2]
    return whole(name) and (is_record(name) or last in _TOLD)


_TOLD = (LEDGER, "plan.json", "study.json", "study.yaml", "certificate.json")
