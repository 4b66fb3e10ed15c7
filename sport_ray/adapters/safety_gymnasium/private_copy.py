"""Safety-Gymnasium 1.0.0 beside today's Python, gymnasium, numpy and MuJoCo, as a private copy.

Its package cannot be imported here: ``__init__`` wants wrappers of gymnasium 0.28. Its ``builder``
can, with four changes:

- The ``__init__`` is not run. Nothing is registered with gymnasium either.
- Colours, which are defaults of dataclasses, get a hash. Python 3.11 refuses others.
- Joints are looked up by a number. MuJoCo refuses the array of one that stood there.
- The sky is a gradient, and the list of assets is read once. A reset decoded 24 MB of pictures.

None of them touches the dynamics, the costs, the rewards or what is random.

The changes are to a copy that only this package holds. What of Safety-Gymnasium a process had
imported is set aside meanwhile and put back; what was loaded here leaves ``sys.modules``. So
``import safety_gymnasium`` does afterwards what it did before, and changes nothing here.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from sport_ray.errors import UserError

PACKAGE = "safety_gymnasium"
VERSION = "1.0.0"
_SKY = {
    "@type": "skybox",
    "@builtin": "gradient",
    "@rgb1": "0.1 0.1 0.15",
    "@rgb2": "0 0 0",
    "@width": "32",
    "@height": "32",
}
_lock = threading.Lock()


def builder_class() -> Any:
    """Safety-Gymnasium's ``Builder``, of the private copy; loaded once.

    Raises:
        UserError: Safety-Gymnasium is missing, of another version, or lacks a package.
    """
    with _lock:
        return _load()


@functools.cache
def _load() -> Any:
    _require_version()
    with _set_aside():
        spec = importlib.util.find_spec(PACKAGE)
        assert spec is not None
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)  # its __init__ is not run
        try:
            _hash_colours(importlib.import_module(f"{PACKAGE}.assets.color"))
            builder = importlib.import_module(f"{PACKAGE}.builder").Builder
        except ModuleNotFoundError as error:
            raise UserError(
                f"safety-gymnasium needs {error.name}, which is not installed: install sport-ray "
                "with its extra safety-gymnasium (docs/safety-gymnasium.md)"
            ) from error
        _read_joints(importlib.import_module(f"{PACKAGE}.bases.base_agent"))
        _without_sky(importlib.import_module(f"{PACKAGE}.world"))
    return builder


def _require_version() -> None:
    try:
        found = metadata.version("safety-gymnasium")
    except metadata.PackageNotFoundError:
        found = None
    if found != VERSION:
        state = "not installed" if found is None else f"installed as {found}"
        raise UserError(
            f"safety-gymnasium is {state}, this needs {VERSION}: pip install --no-deps "
            f"safety-gymnasium=={VERSION} (docs/safety-gymnasium.md)"
        )


@contextmanager
def _set_aside() -> Iterator[None]:
    """Leave ``sys.modules`` as it was, whatever of the package is imported meanwhile."""
    before = {name: sys.modules.pop(name) for name in _loaded()}
    try:
        yield
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(before)


def _loaded() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == PACKAGE]


class _Colour(np.ndarray[Any, Any]):
    """An array that may be the default of a dataclass; its hash is its identity."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def _hash_colours(module: Any) -> None:
    for name, colour in module.COLOR.items():
        module.COLOR[name] = colour.view(_Colour)


def _read_joints(module: Any) -> None:
    module.BaseAgent._init_jnt_sensors = _joint_sensors
    # numpy 2.4 refuses float() of the array of one number that a hinge's sensor gives.
    module.float = lambda value: builtins.float(np.asarray(value).reshape(()))


def _joint_sensors(agent: Any) -> None:
    """Sort the agent's sensors by what they read; ``agent.sensor_info`` takes the names.

    Raises:
        ValueError: a sensor of a joint that Safety-Gymnasium's observations have no place for.
    """
    from mujoco import mjtJoint, mjtObj, mjtSensor

    model, told = agent.engine.model, agent.sensor_info
    of_joints = {
        (mjtJoint.mjJNT_HINGE, mjtSensor.mjSENS_JOINTPOS): told.hinge_pos_names,
        (mjtJoint.mjJNT_HINGE, mjtSensor.mjSENS_JOINTVEL): told.hinge_vel_names,
        (mjtJoint.mjJNT_BALL, mjtSensor.mjSENS_BALLQUAT): told.ballquat_names,
        (mjtJoint.mjJNT_BALL, mjtSensor.mjSENS_BALLANGVEL): told.ballangvel_names,
    }
    names = {(int(joint), int(sensor)): where for (joint, sensor), where in of_joints.items()}
    for index in range(model.nsensor):
        name = model.sensor(index).name
        told.sensor_dim[name] = int(model.sensor_dim[index])
        if model.sensor_objtype[index] == int(mjtObj.mjOBJ_JOINT):
            joint = int(model.jnt_type[model.sensor_objid[index]])
            kind = (joint, int(model.sensor_type[index]))
            if kind not in names:
                raise ValueError(f"sensor {name!r} reads a joint in a way that is not observed")
            names[kind].append(name)
        elif name == "agent_pos":
            told.freejoint_pos_name = name
        elif name == "agent_qvel":
            told.freejoint_qvel_name = name


def _without_sky(module: ModuleType) -> None:
    yaml = vars(module)["yaml"]

    @functools.cache
    def assets(text: str) -> Any:
        found = yaml.safe_load(text)
        found["textures"]["skybox"] = _SKY
        return found

    replaced = SimpleNamespace(
        load=lambda file, Loader: assets(file.read()),  # noqa: N803 - its name there
        FullLoader=None,
    )
    vars(module)["yaml"] = replaced
