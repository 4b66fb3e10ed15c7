"""The result folder of a study: claimed by it, locked, and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from sport_ray.canonical import write_atomic, write_json
from sport_ray.errors import UserError
from sport_ray.experiments.config.redact import public_study, public_text
from sport_ray.experiments.results.lock import LEASE, FolderLock
from sport_ray.tracking.results.folder import ResultFolder, damaged

if TYPE_CHECKING:  # torch takes seconds, which `sport-ray status` should not
    from sport_ray.experiments.config.study import Study

Model = TypeVar("Model", bound=BaseModel)


class StudyFolder(ResultFolder):
    """A result folder and its study; a folder belongs to one study, by name.

    text: the study's YAML, where it is not what lies in a file at this moment.

    Raises:
        UserError: the folder holds the results of a study with another name.
    """

    def __init__(self, root: Path, study: Study, text: bytes | None = None) -> None:
        super().__init__(Path(root).absolute())
        self.study = study
        self._text = text
        self._lock: FolderLock | None = None
        holder = self._holder()
        if holder is not None and holder != study.name:
            raise UserError(
                f"result folder {self.root} holds the study {holder!r}, not {study.name!r}: "
                "choose another folder with --results"
            )
        if holder is None and self.root.is_dir() and not self._empty():
            raise UserError(
                f"result folder {self.root} is not empty and holds no study: "
                "choose another folder with --results"
            )

    def _empty(self) -> bool:
        """Nothing is there, or what a process left that died as soon as it had the lock."""
        return {path.name for path in self.root.iterdir()} <= {LEASE}

    def _holder(self) -> str | None:
        kept = self.read_study()
        if kept is None:
            return None
        if not isinstance(kept.get("name"), str):
            raise UserError(damaged(self.study_json, "names no study"))
        return str(kept["name"])

    def hold(self) -> FolderLock:
        """Take the lock that whoever changes the folder holds until its process ends; it is kept.

        Raises:
            UserError: another process is at work here.
        """
        if self._lock is None:
            self._lock = FolderLock(self.root)
        return self._lock

    def release(self) -> None:
        """Let go of the lock in a process that goes on, such as a notebook's."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def claim(self, source: Path | None) -> None:
        """Take the lock, and a new folder for this study; what lies there is not changed.

        Raises:
            UserError: another process is at work here; a disk that takes nothing.
        """
        self.hold()
        if self._holder() is None:
            self.write_study(source)

    def write_study(self, source: Path | None) -> None:
        """Write down the study as it is now (without secrets), once it is known to be sound."""
        self.hold()
        try:
            write_json(self.study_json, public_study(self.study))
            text = self._text
            if text is None and source is not None:
                text = source.read_bytes()
            if text is not None:
                write_atomic(self.study_file, public_text(text))
        except OSError as error:
            raise UserError(f"{self.root} cannot be written: {error.strerror}") from None

    def set_aside(self, cell_id: str) -> bool:
        """Move a record that cannot be read out of the way of its successor; whether there was one.

        A crash or a full disk can leave half a record, and readers of the folder stop at one.
        """
        path = self.record(cell_id)
        for half in path.parent.glob(".*.tmp"):  # whoever wrote it was killed
            half.unlink(missing_ok=True)
        if self.read_record(cell_id) is not None or not path.exists():
            return False
        path.replace(path.with_name("record.damaged"))
        return True


def read_model(path: Path, model: type[Model]) -> Model | None:
    """What a stage wrote down as JSON; None where there is none.

    Raises:
        UserError: a damaged file.
    """
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is damaged: {reason}; delete it and run again") from None
