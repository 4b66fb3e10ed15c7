"""Published results are results: what they say is read back, checked, and reported on."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.report.publish import publish
from sport_ray.tracking.report.write import write_report
from sport_ray.tracking.results.record import COLUMN_NAMES
from sport_ray.tracking.results.records import read_results

COMMITTED = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture
def published(make_results: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A result folder, and what was published of it."""
    results = make_results(alphas=(1.0, 1.1), horizons=(21,), seeds=(0, 1))
    write_report(results)
    publish(results, tmp_path / "published", {}, "sport-ray run study.yaml")
    return results, tmp_path / "published"


def test_records_come_back_to_the_bit(published: tuple[Path, Path]) -> None:
    results, out = published
    whole = {record["cell_id"]: record for record in read_results(results).records}
    back = read_results(out)
    assert back.unreadable == ()
    assert {record["cell_id"] for record in back.records} == set(whole)
    names = COLUMN_NAMES
    for record in back.records:
        kept = {name: whole[record["cell_id"]].get(name) for name in names}
        assert {name: record.get(name) for name in names} == kept


def test_its_report_is_the_same(published: tuple[Path, Path], tmp_path: Path) -> None:
    results, out = published
    write_report(out, tmp_path / "again")
    for name in ("cells.csv", "pareto.csv", "figures/risk.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (results / name).read_bytes()


def test_a_row_that_is_none_is_left_out_and_named(published: tuple[Path, Path]) -> None:
    _, out = published
    text = (out / "cells.csv").read_text()
    (out / "cells.csv").write_text(text.replace(",finished,", ",perhaps,", 1))
    assert len(read_results(out).unreadable) == 1
    (out / "cells.csv").write_text(text.replace(",21,", ",many,", 1))
    with pytest.raises(UserError, match=r"damaged file .*cells\.csv"):
        read_results(out)


FOLDERS = sorted(table.parent for table in COMMITTED.rglob("cells.csv"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(COMMITTED)))
def test_what_is_committed_follows_from_its_certificates(folder: Path) -> None:
    found = read_results(folder)
    assert found.unreadable == ()
    assert len(found.records) == len((folder / "cells.csv").read_text().splitlines()) - 1


def test_a_cell_that_is_there_twice_is_refused(published: tuple[Path, Path]) -> None:
    """The later row would hide the earlier one, and what it refutes."""
    _, folder = published
    table = folder / "cells.csv"
    head, first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([head, first, first, *rest]) + "\n")
    with pytest.raises(UserError, match="a cell_id is there twice"):
        read_results(folder)


def test_a_constraint_s_own_numbers_come_back_and_a_packed_table_is_the_same(
    make_results: Callable[..., Path], tmp_path: Path
) -> None:
    """Without κ the bound of a floor would be another one, and its record taken for altered."""

    def floored(record: dict[str, Any]) -> dict[str, Any]:
        if record["alpha"] != 1.1:
            return record
        return record | {"constraint": "two_point", "kappa": 0.5}

    results = make_results(alphas=(1.0, 1.1), horizons=(21,), seeds=(0,), change=floored)
    write_report(results)
    out = tmp_path / "published"
    publish(results, out, {}, "sport-ray run study.yaml")
    plain = read_results(out)
    assert plain.unreadable == ()
    assert [one["kappa"] for one in plain.records if one["constraint"] == "two_point"] == [0.5] * 2
    table = out / "cells.csv"
    (out / "cells.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    table.unlink()
    assert read_results(out).records == plain.records
    (out / "cells.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match=r"damaged file .*cells\.csv\.gz"):
        read_results(out)
