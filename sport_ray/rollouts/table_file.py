"""The outcome table on disk: Parquet, written and read in portions, no pickle."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
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
_MOST_METADATA = 64 * 2**20
"""Bytes, and entries, of what the file says about itself: of ten million rows a thousandth."""
_MOST_VERDICTS = 125_000
"""Bytes of verdicts in a row: a million steps."""


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


def read_outcomes(
    path: Path, *, most: int | None = None, horizon: int | None = None
) -> Generator[Outcomes, None, None]:
    """The table in portions of at most ROWS_PER_GROUP rows.

    most, horizon: how many scenarios and steps it may have, where that is known. What the file
    says of its own sizes is checked before memory is taken for it.

    Raises:
        UserError: no such file, or not an outcome table.
    """
    with _opened(path, most, horizon) as file:
        for group in range(file.num_row_groups):
            yield from_arrow(file.read_row_group(group))


def read_rows(path: Path, scenarios: Iterable[int]) -> Outcomes:
    """The rows of these scenarios, in the order of their index; one portion is held at a time.

    Raises:
        UserError: no such file, not an outcome table, or one that ends before.
    """
    wanted = np.unique(np.fromiter(scenarios, dtype=np.int64))
    with _opened(path) as file:
        parts, first = [], 0
        for group in range(file.num_row_groups):
            after = first + file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= first) & (wanted < after)]
            if here.size:
                parts.append(from_arrow(file.read_row_group(group)).rows(here - first))
            first = after
    found = Outcomes.concatenate(parts) if parts else None
    if found is None or not np.array_equal(found.index, wanted):
        raise UserError(f"outcome table {path} has no scenario {wanted[-1]}, or not in its place")
    return found


def num_rows(path: Path) -> int:
    """How many scenarios the table has.

    Raises:
        UserError: no such file, or not an outcome table.
    """
    with _opened(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(
    path: Path, most: int | None = None, horizon: int | None = None
) -> Generator[pq.ParquetFile, None, None]:
    try:
        with pq.ParquetFile(
            path,
            page_checksum_verification=True,
            thrift_string_size_limit=_MOST_METADATA,
            thrift_container_size_limit=_MOST_METADATA,
        ) as file:
            _require_sizes(file, most, horizon)
            yield file
    except FileNotFoundError:
        raise UserError(f"outcome table {path} does not exist") from None
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, UserError):
            raise
        reason = " ".join(str(error).split())
        raise UserError(f"outcome table {path} is damaged: {reason}") from None


def _require_sizes(file: pq.ParquetFile, most: int | None, horizon: int | None) -> None:
    """Refuse columns of other kinds or widths, and groups that are larger than we write.

    Raises:
        ValueError: says which.
    """
    schema = file.schema_arrow
    wanted = [field.name for field in fields(Outcomes)]
    if sorted(schema.names) != sorted(wanted):
        raise ValueError(f"expected the columns {wanted}, got {schema.names[:20]}")
    width = schema.field("verdicts").type
    if not pa.types.is_fixed_size_binary(width) or not 1 <= width.byte_width <= _MOST_VERDICTS:
        raise ValueError(f"verdicts are of the type {width}")
    if horizon is not None and width.byte_width != -(-horizon // 8):
        raise ValueError(f"verdicts are of {width.byte_width} bytes, for {horizon} steps")
    for name in wanted:
        if name != "verdicts" and schema.field(name).type not in (pa.int64(), pa.float64()):
            raise ValueError(f"column {name!r} is of the type {schema.field(name).type}")
    metadata = file.metadata
    if most is not None and metadata.num_rows > most:
        raise ValueError(f"{metadata.num_rows} rows, where {most} scenarios were run")
    row = 8 * (len(wanted) - 1) + width.byte_width
    for group in range(metadata.num_row_groups):
        part = metadata.row_group(group)
        if part.num_rows > ROWS_PER_GROUP or part.total_byte_size > 2 * row * ROWS_PER_GROUP:
            raise ValueError(
                f"group {group} declares {part.num_rows} rows of {part.total_byte_size} bytes"
            )


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file's bytes, read in portions."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
