"""Folders of several bases: safe names, none alike, and nothing mistaken for one base's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.tracking.results.bases import (
    TASK_POLICIES,
    base_folders,
    named_bases,
    shared_policies,
    sub_folders,
    with_results,
)
from sport_ray.tracking.results.records import read_results

NAMES = st.lists(
    st.one_of(st.text(min_size=1, max_size=80), st.sampled_from(["Paper", "paper", "a/paper"])),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(bases=NAMES)
def test_names_are_safe_and_no_two_alike(bases: list[str]) -> None:
    found = base_folders(bases)
    assert list(found) == bases
    names = list(found.values())
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,70}", name), name
        assert name not in (TASK_POLICIES, "figures", "base", "cells", "policies")


@given(bases=NAMES)
def test_a_bases_folder_does_not_depend_on_the_order(bases: list[str]) -> None:
    assert base_folders(bases[::-1]) == base_folders(bases)


def test_names_that_ship_are_kept() -> None:
    assert base_folders(["paper_0", "paper_bang_bang"]) == {
        "paper_0": "paper_0",
        "paper_bang_bang": "paper_bang_bang",
    }
    assert base_folders(["figures"])["figures"].startswith("figures-")


def whole(root: Path, bases: list[str]) -> Path:
    root.mkdir()
    (root / "study.json").write_text(json.dumps({"name": "several", "bases": bases}))
    return root


def test_sub_folders_and_what_is_shared(tmp_path: Path) -> None:
    root = whole(tmp_path / "several", ["a", "b"])
    assert named_bases(root) == ["a", "b"]
    assert sub_folders(root) == {"a": root / "a", "b": root / "b"}
    assert with_results(root) == {}
    (root / "a").mkdir()
    (root / "a" / "study.json").write_text('{"name": "several", "base": "a"}')
    assert with_results(root) == {"a": root / "a"}
    assert shared_policies(root / "a") == root / TASK_POLICIES
    assert shared_policies(root / "c") is None  # lies there, and is none of them
    assert shared_policies(root) is None
    assert sub_folders(root / "a") == {}


def test_a_reader_of_one_base_names_the_folders(tmp_path: Path) -> None:
    root = whole(tmp_path / "several", ["a", "b"])
    with pytest.raises(UserError, match=r"several bases: name the folder of one \(.*/a, .*/b\)"):
        read_results(root)
