"""What a policy's observations come from belongs to its file, and changes no older digest."""

from __future__ import annotations

import pytest
from gymnasium import spaces
from pydantic import ValidationError

from sport_ray.envs.flatten import Flattening
from sport_ray.policies import PolicyNetwork, PolicySpec, load_policy, policy_digest, save_policy
from sport_ray.policies.network import widened

SPACE = spaces.Dict({"where": spaces.Box(-1, 1, (2,)), "gear": spaces.Discrete(3)})
FLATTENING = Flattening.needed("e", SPACE)
PLAIN = PolicySpec(observation_size=5, action_size=1, hidden=(4,))
SEEN = PolicySpec(observation_size=5, action_size=1, hidden=(4,), flattening=FLATTENING)


def test_without_one_the_file_says_nothing_of_it():
    assert "flattening" not in PLAIN.model_dump(mode="json")
    assert SEEN.model_dump(mode="json")["flattening"]["space"]["kind"] == "dict"


def test_it_is_part_of_the_digest_and_survives_the_file(tmp_path):
    plain, seen = PolicyNetwork(PLAIN), PolicyNetwork(SEEN)
    seen.load_state_dict(plain.state_dict())
    assert policy_digest(plain) != policy_digest(seen)
    digest = save_policy(tmp_path / "it", seen, {})
    again = load_policy(tmp_path / "it")
    assert again.digest == digest
    assert again.network.spec == SEEN


def test_what_a_budget_adds_comes_after_it():
    wide = widened(PolicyNetwork(SEEN), 2)
    assert PolicySpec.model_validate(wide.spec.model_dump(mode="json")) == wide.spec
    assert wide.spec.flattening == FLATTENING
    with pytest.raises(ValidationError, match="flattening gives 5 entries, observations have 4"):
        PolicySpec(observation_size=4, action_size=1, flattening=FLATTENING)
