"""The text of a study file: what is read is what is meant, or one line says what to write."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.experiments.config import study_file
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.config.study_file import dump_study, read_study_file, study_values

ROOT = Path(__file__).parents[3]
MEANT: dict[str, object] = {
    "1e6": 1e6, "1.0e6": 1e6, "1E-7": 1e-7, "1_000": 1000, ".5": 0.5, "5.": 5.0, "+1": 1,
    "-0": 0, "0x1F": 31, "0o17": 15, "0b11": 3, "1_000.5": 1000.5, "00.5": 0.5,
    "~": None, "": None, "null": None, "true": True, "False": False,
    "2024-01-01": "2024-01-01", "12:30:45x": "12:30:45x", "y": "y", "nan": "nan", "1__0": "1__0",
    "'no'": "no", '"010"': "010", "'~'": "~", "1.1.1": "1.1.1", "e5": "e5", "٣": "٣",
    "!!": UserError, "! goal": UserError, "!hazard U goal": UserError, "[!hazard]": UserError,
    "!!int '3'": UserError, "!": UserError, "&goal U x": UserError, "*goal U x": UserError,
    "@x": UserError, "`x`": UserError, "%x": UserError, "a: b": UserError, "- a": UserError,
    "? a": UserError, "{": UserError, "[1": UserError, "'x": UserError, "\t1": UserError,
    "yes": UserError, "No": UserError, "ON": UserError, "off": UserError, "[yes]": UserError,
    "{on: 1}": UserError, "010": UserError, "-08": UserError, "007": UserError, "1:30": UserError,
    "1:30.5": UserError, "1e400": UserError, "-1e999": UserError, "1e-400": UserError,
    "=": UserError, "{1: 2}": UserError, "{null: 2}": UserError, "{[a]: 1}": UserError,
    "{a: 1, 'a': 2}": UserError, "{<<: 1}": UserError,
    "9" * 41: UserError, "0." + "1" * 40: UserError,
    "&a [*a]": UserError, '"\\ud800"': UserError, "\x07": UserError,
    "{<<: {b: 1}, <<: {b: 2}}": UserError,
    "[" * 40: UserError, "[" * 100_000: UserError, "!<x> 1": UserError, "!x!y 1": UserError,
}  # fmt: skip


def clear(message: str) -> bool:
    """One line, and not a long one."""
    return message.isprintable() and 20 < len(message) < 1500


@pytest.mark.parametrize("text", MEANT, ids=lambda text: ascii(text)[:30])
def test_a_value_is_what_is_meant_or_refused(text):
    source = f"x: {text}\n".encode("utf-8", "surrogatepass")
    if MEANT[text] is UserError:
        with pytest.raises(UserError, match="study, line") as caught:
            study_values(source, "study")
        assert clear(str(caught.value))
    else:
        found = study_values(source, "study")["x"]
        assert found == MEANT[text]
        assert type(found) is type(MEANT[text])


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("a: 1\nb: {c: 1,\n d: 2, c: 3}", ["line 3 (b)", "'c' is given twice, on lines 2 and 3"]),
        ("a: 1\n\na: 1", ["line 3", "'a' is given twice, on lines 1 and 3"]),
        ("a: [{b: 1, b: 2}]", ["(a.0)", "'b' is given twice"]),
        ("property: !hazard U goal", ["line 1 (property)", "!hazard", "in quotes"]),
        ("seeds: [no, 1]", ["(seeds.0)", "no is false to some", '"no" in quotes']),
        ("seeds: [0, 010]", ["(seeds.1)", "010", "octal"]),
        ("horizon: 1:30", ["(horizon)", "base 60"]),
        ("a:\n\t- 1", ["line 2", "indent with spaces"]),
        ("a: 1\n---\nb: 2", ["second document"]),
        ("1: 2", ["the key '1' is no text: put it in quotes"]),
        ("- a", ["holds a list, not a mapping"]),
        ("text", ["holds one value, not a mapping"]),
        ("", ["is empty"]),
        ("# nothing\n", ["is empty"]),
        ("---\n...\n", ["is empty"]),
        ("x" * (2**20 + 1), ["larger than 1048576 bytes"]),
        ("a: [" + "1," * 60_000 + "]", ["more than 50000 values"]),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_place(text, fragments):
    with pytest.raises(UserError) as caught:
        study_values(text.encode(), "study")
    message = str(caught.value)
    assert clear(message)
    assert [fragment for fragment in fragments if fragment not in message] == [], message


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        ("# Prüfstand\na: 1".encode("latin-1"), "line 1: the byte 0xFC is not UTF-8"),
        (b"a: 1\nb: \xe9", "line 2: the byte 0xE9"),
        ("a: 1".encode("utf-16"), "UTF-16"),
        ("a: 1".encode("utf-16-le"), "UTF-16"),
        ("a: 1".encode("utf-16-be"), "UTF-16"),
        ("a: 1".encode("utf-32"), "UTF-16 or UTF-32"),
        (b"a: \x00", "line 1: the character U+0000 is not allowed"),
        (b"\x89PNG\r\n\x1a\n", "0x89"),
        (b"PK\x03\x04", "U+0003"),
    ],
)
def test_another_encoding_is_told(data, fragment, tmp_path):
    (tmp_path / "s.yaml").write_bytes(data)
    with pytest.raises(UserError, match=r"s\.yaml") as caught:
        read_study_file(tmp_path / "s.yaml")
    assert fragment in str(caught.value)
    assert clear(str(caught.value))


def test_a_byte_order_mark_and_every_end_of_line_are_read():
    assert study_values("\ufeffé: 'ü'\r\nb: 2\r".encode(), "study") == {"é": "ü", "b": 2}


def test_what_is_no_file_is_told(tmp_path):
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.yaml", "does not exist"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (tmp_path / "a\0b", "null"),
    ):
        with pytest.raises(UserError, match=reason):
            read_study_file(path)


def test_anchors_and_merges_are_followed():
    text = """
x-common: &common {n: 1, b: 2}
x-more: &more {n: 5, c: 3}
one: *common
two: {<<: *common, b: 9}
three: {n: 0, <<: [*common, *more]}
"""
    found = study_values(text.encode(), "study")
    assert found["one"] == {"n": 1, "b": 2}
    assert found["two"] == {"n": 1, "b": 9}
    assert found["three"] == {"n": 0, "b": 2, "c": 3}
    assert found["one"] is not found["x-common"]


def test_a_billion_laughs_cost_nothing():
    names = "abcdefghij"
    lines = ["a: &a [1,1,1,1,1,1,1,1,1]"]
    lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in itertools.pairwise(names)]
    merged = ["a: &a {" + ",".join(f"k{i}: [1,1,1,1]" for i in range(1000)) + "}"]
    merged += [f"m{i}: {{<<: *a}}" for i in range(1000)]
    for text in (lines, merged):
        begin = time.process_time()
        with pytest.raises(UserError, match="aliases expand to more than"):
            study_values("\n".join(text).encode(), "study")
        assert time.process_time() - begin < 10.0


words = st.one_of(
    st.sampled_from([text for text in MEANT if text.isprintable() and len(text) < 20]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**18), 10**18), words,
              st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(words, values, min_size=1, max_size=3))
def test_what_is_dumped_reads_back_as_it_was(given_values):
    found = study_values(dump_study(given_values), "study")
    assert repr(found) == repr(given_values)


def test_the_reading_does_not_depend_on_the_locale(tmp_path):
    """C27: in the C locale a shipped study with an em dash or an é was refused."""
    path = tmp_path / "bench.yaml"
    path.write_text(
        "# Prüfstand\n" + (ROOT / "experiments" / "studies" / "pendulum.yaml").read_text("utf-8"),
        "utf-8",
    )
    paths = [*map(str, (ROOT / "experiments" / "studies").glob("*.yaml")), str(path)]
    code = (
        "import pathlib; from sport_ray.experiments.config.study import load_study\n"
        f"for path in {paths!a}: load_study(pathlib.Path(path))"
    )
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **plain}, check=True)


def test_sections_that_hold_anchors_are_no_part_of_the_study(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "x-common: &common {num_scenarios: 200, beta: 1e-3}\nname: s\n"
        "certificate: {<<: *common, max_horizon: 30}\nevaluation: *common\n"
        "sweep: {alphas: [1, 1.1], horizons: [21]}\n"
    )
    study = load_study(path)
    assert (study.certificate.num_scenarios, study.certificate.max_horizon) == (200, 30)
    assert study.evaluation.beta == 1e-3
    assert study == Study.model_validate(study.model_dump())
    path.write_text(path.read_text().replace("x-common", "common"))
    with pytest.raises(UserError, match="unknown key 'common'"):
        load_study(path)


def test_limits_leave_room_for_studies():
    for path in (ROOT / "experiments" / "studies").glob("*.yaml"):
        assert len(path.read_bytes()) < study_file.LARGEST_FILE / 50
