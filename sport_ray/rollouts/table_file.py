"""The outcome table on disk: Parquet, written and read in portions, no pickle."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sport_ray.errors import UserError
from sport_ray.rollouts.outcomes import Outcomes

ROWS_PER_GROUP = 10_000


class OutcomeWriter:
    """Writes outcomes as they come; the file appears, whole, when the block ends without error.

    Portions are cut anew into groups of ROWS_PER_GROUP, so the bytes do not depend on them.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}.tmp")
        self._writer: pq.ParquetWriter | None = None
        self._held: list[Outcomes] = []

    def __enter__(self) -> OutcomeWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, outcomes: Outcomes) -> None:
        """Take the next rows."""
        self._held.append(outcomes)
        held = sum(part.num_scenarios for part in self._held)
        if held >= ROWS_PER_GROUP:
            rows = Outcomes.concatenate(self._held)
            whole = held - held % ROWS_PER_GROUP
            for first in range(0, whole, ROWS_PER_GROUP):
                self._write(rows.rows(slice(first, first + ROWS_PER_GROUP)))
            self._held = [rows.rows(slice(whole, None))] if held > whole else []

    def _write(self, outcomes: Outcomes) -> None:
        table = to_arrow(outcomes)
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._temporary, table.schema, compression="zstd", write_page_checksum=True
            )
        self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._held:
                self._write(Outcomes.concatenate(self._held))
            if self._writer is not None:
                self._writer.close()
            if kind is None:
                with self._temporary.open("rb") as handle:
                    os.fsync(handle.fileno())
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


def to_arrow(outcomes: Outcomes) -> pa.Table:
    """The table with one Arrow column per field; verdicts as fixed-size binary."""
    columns = {}
    for name, values in outcomes.to_arrays().items():
        if values.ndim == 2:
            width = values.shape[1]
            data = np.ascontiguousarray(values).tobytes()
            columns[name] = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(width), len(values), [None, pa.py_buffer(data)]
            )
        else:
            columns[name] = pa.array(values)
    return pa.table(columns)


def from_arrow(table: pa.Table | pa.RecordBatch) -> Outcomes:
    """The inverse of :func:`to_arrow`.

    Raises:
        ValueError: columns that are missing, or too many, or hold nulls.
    """
    wanted = [field.name for field in fields(Outcomes)]
    if sorted(table.schema.names) != sorted(wanted):
        raise ValueError(f"expected the columns {wanted}, got {table.schema.names}")
    arrays: dict[str, Any] = {}
    for name in wanted:
        column = table.column(name)
        if column.null_count:
            raise ValueError(f"column {name!r} holds nulls")
        if name == "verdicts":
            data = b"".join(column.to_pylist())
            arrays[name] = np.frombuffer(data, dtype=np.uint8).reshape(len(column), -1)
        else:
            arrays[name] = column.to_numpy(zero_copy_only=False)
    return Outcomes(**arrays)


def read_outcomes(path: Path) -> Generator[Outcomes, None, None]:
    """The table in portions of at most ROWS_PER_GROUP rows.

    Raises:
        UserError: no such file, or not an outcome table.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                yield from_arrow(batch)
    except FileNotFoundError:
        raise UserError(f"outcome table {path} does not exist") from None
    except (pa.ArrowException, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"outcome table {path} is damaged: {reason}") from None


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file's bytes, read in portions."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
