"""Reading result folders: what is damaged is named, what is missing has a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from tracking.records import read_results


def first_record(folder: Path) -> Path:
    return sorted(folder.glob("cells/*/record.json"))[0]


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_reads_all_cells_with_study_and_certificate(results: Path) -> None:
    folder = read_results(results)
    assert len(folder.records) == 52
    assert folder.name == "quickstart"
    assert folder.certificate is not None
    assert folder.certificate["num_scenarios"] == 10_000
    assert folder.samples(folder.records[0]["cell_id"]) is None


def test_no_folder_and_no_results_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no result folder .*sport-ray sweep"):
        read_results(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"no results in .*sport-ray sweep"):
        read_results(tmp_path)


def test_a_folder_that_may_be_empty_still_needs_its_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results"):
        read_results(tmp_path, may_be_empty=True)
    (tmp_path / "study.json").write_text('{"name": "begun"}')
    assert read_results(tmp_path, may_be_empty=True).records == ()
    with pytest.raises(UserError, match="no results"):
        read_results(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "\x00\x00"])
def test_a_damaged_record_is_named(results: Path, content: str) -> None:
    file = first_record(results)
    file.write_text(content)
    with pytest.raises(UserError) as caught:
        read_results(results)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"alpha": "1.5"}, "alpha = '1.5', expected float"),
        ({"alpha": 0.5}, "alpha = 0.5, expected at least 1"),
        ({"horizon": None}, "null for 'horizon'"),
        ({"horizon": True}, "horizon = True, expected int"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"status": "lost"}, "unknown status 'lost'"),
        ({"posterior_bound": 1.5}, "posterior_bound = 1.5, expected a probability"),
        ({"status": "finished", "num_violations": None}, "finished but has no num_violations"),
        ({"cell_id": "0" * 16}, "says cell '0000000000000000'"),
    ],
)
def test_a_record_of_wrong_content_is_named(
    results: Path, changes: dict[str, object], problem: str
) -> None:
    file = first_record(results)
    rewrite(file, **changes)
    with pytest.raises(UserError, match="damaged file") as caught:
        read_results(results)
    assert problem in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_required_field_is_named(results: Path) -> None:
    file = first_record(results)
    record = json.loads(file.read_text())
    del record["seed"]
    file.write_text(json.dumps(record))
    with pytest.raises(UserError, match="no field 'seed'"):
        read_results(results)


def test_a_record_of_another_study_is_refused(results: Path) -> None:
    rewrite(first_record(results), study="another")
    with pytest.raises(UserError, match="belongs to study 'another'"):
        read_results(results)


def test_nan_is_read_as_missing_and_infinity_kept(results: Path) -> None:
    file = first_record(results)
    rewrite(file, train_return=float("nan"), max_log_ratio=float("inf"))
    record = next(r for r in read_results(results).records if r["cell_id"] == file.parent.name)
    assert record["train_return"] is None
    assert record["max_log_ratio"] == float("inf")


def test_a_folder_without_study_json_takes_its_name_from_the_cells(results: Path) -> None:
    (results / "study.json").unlink()
    (results / "certificate.json").unlink()
    folder = read_results(results)
    assert folder.name == "quickstart"
    assert folder.certificate is None


@pytest.mark.parametrize("content", ["{}", '{"table": {}}', "not json"])
def test_a_damaged_certificate_is_named(results: Path, content: str) -> None:
    (results / "certificate.json").write_text(content)
    with pytest.raises(UserError, match=r"damaged file .*certificate\.json"):
        read_results(results)


def test_damaged_samples_are_named(results: Path) -> None:
    folder = read_results(results)
    cell = folder.records[0]["cell_id"]
    (results / "cells" / cell / "samples.npz").write_bytes(b"PK not a zip")
    with pytest.raises(UserError, match=r"damaged file .*samples\.npz"):
        folder.samples(cell)
