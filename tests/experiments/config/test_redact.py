"""What of a study lies in a result folder: everything but the way into the tracking server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sport_ray.experiments.config.redact import public_mapping, public_text
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.results.status import locate

URI = "http://me:hush-3f9c@host:5000"


def test_a_study_without_secrets_is_copied_to_the_byte(write_study, small_study) -> None:
    text = write_study(small_study).read_bytes()
    assert public_text(text) == text
    assert public_mapping(small_study) == small_study


@pytest.mark.parametrize(
    "text",
    [
        f"# kept\nname: s\ntracking:\n  uri: {URI}\n",
        f"# with hush-3f9c\nname: s\ntracking: {{uri: '{URI}'}}\n",
        'name: s\ntracking: {uri: "http:\\/\\/me:hush\\u002d3f9c@host:5000"}\n',
        f"name: s\ntracking:\n  uri: >-\n    {URI}\n",
    ],
)
def test_whatever_the_spelling(text: str) -> None:
    kept = public_text(text.encode()).decode()
    assert "hush" not in kept
    assert yaml.safe_load(kept) == {"name": "s", "tracking": {"uri": "http://host:5000"}}
    assert ("# kept" in kept) == ("# kept" in text)


def test_a_folder_and_its_study_still_agree(write_study, small_study, tmp_path: Path) -> None:
    path = write_study(small_study | {"tracking": {"uri": URI}})
    folder = StudyFolder(tmp_path / "results", load_study(path))
    folder.claim(path)
    assert folder.study.tracking.uri == URI  # in memory alone
    for name in ("study.json", "study.yaml"):
        assert "hush" not in (folder.root / name).read_text()
        assert "http://host:5000" in (folder.root / name).read_text()
    assert locate(path, folder.root) == (folder.root, False)
    small_study["sweep"]["seeds"] = [5]
    changed = write_study(small_study | {"tracking": {"uri": URI}})
    assert locate(changed, folder.root) == (folder.root, True)
