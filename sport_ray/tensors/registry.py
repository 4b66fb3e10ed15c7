"""Ids of tensor environments: the same that gymnasium knows, so that a study names one as ever."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sport_ray.envs.registration import ENV_ID as POINT_ROBOT
from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which to ask whether there is a tensor form should not
    import torch

    from sport_ray.tensors.environment import TensorEnvironment

Factory = Callable[..., "TensorEnvironment"]
"""``factory(num_slots, device, horizon=…, **kwargs)``; device is a torch.device, ``horizon`` the
steps after which an episode is truncated."""

SINGLE = "sport_ray.tensors.single:TensorEnv"
VECTOR = "sport_ray.tensors.vector:TensorVectorEnv"

_FACTORIES: dict[str, Factory | str] = {POINT_ROBOT: "sport_ray.tensors.point_robot:PointRobot"}


def register_tensor_environment(env_id: str, factory: Factory | str) -> None:
    """Give a tensor environment an id, and gymnasium the same one if it has none of that name.

    ``factory`` is a function or class, or ``"module:name"`` of one, which is imported on first
    use. Named with the module that registers it, ``"module:Name-v0"``, the id is known in every
    process, as with gymnasium. Registering again replaces the factory.

    An id that gymnasium knows already keeps that form in studies; the tensor form is beside it,
    for whatever asks for tensors, and must be the same world.

    Raises:
        UserError: a factory that is neither callable nor ``"module:name"``.
        gymnasium.error.Error: an id that gymnasium does not allow.
    """
    named = isinstance(factory, str) and all(factory.partition(":"))
    if not (named or callable(factory)):
        raise UserError(
            f"tensor environment {env_id!r}: factory is {factory!r}, expected a function or "
            "'module:name'"
        )
    _FACTORIES[env_id] = factory
    try:
        import gymnasium
    except ModuleNotFoundError:  # tensors alone need no gymnasium
        return
    if env_id in gymnasium.registry and gymnasium.registry[env_id].entry_point != SINGLE:
        return
    gymnasium.registry.pop(env_id, None)
    gymnasium.register(
        id=env_id,
        entry_point=SINGLE,
        vector_entry_point=VECTOR,
        disable_env_checker=True,
        kwargs={"factory": factory},
    )


def tensor_factory(env_id: str) -> Factory | None:
    """The factory of an id, which may name the module that registers it; None if there is none.

    Raises:
        ImportError: a module that cannot be imported.
        UserError: a factory that its module does not have.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)  # registers the id
    found = _FACTORIES.get(name)
    return None if found is None else load_factory(found)


def load_factory(factory: Factory | str) -> Factory:
    """A factory as it can be called.

    Raises:
        ImportError: a module that cannot be imported.
        UserError: a name that the module does not have, or that cannot be called.
    """
    if not isinstance(factory, str):
        return factory
    module, _, name = factory.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UserError(f"tensor environment factory {factory!r}: {module} has no such function")
    made: Factory = found
    return made


def is_tensor_environment(env_id: str) -> bool:
    """Whether an id has its tensor form alone, so that what gymnasium makes of it is an adapter.

    Raises:
        gymnasium.error.Error, ImportError: as :func:`sport_ray.envs.making.environment_spec`.
    """
    from sport_ray.envs.making import environment_spec

    return environment_spec(env_id).entry_point == SINGLE


def make_tensor_environment(
    env_id: str,
    kwargs: Mapping[str, Any],
    horizon: int,
    num_slots: int,
    device: str | torch.device | None = None,
) -> TensorEnvironment:
    """The tensor environment of an id: ``num_slots`` slots whose episodes last ``horizon`` steps.

    device: default the one that ``kwargs`` names (``device: cuda``), else the CPU.

    Raises:
        UserError: an id without a tensor form, or whatever its making raised (``__cause__``).
    """
    from sport_ray.envs.faults import telling_what_failed

    with telling_what_failed(env_id):
        factory = tensor_factory(env_id)
        if factory is None:
            raise UserError("it has no tensor form: give it one with register_tensor_environment")
        return make_from(factory, num_slots, {**kwargs, "horizon": horizon}, device)


def make_from(
    factory: Factory | str,
    num_slots: int,
    kwargs: Mapping[str, Any],
    device: str | torch.device | None = None,
) -> TensorEnvironment:
    """What a factory makes, if it has the attributes of a tensor environment.

    Raises:
        UserError: an attribute that is missing or of another kind.
        Exception: whatever the factory raises.
    """
    from sport_ray.tensors.reading import require_attributes

    arguments = dict(kwargs)
    named = arguments.pop("device", "cpu")
    import torch

    place = torch.device(named if device is None else device)
    made = load_factory(factory)(num_slots, place, **arguments)
    require_attributes(made, num_slots, place)
    return made
