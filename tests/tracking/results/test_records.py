"""Reading result folders: what is damaged is named, what is missing has a remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sport_ray.canonical import digest, write_json
from sport_ray.errors import UserError
from sport_ray.tracking.results.records import read_results


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


def unreadable(results: Path, file: Path) -> str:
    """What is told of the one record that was left out; all others are there."""
    folder = read_results(results)
    assert len(folder.records) == 51
    [one] = folder.unreadable
    assert one.cell_id == file.parent.name
    assert "\n" not in one.text
    return one.text


DEEP = "[" * 100_000


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "\x00\x00", DEEP, "9" * 5_000, "\ud800"])
def test_a_damaged_record_is_named_and_takes_no_other_with_it(results: Path, content: str) -> None:
    file = first_record(results)
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert f"cells/{file.parent.name}/record.json " in unreadable(results, file)


def test_a_record_is_not_read_whatever_its_size(results: Path) -> None:
    file = first_record(results)
    with file.open("ab") as stream:
        stream.truncate(17 * 2**20)
    assert "17,825,792 bytes, more than" in unreadable(results, file)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"alpha": "1.5"}, "alpha = '1.5', expected float"),
        ({"alpha": 0.5}, "alpha = 0.5, expected at least 1"),
        ({"horizon": None}, "null for 'horizon'"),
        ({"horizon": True}, "horizon = True, expected int"),
        ({"projected": "yes"}, "projected = 'yes', expected bool"),
        ({"projected": False, "constraint": "ratio"}, "projected = False and constraint = 'ratio'"),
        ({"status": "lost"}, "unknown status 'lost'"),
        ({"posterior_bound": 1.5}, "posterior_bound = 1.5, expected a probability"),
        ({"status": "finished", "num_violations": None}, "null for 'num_violations'"),
        ({"cell_id": "0" * 16}, "says cell '0000000000000000'"),
        ({"seed": 99999999999999999999}, "seed = 99999999999999999999, more than 64 bits"),
        ({"num_scenarios": -(10**400)}, "more than 64 bits"),
        ({"train_return": 10**400}, "more than 64 bits"),
        ({"alpha": float("inf")}, "alpha = inf, expected a finite number"),
        ({"horizon": 0}, "horizon = 0, expected 1 to 1000000000"),
        ({"horizon": 10**12}, "horizon = 1000000000000, expected 1 to"),
        ({"num_scenarios": 1, "num_violations": 8}, "counts 8 violations in 1 scenarios"),
        ({"posterior_beta": 1e308}, "posterior_beta = 1e+308, expected a probability"),
        ({"alpha_p": 0.5}, "alpha_p = 0.5, expected at least 1"),
        ({"num_scenarios": -5}, "num_scenarios = -5, expected at least 1"),
        ({"reason": {"a": [1]}}, "reason = {'a': [1]}, expected str"),
        ({"source": ["x" * 10**6]}, "expected str"),
    ],
)
def test_a_record_of_wrong_content_is_named(
    results: Path, changes: dict[str, object], problem: str
) -> None:
    file = first_record(results)
    rewrite(file, **changes)
    assert problem in unreadable(results, file)


def test_a_missing_required_field_is_named(results: Path) -> None:
    file = first_record(results)
    record = json.loads(file.read_text())
    del record["seed"]
    file.write_text(json.dumps(record))
    assert "no field 'seed'" in unreadable(results, file)


@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_what_never_ends_is_not_read(results: Path, target: str) -> None:
    record = first_record(results)
    record.unlink()
    if target == "pipe":
        os.mkfifo(record)
    else:
        record.symlink_to(target)
    folder = read_results(results)
    assert len(folder.records) == 51
    assert "no regular file" in folder.unreadable[0].problem


def test_a_record_of_another_study_is_left_out(results: Path) -> None:
    file = first_record(results)
    rewrite(file, study="another")
    assert "belongs to study 'another', not to 'quickstart'" in unreadable(results, file)


def test_cells_of_the_plan_without_a_record_are_missing(results: Path) -> None:
    ids = sorted(file.parent.name for file in results.glob("cells/*/record.json"))
    (results / "plan.json").write_text(json.dumps({"cells": [*ids[1:], "f" * 16], "jobs": []}))
    folder = read_results(results)
    assert folder.missing == ("f" * 16,)
    assert len(folder.records) == 51  # the first is outside the plan
    (results / "plan.json").write_text(json.dumps({"cells": [1, {}], "jobs": []}))
    with pytest.raises(UserError, match="has no list 'cells'"):
        read_results(results)


def test_nothing_that_is_read_commands_a_terminal(results: Path) -> None:
    file = first_record(results)
    rewrite(file, reason="\x1b[2J\u202eno\nmemory\ud800", **{"more\x07": ["\x9b1m"]})
    record = next(r for r in read_results(results).records if r["cell_id"] == file.parent.name)
    assert record["reason"] == "[2Jno memory"
    assert record["more"] == ["1m"]


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
    with pytest.raises(UserError, match=r"certificate .*certificate\.json is damaged"):
        read_results(results)


@pytest.mark.parametrize("field", ["sampling", "outcomes", "code", "table"])
def test_a_certificate_without_what_records_are_held_against_is_refused(
    results: Path, field: str
) -> None:
    """Also where its digest was made anew: no field less switches a check off."""
    file = results / "certificate.json"
    body = json.loads(file.read_text())
    del body["digest"], body[field]
    write_json(file, body | {"digest": digest(body)})
    with pytest.raises(
        UserError, match=rf"certificate\.json is not valid at {field}: .*"
    ) as caught:
        read_results(results)
    assert "\n" not in str(caught.value)


def test_damaged_samples_are_named(results: Path) -> None:
    folder = read_results(results)
    cell = folder.records[0]["cell_id"]
    (results / "cells" / cell / "samples.npz").write_bytes(b"PK not a zip")
    with pytest.raises(UserError, match=r"damaged file .*samples\.npz"):
        folder.samples(cell)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prior_bound": 1e-9}, "prior_bound = 1e-09"),
        ({"posterior_bound": 1e-9}, "posterior_bound = 1e-09"),
        ({"num_violations": 0}, "empirical_violation_rate"),
        ({"eps_base": 1e-9}, "eps_base = 1e-09"),
        ({"alpha": 1.0001, "log_alpha": 0.0001}, "prior_bound"),
        ({"certificate_digest": "0" * 64}, "another certificate"),
    ],
)
def test_a_record_that_was_edited_is_named_and_left_out(
    results: Path, change: dict[str, Any], named: str
) -> None:
    """A promise is never shown as its record has it, but as certificate and counts give it."""
    for file in sorted(results.glob("cells/*/record.json")):
        record = json.loads(file.read_text())
        if record["status"] == "finished" and record["alpha"] == 1.5:
            break
    file.write_text(json.dumps(record | change))
    found = read_results(results)
    assert [one.cell_id for one in found.unreadable] == [record["cell_id"]]
    assert named in found.unreadable[0].text
    assert record["cell_id"] not in {one["cell_id"] for one in found.records}
