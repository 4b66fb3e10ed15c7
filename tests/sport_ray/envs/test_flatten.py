"""Flattening is gymnasium's, exactly, and belongs to the policy's identity."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces.utils import flatten, flatten_space
from gymnasium.vector.utils import concatenate, create_empty_array
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.canonical import digest
from sport_ray.envs.flatten import (
    MOST_ENTRIES,
    FlatBox,
    Flattening,
    flattening_of,
    require_same_observations,
)
from sport_ray.envs.making import make_environment
from sport_ray.envs.vector_stepping import VectorStepping
from sport_ray.errors import UserError
from tests.sport_ray.envs.nested import (
    NESTED,
    NESTED_NATIVE,
    NESTED_SIZE,
    NESTED_SPACE,
    SPACES,
    Nested,
    NestedNative,
    register,
)

register()


def needed(space: spaces.Space) -> Flattening:
    found = Flattening.needed("the/env-v0", space)
    return Flattening(space={"kind": "box", "shape": space.shape, "dtype": str(space.dtype)}) if (
        found is None
    ) else found  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SPACES, st.integers(0, 2**31))
def test_the_vector_is_gymnasiums_value_by_value(space, seed):
    space.seed(seed)
    ours, seen = needed(space), space.sample()
    theirs = flatten(space, seen)
    found = ours(seen)
    assert found.shape == (ours.size,) == theirs.shape
    np.testing.assert_array_equal(found, theirs)
    box = ours.box(space)
    assert box == flatten_space(space)
    assert box.contains(found.astype(box.dtype))
    assert flattening_of(box) == ours
    before = found.copy()
    found[...] = 1  # fresh: nobody else's array
    np.testing.assert_array_equal(ours(seen), before)


@settings(max_examples=50, deadline=None)
@given(SPACES, st.integers(0, 2**31), st.integers(1, 4))
def test_a_batch_is_flattened_row_by_row(space, seed, count):
    space.seed(seed)
    ours, rows = needed(space), [space.sample() for _ in range(count)]
    batch = concatenate(space, rows, create_empty_array(space, count))
    np.testing.assert_array_equal(
        ours(batch, count=count), np.stack([flatten(space, one) for one in rows])
    )


@settings(max_examples=100, deadline=None)
@given(SPACES)
def test_the_description_survives_json_and_every_entry_has_a_place(space):
    ours = needed(space)
    again = Flattening.model_validate_json(ours.model_dump_json())
    assert again == ours
    assert digest(again.model_dump(mode="json")) == digest(ours.model_dump(mode="json"))
    places = [ours.entry(index) for index in range(ours.size)]
    assert len(set(places)) == len(places)
    require_same_observations("the/env-v0", ours, again)


@settings(max_examples=100, deadline=None)
@given(SPACES, SPACES)
def test_another_space_is_refused_by_the_first_place_that_differs(one, other):
    mine, its = needed(one), needed(other)
    if mine == its:
        return
    with pytest.raises(UserError, match=r"the/env-v0.* the observation.*, the policy's") as error:
        require_same_observations("the/env-v0", mine, its)
    assert "\n" not in str(error.value)


def test_the_digest_of_a_description_is_what_it_was():
    """Policy files rest on it: a change of the rule needs another name for it."""
    found = needed(NESTED_SPACE).model_dump(mode="json")
    assert found["rule"] == "gymnasium"
    assert [key for key, _ in found["space"]["spaces"]] == ["gear", "lamps", "rest", "where"]
    assert digest(found) == "2479273158fcb8adafb0c1fe55a0b9cfc965549fd0a91abbe239635c2f5fc02c"


def test_bounds_are_no_part_of_it_but_kinds_shapes_dtypes_and_order_are():
    def of(**parts: spaces.Space) -> Flattening:
        return needed(spaces.Dict(list(parts.items())))

    box = spaces.Box(-1, 1, (2,), np.float32)
    same = of(a=box, b=spaces.Discrete(3))
    assert same == of(a=spaces.Box(0, 7, (2,), np.float32), b=spaces.Discrete(3))
    others = [
        of(b=spaces.Discrete(3), a=box),
        of(a=spaces.Box(-1, 1, (2,), np.float64), b=spaces.Discrete(3)),
        of(a=spaces.Box(-1, 1, (2, 1), np.float32), b=spaces.Discrete(3)),
        of(a=box, b=spaces.Discrete(3, start=1)),
        of(a=box, b=spaces.MultiBinary(3)),
    ]
    assert len({one.model_dump_json() for one in [same, *others]}) == 6


def test_vectors_are_left_as_they_are():
    box = spaces.Box(-1, 1, (3,), np.float32)
    assert Flattening.needed("e", box) is None
    assert flattening_of(box) is None
    with pytest.raises(UserError, match=r"gives Discrete\(3\), the policy was made for a vector"):
        require_same_observations("e", None, needed(spaces.Discrete(3)))
    with pytest.raises(UserError, match="gives a vector, the policy was made for Discrete"):
        require_same_observations("e", needed(spaces.Discrete(3)), None)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (spaces.Text(4), r"observation_space is Text.*embedding"),
        (spaces.Dict(k=spaces.Sequence(spaces.Discrete(3))), r"\['k'\] is Sequence.*pad it"),
        (spaces.Tuple((spaces.Graph(spaces.Box(-1, 1, (3,)), None),)), r"\[0\] is Graph.*nodes"),
        (spaces.OneOf((spaces.Discrete(2), spaces.Discrete(3))), "is OneOf.*give a Dict"),
        (spaces.Discrete(2**40), f"entries once flattened, at most {MOST_ENTRIES}"),
        (spaces.Box(0, 255, (1025, 1024), np.uint8), "at most"),
        (spaces.Dict({1: spaces.Discrete(2)}), "keys must be text"),
        (spaces.Dict({}), "without entries"),
        (None, "observation_space is None; expected Box, Discrete"),
    ],
)
def test_what_no_policy_can_see_is_refused_by_name_with_the_way_out(space, says):
    with pytest.raises(UserError, match=says) as error:
        Flattening.needed("the/env-v0", space)
    assert "'the/env-v0'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "space",
    [
        {"kind": "dict", "spaces": [["a", {"kind": "discrete", "n": 2}]] * 2},
        {"kind": "discrete", "n": MOST_ENTRIES + 1},
        {"kind": "multi_discrete", "shape": [2], "sizes": [2], "starts": [0]},
        {"kind": "box", "shape": [2], "dtype": "object"},
        {"kind": "graph"},
        {"kind": "tuple", "spaces": []},
    ],
)
def test_a_file_cannot_claim_a_space_that_is_none(space):
    with pytest.raises(ValueError, match="validation error"):
        Flattening.model_validate({"space": space})


def test_a_deep_file_is_refused_not_a_crash():
    text = '{"kind":"tuple","spaces":[' * 5000 + '{"kind":"discrete","n":2}' + "]}" * 5000
    with pytest.raises(ValueError, match="validation error"):
        Flattening.model_validate_json('{"space":' + text + "}")


def test_an_environment_is_flattened_and_says_what_it_was():
    made, raw = make_environment(NESTED, {}, 5), Nested()
    assert isinstance(made.observation_space, FlatBox)
    assert made.observation_space.shape == (NESTED_SIZE,)
    seen, _ = made.reset(seed=3)
    theirs, _ = raw.reset(seed=3)
    np.testing.assert_array_equal(seen, flatten(NESTED_SPACE, theirs))
    for push in (0.5, -0.5):
        seen, *_ = made.step(np.array([push]))
        theirs, *_ = raw.step(np.array([push], np.float32))
        np.testing.assert_array_equal(seen, flatten(NESTED_SPACE, theirs))


@pytest.mark.parametrize(
    ("lies", "says"),
    {
        "no key": r"has the keys 'where', 'lamps', 'rest': expected 'gear', 'lamps', 'rest', 'whe",
        "another key": "has the keys .*'wheel'",
        "index": r"observation\['gear'\] is 2: expected an index from -1 to 1",
        "lamp": r"observation\['lamps'\] holds other numbers than 0 and 1",
        "shape": r"observation\['where'\] has shape \(3,\), its observation_space \(2,\)",
        "not a number": r"is nan at \['where'\]\[1\]: it must be finite",
        "no tuple": r"observation\['rest'\] is an array.*expected a tuple of 2",
        "fraction": r"observation\['rest'\]\[1\] has dtype float64 and values that",
    }.items(),
)
def test_what_lies_outside_of_the_space_is_a_fault_with_its_place(lies, says):
    made = make_environment(NESTED, {"lies": lies}, 5)
    made.reset(seed=3)
    made.step(np.zeros(1))
    with pytest.raises(UserError, match=rf"'{NESTED}', episode 1, step 2: .*{says}"):
        made.step(np.zeros(1))


def test_an_authors_vector_environment_is_flattened_as_its_copies_are():
    vector = VectorStepping(NestedNative(3), NESTED_NATIVE)
    assert isinstance(vector.single_observation_space, FlatBox)
    assert vector.observation_space.shape == (3, NESTED_SIZE)
    copies = [make_environment(NESTED, {}, 10) for _ in range(3)]
    seen, _ = vector.reset(seed=[1, 2, 3])
    want = [one.reset(seed=seed)[0] for one, seed in zip(copies, (1, 2, 3), strict=True)]
    np.testing.assert_array_equal(seen, np.stack(want))
    pushes = np.array([[0.3], [-0.2], [0.9]])
    seen, *_ = vector.step(pushes)
    want = [one.step(push)[0] for one, push in zip(copies, pushes, strict=True)]
    np.testing.assert_array_equal(seen, np.stack(want))


def test_frozen_lake_is_seen_as_one_number_of_sixteen():
    made = make_environment("FrozenLake-v1", {"is_slippery": False}, 20)
    seen, _ = made.reset(seed=0)
    np.testing.assert_array_equal(seen, np.eye(16)[0])
    seen, *_ = made.step(np.array([2.0]))
    np.testing.assert_array_equal(seen, np.eye(16)[1])


def test_an_image_is_flattened_by_rows():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    found = needed(spaces.Box(0, 255, (2, 4, 3), np.uint8))
    np.testing.assert_array_equal(found(image), image.ravel())
    assert found(image).dtype == np.uint8
    assert found.entry(13) == "[1][0][1]"


def test_the_robot_of_the_package_needs_none():
    made = gymnasium.make("sport_ray/PointReachAvoid-v0")
    assert Flattening.needed("robot", made.observation_space) is None
