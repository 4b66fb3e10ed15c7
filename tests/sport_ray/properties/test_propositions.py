"""A property over propositions that nobody gives it."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.properties.propositions import require_given


@pytest.mark.parametrize(
    ("needed", "given", "told"),
    [
        (["obstcle"], ["obstacle", "goal"], "'obstcle'; it provides goal, obstacle: did you mean"),
        (["Goal"], ["goal"], "did you mean 'goal'?"),
        (["obstcle", "gaol"], ["obstacle", "goal"], "signals 'obstcle', 'gaol'; .*'obstacle', 'go"),
        (["water"], ["goal"], "'water'; it provides goal: write one of them, or give the env"),
        (["water"], [], "'water'; it provides none: give the environment that signal"),
    ],
)  # fmt: skip
def test_what_is_unknown_what_is_known_and_what_was_meant(needed, given, told):
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        require_given("F it", needed, given, "it")


def test_what_is_given_may_be_more():
    require_given("F goal", ["goal"], ["hazard", "goal"], "it")
