"""What is taken for an observation: the numbers of the certified world, and nothing by mistake."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.deploy import BeyondPromise, audit_log, load, read_bundle
from sport_ray.deploy.observations import Bounds, NoObservation, Observer
from tests.sport_ray.deploy.test_bundle import sealed

SIZE = 3


class Hostile:
    """Raises what it likes when it is looked at."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("no\x1b[2J\nway")


@pytest.fixture
def observer() -> Observer:
    space = {"low": [-1.0, None, 0.0], "high": [1.0, None, 0.1]}
    return Observer(Bounds.of_json(space, SIZE))


@pytest.mark.parametrize(
    "given",
    [
        [0.5, 7.0, 0.05],
        (np.float32(0.5), 7, 0.05),
        np.array([0.5, 7.0, 0.05], np.longdouble),
        np.ma.array([0.5, 7.0, 0.05], mask=[False] * 3),
        np.ma.array([0.5, 7.0, 0.05]),
        torch.tensor([0.5, 7.0, 0.05]),
        torch.tensor([0.5, 7.0, 0.05], requires_grad=True),
        torch.tensor([0.5, 7.0, 0.05], dtype=torch.float64).neg().neg(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_are_taken_as_they_are(given: Any, observer: Observer) -> None:
    seen, outside = observer.see(given)
    assert outside is None
    assert seen.dtype == np.float64
    np.testing.assert_array_equal(seen, np.float32([0.5, 7.0, 0.05]).astype(np.float64))


@pytest.mark.parametrize(
    "given",
    [
        np.ma.array([0.5, 7.0, 0.05], mask=[True, False, False]),
        [np.ma.masked, 7.0, 0.05],
        [True, 7.0, 0.05],
        [np.bool_(True), 7.0, 0.05],
        np.array([True, False, True]),
        ["0.5", "7.0", "0.05"],
        [b"0.5", b"7", b"0"],
        [Decimal(1), Decimal(2), Decimal(3)],
        [None, 7.0, 0.05],
        [10**30, 7, 0],
        [0.5 + 0j, 7.0, 0.05],
        np.array(["2020-01-01"] * 3, "datetime64[D]"),
        np.array([1, 2, 3], "timedelta64[s]"),
        np.zeros(3, dtype=[("a", "f4")]),
        {"a": 1.0},
        {0.5, 7.0, 0.05},
        iter([0.5, 7.0, 0.05]),
        torch.zeros(3, device="meta"),
        torch.zeros(3, dtype=torch.bfloat16),
        torch.zeros(3, dtype=torch.bool),
        torch.zeros(3).to_sparse(),
        Hostile(),
        [[0.5], 7.0, 0.05],
        [0.5, 7.0],
        np.zeros((3, 1)),
        np.matrix([0.5, 7.0, 0.05]),
        0.5,
        None,
        [np.nan, 7.0, 0.05],
        [0.5, np.inf, 0.05],
        [0.5, -np.inf, 0.05],
        [0.5, 1e39, 0.05],
        np.array([0.5, 1e400, 0.05], np.longdouble)
        if np.finfo(np.longdouble).max > 1e308
        else [np.inf] * 3,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:.*converting a masked element.*")
def test_what_is_no_observation_is_told_in_one_line(given: Any, observer: Observer) -> None:
    with pytest.raises(NoObservation) as error:
        observer.see(given)
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        ([1.001, 0.0, 0.0], 0),
        ([-1.001, 0.0, 0.0], 0),
        ([0.0, 1e30, -1e-30], 2),
        ([0.0, 0.0, 50.0], 2),
    ],
)
def test_what_lies_outside_is_told_by_its_entry(
    given: list[float], entry: int, observer: Observer
) -> None:
    assert f"entry {entry}" in str(observer.see(given)[1])


def test_an_end_is_inside_in_the_numbers_that_a_policy_sees(observer: Observer) -> None:
    for given in ([1.0, 0.0, 0.1], [1.0 + 1e-9, 0.0, np.float32(0.1)], [-1.0, -3e38, 0.0]):
        assert observer.see(given)[1] is None


def test_what_is_written_into_the_callers_array_later_is_not_seen(observer: Observer) -> None:
    given = np.zeros(SIZE, np.float32)
    seen, _ = observer.see(given)
    given[:] = 0.05
    assert (seen == 0.0).all()


def bounded(bundle: Path) -> Path:
    """The bundle of a world whose observations lie within ±3."""
    sealed(bundle, lambda m: m["spaces"]["observation"].update(low=[-3.0] * 44, high=[3.0] * 44))
    return bundle


@pytest.mark.parametrize("value", [3.1, -50.0, 1e30])
@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_outside_is_refused_and_the_episode_with_it(
    value: float, on_breach: Any, bundle: Path, observations: np.ndarray
) -> None:
    policy = load(bounded(bundle), on_breach=on_breach, log=bundle.with_name("log.jsonl"))
    policy.reset(0)
    good, far = np.clip(observations[0], -3, 3), np.full(44, value)
    policy.act(good)
    with pytest.raises(BeyondPromise, match=r"entry 0 is .* outside of the observation space"):
        policy.act(far)
    if on_breach == "raise":
        with pytest.raises(BeyondPromise, match="refused earlier"):
            policy.act(good)
    else:
        policy.act(good)
        assert policy.last is not None
        assert policy.last.played == "base"
    policy.reset(1)
    policy.act(good)
    assert policy.last is not None
    assert policy.last.played == "task"
    policy.close()
    checks = audit_log(bundle.with_name("log.jsonl"), read_bundle(bundle))
    assert [check.name for check in checks if check.passed is False] == ["promise"]


@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_outside_the_base_policy_acts_if_so_configured(
    on_breach: Any, bundle: Path, observations: np.ndarray
) -> None:
    log = bundle.with_name("log.jsonl")
    policy = load(bounded(bundle), on_breach=on_breach, outside="base", log=log)
    policy.reset(0)
    good, played = np.clip(observations[0], -3, 3), []
    for index in range(policy.bundle.horizon):
        policy.act(np.full(44, 9.0) if index == 5 else good)
        assert policy.last is not None
        played.append(policy.last.played)
    assert played == ["task"] * 5 + ["base"] * 15
    assert "entry 0 is 9" in str(policy.guard.breach)
    if on_breach == "raise":
        with pytest.raises(BeyondPromise, match="covers 20 steps"):
            policy.act(good)
    policy.close()
    checks = audit_log(log, read_bundle(bundle))
    assert [check.name for check in checks if check.passed is False] == ["promise"]


def test_another_word_is_an_error(bundle: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        load(bundle, outside="ignore")  # type: ignore[arg-type]
