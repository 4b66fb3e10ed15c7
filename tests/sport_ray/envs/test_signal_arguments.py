"""What a signal's function is given, by its parameters."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest

from sport_ray.envs.signal_arguments import arguments_of
from sport_ray.errors import UserError


class Limit:
    def __init__(self, most):
        self.most = most

    def __call__(self, seen):
        return seen[0] - self.most

    def in_simulator(self, env):
        return env.unwrapped.state


def by_keyword(obs, *, info):
    return obs, info


@pytest.mark.parametrize(
    ("function", "in_order", "by_name"),
    [
        (lambda o: o, ("obs",), ()),
        (lambda seen, most=3.0: seen, ("obs",), ()),
        (lambda observation: observation, ("obs",), ()),
        (lambda info: info, ("info",), ()),
        (lambda env: env, ("env",), ()),
        (lambda environment: environment, ("env",), ()),
        (lambda obs, info: obs, ("obs", "info"), ()),
        (lambda o, i: o, ("obs", "info"), ()),
        (lambda obs, i: obs, ("obs", "info"), ()),
        (lambda o, info: o, ("obs", "info"), ()),
        (lambda info, obs: obs, ("info", "obs"), ()),
        (lambda o, env: o, ("obs", "env"), ()),
        (lambda env, info, obs: obs, ("env", "info", "obs"), ()),
        (by_keyword, ("obs",), (("info", "info"),)),
        (Limit(1.0), ("obs",), ()),
        (Limit(1.0).in_simulator, ("env",), ()),
        (functools.partial(lambda obs, most: obs, most=2.0), ("obs",), ()),
        (np.any, ("obs",), ()),
    ],
)
def test_names_come_first_and_places_after_them(function, in_order, by_name):
    found = arguments_of("it", function)
    assert (found.in_order, found.by_name) == (in_order, by_name)
    assert found.takes_env == ("env" in in_order)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda: True, "takes ()"),
        (lambda info, o: o, "takes (info, o)"),
        (lambda env, o: o, "takes (env, o)"),
        (lambda o, obs: o, "takes (o, obs)"),
        (lambda obs, observation: obs, "takes (obs, observation)"),
        (lambda obs, info, x: obs, "takes (obs, info, x)"),
        (lambda a, b, c: a, "takes (a, b, c)"),
        (lambda *args: args, "takes (*args)"),
        (lambda obs, **more: obs, "takes (obs, **more)"),
        (lambda obs, info=None: obs, "info has a default"),
        (lambda obs, *, most: obs, "'most' is none of"),
        (operator.itemgetter(2), "it"),
        (max, "Python does not tell"),
    ],
)
def test_what_may_mean_two_things_is_refused_in_one_line(function, told):
    with pytest.raises(UserError) as refused:
        arguments_of("it", function)
    line = str(refused.value)
    assert line.startswith("signal 'it': ")
    assert told in line
    assert "\n" not in line
