"""Study files of any kind: a study that says the same again, or one clear line, never more."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.experiments.config.redact import public_text
from sport_ray.experiments.config.study import Study, load_study, parse_study
from sport_ray.experiments.config.study_file import dump_study

ROOT = Path(__file__).parents[2]
WHOLE = """\
name: whole
environment: {id: sport_ray/PointReachAvoid-v0, kwargs: {layout: fixed, actuation_noise: 0.1}}
property: "(!hazard) U goal"
base: point_reach_avoid
base_training: {env_steps: 10, train_batch_size: 8, minibatch_size: 8, hidden: [4, 4],
  seed: 3, kwargs: {a: 1}}
certificate:
  num_scenarios: 2000
  beta: 1.0e-7
  max_horizon: 30
  root_seed: 0
  stop: {horizon: 20, target: 0.1, check_every: 1000}
sweep:
  alphas: [1, 1.1]
  eps_max: [0.1]
  horizons: [21]
  seeds: [0, 1]
  constraints: [ratio, pathwise]
  hyperparameters: {lr: {loguniform: [1.0e-5, 1.0e-3], samples: 2}, num_epochs: [2, 3]}
training: {env_steps: 512, warmup_env_steps: 128, train_batch_size: 128, minibatch_size: 64}
unconstrained_training: {lr: 3.0e-4}
evaluation: {num_scenarios: 50, beta: 1.0e-3, root_seed: 1, off_policy: 10}
deployment:
  kwargs: {actuation_noise: 0.0995}
  alpha_mu: 1.5
  process_noise: {base: {mean: [0], std: [1]}, deployment: {mean: [0], std: [0.5]}}
resources: {cpus_per_cell: 1, gpus_per_cell: 0.5, wait_for_nodes_seconds: 3}
tracking: {uri: "sqlite:////data/x.db"}
tuning: {alpha: 1.1, horizon: 21, parameters: {gamma: {uniform: [0.9, 0.99]}}, trials: 2}
task_policies: {projected_ppo: {}, scpo: {iterations: 3}, presa: {steps: 3}}
"""
SCALARS = [
    "~", "", "null", "true", "false", "yes", "NO", "on", "010", "1:30", "1e6", "1.0e6", "1_000",
    ".5", "+1", "-0.0", "-0", "-1", "0", "1", "2", "1.5", "0x10", "0o17", "1e400", "1e-400",
    "1e-310", "5e-324", ".nan", ".inf", "-.inf", "nan", "Infinity", "2024-01-01", "12:30:45",
    "99999999999999999999", "4294967296", "4294967295", "1" * 39, "1" * 400, "2147483648", "1e18",
    '"1.1"', '"1"', "'true'", '""', '" "', "'\\n'", '"a\\nb"', '"\\u0000"', '"\\ud800"', "é",
    "'☃'", "x" * 3000, "~/x", "$HOME/x", "~nobody9/x", "$NOTHING9/x", "!hazard U goal", "! x",
    "!!python/object:os.system x", "&a b", "*a", "@x", "`x`", "%x", "a: b", "x #y", "[]", "{}",
    "[1]", "[[1]]", "[~]", "[1, 2, 2]", "{a: 1}", "{1: 2}", "{a: 1, a: 2}", "{~: 1}", "[yes]",
    "[1, [2, [3, [4]]]]", "{uniform: [1, 2], samples: 1e9}", "{samples: 1}", "{<<: {a: 1}}",
    "{<<: 3}", "[ratio]", "ratio", "[scpo]", "scpo", "{scpo: {}}", "{imported: {path: /nowhere}}",
    "../..", "/", ".", "(!hazard) U goal", "G !hazard", "((((", "¬hazard U goal", "□ ¬hazard",
    "G", "F " * 300 + "goal", "(" * 600 + "goal" + ")" * 600, "F[0,99999999999] goal",
    "F[-1,2] goal", "'G (a U (b U (c U (d U e))))'", "http://me:secret@host", "sqlite:///~/x.db",
    "file:~/x", "walk:bugs/Walk-v0", "http://[::1",
]  # fmt: skip
KEYS = [
    "name", "Sweep", "sweeep", "seeds", "x-more", "X-more", "1", "null", "~", "yes", "on", "=",
    "<<", "'a b'", '"\\n"', "kwargs", "horizon", "max_episode_steps", "alphas", "[a]", "? a",
    "__class__", "model_config", "é", "'" + "k" * 500 + "'", "task_policy", "environment", "self",
    "property",
]  # fmt: skip


def said(load: Any) -> Study | None:
    """The study, if it is one; else the mistake is one line, and not a long one."""
    try:
        study = load()
    except UserError as error:
        message = str(error)
        assert message.isprintable() or "\\" in message, message
        assert "\n" not in message, message
        assert 20 < len(message) < 3000, message
        assert "Traceback" not in message
        assert "pydantic" not in message
        return None
    assert isinstance(study, Study)
    return study


def says_the_same(study: Study, folder: Path) -> None:
    """Through JSON, and through a file written from it."""
    dumped = study.model_dump(mode="json")
    text = json.dumps(dumped, allow_nan=False)
    again = Study.model_validate_json(text)
    assert again == study
    assert json.dumps(again.model_dump(mode="json")) == text
    path = folder / "again.yaml"
    path.write_bytes(dump_study(dumped))
    assert load_study(path) == study


def lines_of(value: Any, indent: int = 0) -> list[tuple[int, str, str | None]]:
    """A study as (indent, key or -, scalar or None) lines, which can be changed one by one."""
    found: list[tuple[int, str, str | None]] = []
    entries = value.items() if isinstance(value, dict) else (("-", one) for one in value)
    for key, inner in entries:
        name = "-" if key == "-" else f"{key}:"
        if isinstance(inner, (dict, list)) and inner:
            found += [(indent, name, None), *lines_of(inner, indent + 2)]
        else:
            found.append((indent, name, json.dumps(inner, ensure_ascii=False)))
    return found


LINES = lines_of(yaml.safe_load(WHOLE))


def written(lines: list[tuple[int, str, str | None]]) -> str:
    return "".join(f"{' ' * i}{name} {'' if s is None else s}\n" for i, name, s in lines)


def changed(rng: random.Random) -> str:
    """One to three lines with another value, another key, twice, left out or elsewhere."""
    lines = list(LINES)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        indent, name, scalar = lines[at]
        match rng.randrange(6):
            case 0 | 1 | 2:
                end = at + 1
                while end < len(lines) and lines[end][0] > indent:
                    end += 1
                lines[at:end] = [(indent, name, rng.choice(SCALARS))]
            case 3:
                lines[at] = (indent, f"{rng.choice(KEYS)}:", scalar)
            case 4:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 5:
                del lines[at]
    return written(lines)


def test_the_study_that_is_changed_is_one(tmp_path):
    for text in (WHOLE, written(LINES)):
        path = tmp_path / "s.yaml"
        path.write_text(text, "utf-8")
        says_the_same(load_study(path), tmp_path)


def check(text: str | bytes, folder: Path) -> None:
    path = folder / "s.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    study = said(lambda: load_study(path))
    if study is not None:
        says_the_same(study, folder)
        public_text(path.read_bytes())


@pytest.mark.parametrize("part", range(4))
def test_every_odd_value_at_some_place(part, tmp_path):
    rng = random.Random(part)
    for scalar in SCALARS[part::4]:
        at = rng.randrange(len(LINES))
        indent, name, _ = LINES[at]
        rest = list(LINES[at + 1 :])
        while rest and rest[0][0] > indent:
            rest.pop(0)
        check(written([*LINES[:at], (indent, name, scalar), *rest]), tmp_path)


QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(QUICK, max_examples=3_000)


def fuzz_lines(seed: int, folder: Path) -> None:
    check(changed(random.Random(seed)), folder)


def fuzz_text(seed: int, folder: Path) -> None:
    """Characters of the text changed, left out, given twice; and bytes that are no text."""
    rng = random.Random(seed)
    data = bytearray(rng.choice([WHOLE, written(LINES)]).encode())
    odd = [*b"\t\n\r \0!&*[]{}:,-?#|>'\"%@`\\~=<\xff\xc3\xef", *"é☃".encode()]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.choice(odd)
            case 1:
                data.insert(at, rng.choice(odd))
            case 2:
                del data[at : at + rng.randint(1, 30)]
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 60)]
    check(bytes(data), folder)


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.binary(max_size=2), st.dates(), st.complex_numbers(), st.just(float),
        st.sampled_from(["ratio", "scpo", "G !a"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.sets(st.integers(), max_size=2),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(), st.none()), inner, max_size=3
        ),
    ),
    max_leaves=6,
)  # fmt: skip
PLACES = [(one,) for one in Study.model_fields] + [
    (section, key)
    for section, inner in yaml.safe_load(WHOLE).items()
    if isinstance(inner, dict)
    for key in inner
]


def fuzz_values(place: tuple[str, ...], value: Any, folder: Path) -> None:
    """What Python hands in (``from_dict``): values of any type."""
    given_values = yaml.safe_load(WHOLE)
    target = given_values
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    study = said(lambda: parse_study(given_values, "study"))
    if study is not None:
        says_the_same(study, folder)


@QUICK
@given(st.integers(0, 2**32))
def test_changed_lines(tmp_path, seed):
    fuzz_lines(seed, tmp_path)


@QUICK
@given(st.integers(0, 2**32))
def test_changed_text(tmp_path, seed):
    fuzz_text(seed, tmp_path)


@QUICK
@given(st.sampled_from(PLACES), anything)
def test_values_from_python(tmp_path, place, value):
    fuzz_values(place, value, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@LONG
@given(st.integers(0, 2**32))
def test_many_changed_lines(tmp_path, seed):
    fuzz_lines(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@LONG
@given(st.integers(0, 2**32))
def test_much_changed_text(tmp_path, seed):
    fuzz_text(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@LONG
@given(st.sampled_from(PLACES), anything)
def test_many_values_from_python(tmp_path, place, value):
    fuzz_values(place, value, tmp_path)
