"""The interface of a constraint: what may be spent in a state, what was spent, what is promised.

A constraint keeps the deployed action distribution near the base policy's. One without memory
(the paper's constant ratio) allows the same in every state. One with a budget carries a state
through the episode: before each step ``limits`` says how far the step may go, ``project`` finds
the closest distribution within it, and after the action is drawn ``cost`` is what it spent.
Constraints are frozen and go to JSON by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError
from sport_ray.plugins import CONSTRAINTS as PLUGINS
from sport_ray.plugins import is_plugin, plugin, qualified, refused

if TYPE_CHECKING:  # torch takes seconds, which reading a table of results should not
    from torch import Tensor

    from sport_ray.families import Distribution

Array = NDArray[np.float64]
Method = TypeVar("Method", bound=Callable[..., Any])
CONSTRAINTS: dict[str, type[Constraint]] = {}
LAST = 100
"""Order of a constraint that gives none."""
_LOWEST = np.float32(-np.inf)
_PACKAGE = __name__.rpartition(".")[0]


_MARK = "_given_limits"


def given_limits(method: Method) -> Method:
    """Mark a method that, given the limits, reads no parameter of its constraint."""
    setattr(method, _MARK, True)
    return method


class MustBeGivenError(UserError):
    """A kind of constraint that cannot be derived from a risk: its parameters must be given."""


class Constraint(ABC):
    """A set of action distributions around the base policy's, perhaps with a budget to spend.

    Subclasses are frozen dataclasses; defining one with a ``name`` registers it. Outside this
    package the name gets its module in front, ``my_package.my_module:name``, so that every process
    that reads it can import the class. Without a budget ``state_size`` is 0 and what concerns the
    state may stay as it is here.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """The name in words, for tables, figures and reports; by default ``name``."""
    formula: ClassVar[str]
    """The prior bound as a formula, for a deployed policy's promise; by default empty."""
    order: ClassVar[int]
    """Rank in legends and tables; by default after those of this package."""
    simultaneous: ClassVar[bool]
    """Whether the prior bound follows from ε_base(T) alone: then it holds together with all others
    of the certificate. By default not: each holds with confidence 1 − β on its own."""
    state_size: ClassVar[int] = 0
    """Numbers that an episode carries."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):  # a variant of its parent, whose name stays the parent's
            return
        # Not its parent's: a variant under its own name promises something else.
        own = vars(cls)
        cls.title = own.get("title", cls.name)
        cls.formula = own.get("formula", "")
        cls.order = own.get("order", LAST)
        cls.simultaneous = own.get("simultaneous", False)
        cls.name = qualified(cls, _PACKAGE)
        known = CONSTRAINTS.get(cls.name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"name {cls.name!r} is taken by the constraint {known.__qualname__}")
        CONSTRAINTS[cls.name] = cls

    @classmethod
    def takes_alpha(cls) -> bool:
        """Whether a constraint of this kind is made from a constant ratio α."""
        return "alpha" in getattr(cls, "__dataclass_fields__", {})

    @classmethod
    def promises(cls) -> bool:
        """Whether anything is promised under a constraint of this kind."""
        return cls.prior_bound is not Constraint.prior_bound

    # What may be done in one state.

    @property
    @abstractmethod
    def log_ratio_limit(self) -> float:
        """Largest log density ratio to the base of any step, nats; inf where there is none."""

    def path_log_ratio_limit(self, horizon: int) -> float:
        """Largest log density ratio of any trajectory of T steps, nats; inf where there is none."""
        return horizon * self.log_ratio_limit

    def require_family(self, family: type[Distribution]) -> None:  # noqa: B027
        """Refuse policies of a family that its theorem does not hold for; by default of none.

        Raises:
            UserError: names both.
        """

    @abstractmethod
    def project(
        self, base: Distribution, task: Distribution, limits: Tensor | float | None = None
    ) -> Distribution:
        """The members of the family closest to the task policy's (...) within the limits.

        limits: (...) or a number; default those of an episode's first state.
        """

    @given_limits
    def within(self, step: Distribution, base: Distribution, limits: Tensor | float) -> Tensor:
        """Whether each member keeps to its limit, in float64 on the numbers given; bool (...)."""
        return step.max_log_ratio(base) <= limits

    def step_kind(self) -> Hashable:
        """Equal for constraints that do the same with a step once its limits are given.

        ``project``, ``within``, ``cost`` and ``feature_limits`` of one then do for rows of all of
        them in one call. By default equal constraints alone; see :func:`given_limits`.
        """
        kind = type(self)
        methods = (kind.project, kind.within, kind.cost, kind.feature_limits)
        return methods if all(hasattr(one, _MARK) for one in methods) else self

    # The budget.

    def start(self, count: int) -> Array:
        """State of ``count`` episodes before their first step, (count, state_size)."""
        return np.zeros((count, self.state_size))

    def limits(self, state: Array) -> Array:
        """How far the next step may go, (n,); under a budget in numbers that float32 represents."""
        return np.full(len(state), self.log_ratio_limit)

    def features(self, state: Array) -> NDArray[np.float32]:
        """What a policy sees of the budget, (n, num_features): the limit first."""
        return np.zeros((len(state), 0), dtype=np.float32)

    @property
    def num_features(self) -> int:
        """Entries that the budget adds to the observation."""
        found: int = self.features(self.start(1)).shape[1]
        return found

    @given_limits
    def feature_limits(self, features: Tensor) -> Tensor | float:
        """The limits that features (n, num_features) stand for, float64."""
        return features[..., 0].double() if self.state_size else self.log_ratio_limit

    def share_left(self, features: Tensor) -> Tensor | None:
        """What features (n, num_features) say is left of the budget, as a share of the whole, (n,).

        None where there is no budget, or they do not say.
        """
        return None

    @given_limits
    def cost(self, step: Distribution, base: Distribution, action: Array) -> Array:
        """What drawing ``action`` (n, D) from ``step`` spent, (n,), rounded up."""
        return np.zeros(len(action))

    def spend(self, state: Array, cost: Array) -> Array:
        """The state after one step of that cost, (n, state_size).

        Raises:
            ArithmeticError: more was spent than there was, or a cost that is not a number.
        """
        return state

    # The promise.

    def prior_bound(self, evidence: Evidence) -> float | None:
        """Bound on the violation probability within T steps, known before any rollout.

        None where nothing is promised.
        """
        return None

    @classmethod
    def for_target(cls, evidence: Evidence, eps_max: float, *, trained: bool = False) -> Self:
        """The widest constraint of its kind whose prior bound is at most ε_max.

        trained: whether a task policy is trained under it, or one that was trained without a
            bound is projected at deployment.

        Raises:
            MustBeGivenError: a kind whose parameters must be given.
        """
        raise MustBeGivenError(f"constraint {cls.name!r} cannot be derived from a risk: give its α")

    # A list of limits.

    @property
    def limit(self) -> float:
        """The limit in its own unit: α, B in nats, μ; NaN of a kind without one number for it."""
        return math.nan

    def with_limit(self, limit: float) -> Self:
        """The same kind with another limit, in its own unit: α, B in nats, μ.

        Raises:
            UserError: a kind without one number for a limit, or an impossible number.
        """
        raise UserError(f"constraint {self.name!r} has no limit that could be chosen from data")

    def widened(self, factor: float) -> Self:
        """The same kind with a limit so many times as wide; of a ratio its logarithm.

        Raises:
            UserError: as ``with_limit``.
        """
        return self.with_limit(factor)

    # Records.

    def recorded(self) -> dict[str, float]:
        """What a cell's record carries of the constraint: the numbers among its parameters."""
        values = {name: value for name, value in self.to_json().items() if name != "name"}
        return {
            name: value
            for name, value in values.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The constraint whose :meth:`recorded` numbers stand in a record; the rest by default.

        Raises:
            UserError: the record lacks a parameter, or has an impossible value for it.
        """
        known = cls.__dataclass_fields__  # type: ignore[attr-defined]  # each subclass is one
        given = {name: record[name] for name in known if record.get(name) is not None}
        return cls._from_parameters(given)

    @classmethod
    def _from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        try:
            return cls(**parameters)
        except TypeError as error:
            raise UserError(f"constraint {cls.name!r} cannot take {parameters}: {error}") from None

    def held(self, record: Mapping[str, Any]) -> bool:
        """Whether a finished cell kept to the constraint in all that its record says was seen.

        The largest log ratio of any step, or, where none is limited, that of any prefix of a path.
        What limits neither was checked at every step (``within``, ``spend``), and a step outside
        fails its cell.
        """
        horizon = int(record["horizon"])
        limits = (
            ("max_log_ratio", self.log_ratio_limit),
            ("max_prefix_log_ratio", self.path_log_ratio_limit(horizon)),
        )
        for name, limit in limits:
            if limit < math.inf:
                seen = record[name]
                return seen is not None and bool(seen <= limit)
        return self.promises()

    # JSON.

    def to_json(self) -> dict[str, Any]:
        """``{"name": …, parameters}``, the inverse of :func:`constraint_from_json`."""
        known = fields(self)  # type: ignore[arg-type]  # each subclass is a dataclass, this is none
        values = {field.name: getattr(self, field.name) for field in known}
        return {"name": self.name} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


def constraint_class(name: object, *, run_module: bool = False) -> type[Constraint]:
    """The class of that name.

    run_module: take the user's word: import the module of ``module:name``, or what an installed
        package announces under the name (entry points ``sport_ray.constraints``). Only for names
        that the user wrote, in a study: a name in a file of somebody else would run their choice.

    Raises:
        UserError: an unknown name, or a module that cannot be imported, or may not.
    """
    if isinstance(name, str) and name not in CONSTRAINTS:
        if run_module:
            found = plugin(PLUGINS, name, Constraint, CONSTRAINTS)  # type: ignore[type-abstract]
            if found is not None:
                return found
        elif is_plugin(name):
            raise refused(PLUGINS, name)
    if not isinstance(name, str) or name not in CONSTRAINTS:
        raise UserError(f"unknown constraint {name!r}; known: {', '.join(sorted(CONSTRAINTS))}")
    return CONSTRAINTS[name]


def constraint_from_json(record: Mapping[str, Any], *, run_module: bool = False) -> Constraint:
    """The constraint that ``record`` (from :meth:`Constraint.to_json`) describes.

    run_module: as for :func:`constraint_class`.

    Raises UserError on an unknown name and on parameters that the constraint does not take.
    """
    parameters = dict(record)
    kind = constraint_class(parameters.pop("name", None), run_module=run_module)
    parameters = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
    return kind._from_parameters(parameters)


def require_alpha(given: float) -> float:
    """α as a float in [1, ∞), or a UserError."""
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise UserError(f"alpha must be a number >= 1, got {given!r}")
    if not 1.0 <= given < math.inf:
        remedy = "; the constraint 'unconstrained' has no limit" if given == math.inf else ""
        raise UserError(f"alpha must be finite and >= 1, got {given!r}{remedy}")
    return float(given)


def float32_down(values: Array) -> Array:
    """The largest float32 numbers not above the values, as float64 (a limit may only shrink)."""
    rounded = values.astype(np.float32)
    above = rounded > values
    return np.where(above, np.nextafter(rounded, _LOWEST), rounded).astype(np.float64)
