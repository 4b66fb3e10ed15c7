"""Where a command takes a URI of results, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cli import uris
from sport_ray.experiments.storage import copies
from sport_ray.experiments.storage.layout import for_certificate, for_report, for_status, whole
from sport_ray.experiments.storage.place import Place
from sport_ray.experiments.study import Study


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object, bool]]:
    """What was asked for, and whether it need not be there yet; copies lie in /copy."""
    found: list[tuple[str, object, bool]] = []

    def reader_copy(place: Place, wanted: object, *, may_be_empty: bool) -> Path:
        found.append((str(place), wanted, may_be_empty))
        return Path("/copy")

    monkeypatch.setattr(copies, "reader_copy", reader_copy)
    return found


@pytest.mark.parametrize(
    ("words", "read", "wanted"),
    [
        ("status s3://b-1/x --json", "status /copy --json", for_status),
        ("status --json s3://b-1/x", "status --json /copy", for_status),
        ("report s3://b-1/x --out page", "report /copy --out page", for_report),
        ("report study.yaml --results gs://b-1/x", "report study.yaml --results /copy", for_report),
        ("status study.yaml --results=s3://b-1/x", "status study.yaml --results=/copy", for_status),
        ("watch s3://b-1/x", "watch /copy", for_report),
        ("verify s3://b-1/x/certificate.json", "verify /copy/certificate.json", for_certificate),
        ("export az://b-1/x/cells/ab --out o", "export /copy/cells/ab --out o", whole),
    ],
)
def test_readers(
    words: str, read: str, wanted: object, asked: list[tuple[str, object, bool]]
) -> None:
    assert uris.with_copies(words.split()) == read.split()
    ((uri, how, early),) = asked
    assert uri.endswith("://b-1/x")
    assert how is wanted
    assert early == words.startswith("watch")


@pytest.mark.parametrize("command", uris.DRIVERS)
def test_drivers_take_it_as_results(command: str, asked: list[tuple[str, object, bool]]) -> None:
    for words in ([command, "a.yaml", "--results", "s3://b/x"], [command, "--results=s3://b/x"]):
        assert uris.with_copies(words) == words
    assert asked == []


@pytest.mark.parametrize(
    "words",
    [
        "mix s3://b-1/x",
        "mix a.yaml --results s3://b-1/x",
        "sign s3://b-1/x/certificate.json --key k.pem",
        "slurm a.yaml --results=s3://b-1/x",
    ],
)
def test_what_changes_results_takes_it_as_it_is(
    words: str, asked: list[tuple[str, object]]
) -> None:
    assert uris.with_copies(words.split()) == words.split()
    assert asked == []


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("bench --results s3://b-1/x", "bench --results .*: give a folder, and copy it"),
        ("audit s3://b-1/x log", "audit .*: make a bundle of it with `sport-ray export URI"),
        ("monitor s3://b-1/x log", "monitor .*: make a bundle of it with `sport-ray export URI"),
    ],
)
def test_a_refusal_says_what_to_do_instead(words: str, instead: str) -> None:
    with pytest.raises(UserError, match=instead):
        uris.with_copies(words.split())


@pytest.mark.parametrize(
    "words",
    [
        *("run s3://b-1/x", "report r --out s3://b-1/x", "monitor --log=s3://b-1/x"),
        *("mix r --out s3://b-1/x", "sign r --key s3://b-1/x", "slurm a.yaml --out s3://b-1/x"),
    ],
)
def test_elsewhere_it_is_refused(words: str) -> None:
    with pytest.raises(UserError, match="takes a path of this machine"):
        uris.with_copies(words.split())


@pytest.mark.parametrize(
    "words",
    [
        *("run n --results gcs://b-1/x", "run n --results=gcs://b-1/x", "status gcs://b-1/x"),
        *("bench --tiny --results gcs://b-1/x", "slurm a.yaml --results gcs://b-1/x"),
    ],
)
def test_a_uri_of_another_scheme_is_no_folder(words: str) -> None:
    with pytest.raises(UserError, match=r"write gs://b-1/x"):
        uris.with_copies(words.split())


def test_other_words_are_left_alone() -> None:
    words = ["run", "a.yaml", "--tracking=http://host", "--address", "ray://h:1", "x=y", "--", "s3"]
    assert uris.with_copies(words) is words


def test_in_python_a_uri_is_refused() -> None:
    with pytest.raises(UserError, match="Study takes a path; use sport-ray for a URI"):
        Study.load("quickstart", "s3://b-1/x")
