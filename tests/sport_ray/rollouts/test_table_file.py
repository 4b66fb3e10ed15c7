"""The outcome table on disk: the same numbers back, the same bytes however it was written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sport_ray.errors import UserError
from sport_ray.rollouts import Outcomes
from sport_ray.rollouts.outcomes import pack_verdicts
from sport_ray.rollouts.table_file import (
    ROWS_PER_GROUP,
    OutcomeWriter,
    file_sha256,
    num_rows,
    read_outcomes,
    read_rows,
    to_arrow,
)

COUNT = 2 * ROWS_PER_GROUP + 345


@pytest.fixture(scope="module")
def table() -> Outcomes:
    """More rows than two groups hold, with an infinity and a denormal among them."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=COUNT) for name in Outcomes.__dataclass_fields__}
    for name in ("length", "satisfied_at", "violated_at", "projected_steps"):
        columns[name] = rng.integers(-1, 100, COUNT)
    columns["index"] = np.arange(COUNT)
    columns["verdicts"] = pack_verdicts(rng.random((COUNT, 101)) < 0.5)
    columns["robustness"][:3] = [np.inf, -np.inf, 5e-324]
    return Outcomes(**columns)


def write(path, table, cuts):
    with OutcomeWriter(path) as writer:
        for rows in np.split(np.arange(COUNT), cuts):
            writer.add(table.rows(rows))
    return path


def test_the_same_numbers_come_back(tmp_path, table):
    path = write(tmp_path / "deep" / "t.parquet", table, [1_000, 9_999])
    parts = list(read_outcomes(path))
    assert [part.num_scenarios for part in parts] == [ROWS_PER_GROUP, ROWS_PER_GROUP, 345]
    back = Outcomes.concatenate(parts)
    for name, values in table.to_arrays().items():
        assert back.to_arrays()[name].dtype == values.dtype
        assert back.to_arrays()[name].tobytes() == values.tobytes(), name


@pytest.mark.parametrize("cuts", [[7], [ROWS_PER_GROUP], list(range(1_000, COUNT, 1_000))])
def test_the_bytes_do_not_depend_on_the_portions(tmp_path, table, cuts):
    one = write(tmp_path / "one.parquet", table, [])
    other = write(tmp_path / "other.parquet", table, cuts)
    assert file_sha256(one) == file_sha256(other)


def test_nothing_appears_before_everything_is_there(tmp_path, table):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"the old one")
    with pytest.raises(RuntimeError, match="worker lost"), OutcomeWriter(path) as writer:
        writer.add(table)
        raise RuntimeError("worker lost")
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "flipped", "columns"])
def test_a_damaged_table_is_one_clear_line(tmp_path, table, damage):
    path = tmp_path / "t.parquet"
    if damage != "missing":
        write(path, table, [])
    data = path.read_bytes() if path.exists() else b""
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "text":
        path.write_text("index,length\n0,1\n")
    elif damage == "flipped":
        changed = bytearray(data)
        changed[len(data) // 3] ^= 255
        path.write_bytes(bytes(changed))
    elif damage == "columns":
        import pandas as pd

        pd.DataFrame({"index": [0, 1]}).to_parquet(path)
    with pytest.raises(UserError, match=r"outcome table .*t\.parquet (does not|is damaged)") as e:
        list(read_outcomes(path))
    assert "\n" not in str(e.value)


def test_rows_from_anywhere(tmp_path, table):
    path = write(tmp_path / "t.parquet", table, [])
    assert num_rows(path) == COUNT
    wanted = [COUNT - 1, 3, ROWS_PER_GROUP, 3]
    rows = read_rows(path, wanted)
    assert rows.index.tolist() == [3, ROWS_PER_GROUP, COUNT - 1]
    assert rows.robustness.tolist() == table.robustness[rows.index].tolist()
    with pytest.raises(UserError, match=f"has no scenario {COUNT}"):
        read_rows(path, [0, COUNT])


def declared(path, table, **changes):
    """A file of our columns with other types, or in larger groups."""
    arrow = to_arrow(table)
    group = changes.pop("group", ROWS_PER_GROUP)
    for name, values in changes.items():
        arrow = arrow.set_column(arrow.schema.names.index(name), name, values)
    pq.write_table(arrow, path, row_group_size=group, compression="zstd")
    return path


@pytest.mark.parametrize("kind", ["group", "wide", "text", "list", "more", "steps"])
def test_sizes_are_checked_before_memory_is_taken(kind, tmp_path, table, monkeypatch):
    path, options = tmp_path / "t.parquet", {}
    if kind == "group":
        declared(path, table, group=COUNT)
    elif kind == "wide":
        few = table.rows(slice(0, 20))
        wide = pa.array([bytes(200_000)] * 20, type=pa.binary(200_000))
        declared(path, few, verdicts=wide)
    elif kind == "text":
        declared(path, table.rows(slice(0, 2)), robustness=pa.array(["x" * 10**6] * 2))
    elif kind == "list":
        declared(path, table.rows(slice(0, 2)), length=pa.array([[1] * 10**6] * 2))
    else:
        write(path, table, [])
        options = {"more": {"most": COUNT - 1}, "steps": {"horizon": 105}}[kind]

    def nothing_is_read(self, *args, **kwargs):
        raise AssertionError("read")

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", nothing_is_read)
    with pytest.raises(UserError, match=r"outcome table .* is damaged: ") as caught:
        list(read_outcomes(path, **options))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
