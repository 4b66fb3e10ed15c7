"""A user's sampler: what it gives is checked, and every mistake is one line that names it."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.samplers import SamplerSpec, UserSampler, trust_module
from sport_ray.sources import module_sources

HERE = np.array([0.5, -1.0, 2.0])

GOOD = """
    def draw(observation, count, generator, std=1.0):
        return observation[:2] + std * generator.standard_normal((count, 2))

    class Policy:
        def __init__(self, std=1.0):
            self.std = std
        def sample(self, observation, count, generator):
            return draw(observation, count, generator, self.std)
"""


def sampler(entry: str, actions: int = 2, **arguments) -> UserSampler:
    spec = SamplerSpec(entry=entry, arguments=arguments, observation_size=3, action_size=actions)
    return UserSampler(spec, run_module=True)


def told(found: UserSampler, observation=HERE, count: int = 4) -> str:
    """The one line that a draw ends in."""
    with pytest.raises(UserError) as caught:
        found.sample(observation, count, np.random.default_rng(0))
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 700
    return line


@pytest.mark.parametrize("name", ["draw", "Policy"])
def test_a_function_and_a_class_draw_the_same(module, name):
    found = sampler(f"{module(GOOD)}:{name}", std=2.0)
    drawn = found.sample(HERE, 5, np.random.default_rng(3))
    expected = HERE[:2] + 2.0 * np.random.default_rng(3).standard_normal((5, 2))
    np.testing.assert_array_equal(drawn, expected)
    many = found.sample_many(
        np.stack([HERE, HERE]), 5, [np.random.default_rng(3), np.random.default_rng(4)]
    )
    np.testing.assert_array_equal(many[0], expected)
    assert many.shape == (2, 5, 2)


def test_the_observation_is_float32_as_policies_see_it_and_theirs_to_write_into(module):
    name = module("""
        def draw(observation, count, generator):
            seen = observation[:2].copy()
            observation[:] = 0.0
            return np.tile(seen, (count, 1))
    """)
    given = np.array([0.1, 1.0 + 1e-12, 3.0])
    drawn = sampler(f"{name}:draw").sample(given, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[0], given[:2].astype(np.float32).astype(np.float64))
    assert given.tolist() == [0.1, 1.0 + 1e-12, 3.0]
    assert "inf at entry 1" in told(sampler(f"{name}:draw"), np.array([0.0, np.inf, 0.0]))
    assert "finite in float32" in told(sampler(f"{name}:draw"), np.array([0.0, 1e39, 0.0]))


def test_what_it_keeps_of_its_actions_is_not_ours(module):
    name = module("""
        kept = np.zeros((1, 2))
        def draw(observation, count, generator):
            kept[:] += 1.0
            return kept
    """)
    found = sampler(f"{name}:draw")
    first = found.sample(HERE, 1, np.random.default_rng(0))
    found.sample(HERE, 1, np.random.default_rng(0))
    assert first.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def draw(observation, count): ...", "has the parameters (observation, count), and is"),
        ("def draw(o, c, g, must): ...", "missing a required argument: 'must'"),
        ("def draw(): ...", "too many positional arguments"),
        ("draw = 3", "is 3: give a function (observation"),
        ("class draw: ...", "is a class without a method 'sample'"),
        ("class draw:\n    sample = 3", "is a class without a method 'sample'"),
        (
            "class draw:\n    def __init__(self, path): ...\n    def sample(self, o, c, g): ...",
            "cannot be made with no base_arguments: TypeError",
        ),
        ("def darw(o, c, g): ...", "has no 'draw'; did you mean 'darw'?"),
        ("", "has no 'draw'; define a function (observation, count, generator)"),
        ("import t_not_there", "cannot be imported: ModuleNotFoundError: No module named 't_not"),
        ("def draw(:", "cannot be imported: SyntaxError"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("def draw(o, c, g): raise ValueError('no\\nway')", "failed: ValueError: no way"),
        ("def draw(o, c, g): raise SystemExit(3)", "failed: SystemExit: 3"),
        ("def draw(o, c, g): return g.random(2)", "shape (2,), expected (4, 2): count = 4 actions"),
        ("def draw(o, c, g): return g.random((2, c))", "shape (2, 4), expected (4, 2)"),
        ("def draw(o, c, g): return g.random((c, 2)) + 1j", "expected an array of numbers"),
        ("def draw(o, c, g): return None", "gave None: expected an array of numbers"),
        ("def draw(o, c, g): return [['1.0', '2.0']] * c", "expected an array of numbers"),
        ("def draw(o, c, g): return [[1.0], [1.0, 2.0]]", "base sampler 't_sampler:draw' gave"),
        ("def draw(o, c, g): return np.ones((c, 2), dtype=bool)", "expected an array of numbers"),
        ("def draw(o, c, g): return np.ma.masked_less(g.random((c, 2)), .5)", "array of numbers"),
        ("def draw(o, c, g): return np.full((c, 2), np.nan)", "[nan, nan]: actions must be finite"),
        ("def draw(o, c, g): return np.full((c, 2), np.inf)", "[inf, inf]: actions must be finite"),
        ("def draw(o, c, g): yield g.random((c, 2))", "expected an array of numbers"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(module, text, line):
    name = module(text)
    found = told(sampler(f"{name}:draw"))
    assert line in found
    assert "t_sampler" in found


def test_arguments_that_it_does_not_take(module):
    name = module(GOOD)
    assert "unexpected keyword argument 'sdt'" in told(sampler(f"{name}:draw", sdt=2.0))
    assert "{'sdt': 2.0}: TypeError" in told(sampler(f"{name}:Policy", sdt=2.0))


@pytest.mark.parametrize("entry", ["t_nowhere:draw", "t_nowhere.deeper:draw"])
def test_a_module_that_is_not_on_the_path(entry):
    line = told(sampler(entry))
    assert "there is no module 't_nowhere' on Python's path" in line
    assert "export PYTHONPATH=$PWD" in line


def test_what_is_in_a_notebooks_cell_is_in_no_other_process():
    assert "'__main__:draw': put it into a file of its own" in told(sampler("__main__:draw"))


def test_ctrl_c_in_a_users_code_is_not_their_mistake(module):
    name = module("def draw(o, c, g): raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        sampler(f"{name}:draw").sample(HERE, 1, np.random.default_rng(0))


def test_a_torch_tensor_is_an_array(module):
    name = module("""
        import torch
        def draw(o, c, g): return torch.ones((c, 2))
        def grad(o, c, g): return torch.ones((c, 2), requires_grad=True)
    """)
    drawn = sampler(f"{name}:draw").sample(HERE, 3, np.random.default_rng(0))
    assert drawn.dtype == np.float64
    assert "RuntimeError" in told(sampler(f"{name}:grad"))


@pytest.mark.parametrize("entry", ["noname", "a:b:c", "a-b:c", "a:b.c", ":b", "a:", "/m:f"])
def test_what_is_no_entry(entry):
    with pytest.raises(ValueError, match="entry"):
        SamplerSpec(entry=entry, observation_size=3, action_size=2)


def test_a_copy_makes_its_own_object(module):
    name = module("""
        class Policy:
            def __init__(self):
                self.lock = __import__("threading").Lock()  # cannot be pickled
            def sample(self, observation, count, generator):
                return generator.random((count, 2))
    """)
    found = sampler(f"{name}:Policy")
    first = found.sample(HERE, 2, np.random.default_rng(1))
    twin = copy.deepcopy(found)
    np.testing.assert_array_equal(twin.sample(HERE, 2, np.random.default_rng(1)), first)


def test_no_module_runs_because_a_file_names_it(module):
    name = module(GOOD)
    spec = SamplerSpec(entry=f"{name}:draw", observation_size=3, action_size=2)
    with pytest.raises(UserError, match="--trust-module t_sampler"):
        UserSampler(spec)
    assert name not in sys.modules
    loaded = SamplerSpec(
        entry="subprocess:Popen", arguments={"args": ["true"]}, observation_size=3, action_size=2
    )
    assert "subprocess" in sys.modules
    assert isinstance(subprocess.Popen, type)
    with pytest.raises(UserError, match="not run because a file names it"):
        UserSampler(loaded)
    trust_module(name)
    assert UserSampler(spec).sample(HERE, 3, np.random.default_rng(0)).shape == (3, 2)
    with pytest.raises(UserError, match="'t_nowhere' cannot be imported: ModuleNotFoundError"):
        trust_module("t_nowhere")


def test_a_process_that_starts_after_an_edit_does_not_draw(module, tmp_path):
    """A worker imports for itself, perhaps long after the base was certified."""
    name = module(GOOD)
    spec = SamplerSpec(entry=f"{name}:draw", observation_size=3, action_size=2)
    with_code = spec.model_copy(update={"code": module_sources(name, {}).code})
    found = UserSampler(with_code, run_module=True)
    with (tmp_path / f"{name}.py").open("a") as file:
        file.write("# edited\n")
    assert f"has imported another '{name}' than is on record" in told(found)
    assert f"has imported another '{name}' than is on record" in told(found)  # whoever asks again


WHOLE = """
    import numpy as np
    def draw(observation, count, generator, most=1):
        return generator.integers(-1, most + 1, (count, 1))
"""


def test_whole_numbers_are_drawn_as_indices_and_mapped_back(module):
    spec = SamplerSpec(
        entry=f"{module(WHOLE)}:draw", observation_size=3, action_size=1, first=(-1,), sizes=(3,)
    )
    found = UserSampler(spec, run_module=True)
    drawn = found.sample(HERE, 50, np.random.default_rng(0))
    assert set(drawn.ravel()) == {0.0, 1.0, 2.0}
    theirs = np.random.default_rng(0).integers(-1, 2, (50, 1))
    np.testing.assert_array_equal(found.action_mapping(drawn), theirs)
    beyond = UserSampler(spec.model_copy(update={"arguments": {"most": 9}}), run_module=True)
    assert "the environment takes whole numbers from -1 to 1" in told(beyond, count=50)


def test_a_file_of_real_actions_keeps_its_digest():
    spec = SamplerSpec(entry="my_base:draw", observation_size=3, action_size=2)
    assert not {"first", "sizes", "flattening"} & spec.model_dump().keys()
    with pytest.raises(ValueError, match="an entry for each of an action"):
        SamplerSpec(entry="my_base:draw", observation_size=3, action_size=2, first=(0,), sizes=(2,))
