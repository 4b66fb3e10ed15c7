"""One of Safety-Gymnasium's navigation tasks behind gymnasium's interface, with its costs named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from sport_ray.adapters.safety_gymnasium.clearance import nearness
from sport_ray.adapters.safety_gymnasium.private_copy import builder_class
from sport_ray.adapters.safety_gymnasium.tasks import AGENTS, TASKS
from sport_ray.errors import UserError

if TYPE_CHECKING:  # what a certificate records beside this file: versions of it and of its needs
    import safety_gymnasium  # noqa: F401

_ATTEMPTS = 1000
"""Layouts drawn for one start before it is given up."""


class SafetyEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]], EzPickle):
    """A stock task, its numbers unchanged; ``info["signals"]`` says what happened in the step.

    Signals, all Boolean:

    - ``cost``: the step cost anything (the stock cost, ``cost_sum``, is above 0);
    - each kind of cost that the task has, such as ``hazards``, ``gremlins``, ``buttons``,
      ``pillars``, ``vases_contact``, ``vases_velocity``, ``out_of_boundary``;
    - ``goal``, where the task has one: it was met. A new one is then drawn, as in the stock task.

    ``info["cost"]`` is the sum of the stock costs; other entries of the stock info are kept.
    Observations: the stock ones, flat, float64. Actions: Box [−1, 1], float32, mapped linearly onto
    the agent's controls (for all but the Racecar, the same numbers). No time limit.

    ``reset(seed=s)`` gives the stock task's episode of that seed; without a seed, one drawn from
    the environment's generator. Layouts that cost at the start, which the stock task dies of, are
    drawn again: starts are those of the stock task, given that nothing costs.

    Args:
        task: the stock id, such as ``SafetyPointGoal1-v0``.
        repeat: stock steps (0.02 s for Point and Car) per action. Costs and goals of all of them
            count, rewards are summed, the last observation is given.
        caution: for training a base policy. It takes off each stock step's reward ``caution``
            times 1 where it costs, else max(0, 1 − clearance/``margin``), clearance the distance
            (m) from the agent's origin to the rim of the nearest thing that costs.
        margin: metres.
        render_mode: None or ``rgb_array``.

    Raises:
        UserError: arguments out of range; Safety-Gymnasium is missing or of another version.
        RuntimeError: at step, the simulation has become unstable; at reset, no start was found.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - gymnasium's way

    def __init__(
        self,
        task: str,
        *,
        repeat: int = 1,
        caution: float = 0.0,
        margin: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        EzPickle.__init__(
            self, task, repeat=repeat, caution=caution, margin=margin, render_mode=render_mode
        )
        _check(repeat, caution, margin, render_mode)
        self.repeat, self.caution, self.margin = repeat, caution, margin
        self.render_mode = render_mode
        self._builder = _make_builder(task)
        self._task: Any = self._builder.task
        space = self._builder.observation_space
        self.observation_space = gymnasium.spaces.Box(
            -np.inf, np.inf, space.shape, dtype=np.float64
        )
        low, high = self._builder.action_space.low, self._builder.action_space.high
        self._centre, self._half = (high + low) / 2, (high - low) / 2
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, low.shape, dtype=np.float32)
        self._kinds: tuple[str, ...] = ()
        self._renderer: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode; nothing holds in its first state but, perhaps, the goal."""
        super().reset(seed=seed)
        if options:
            raise UserError(f"reset options are {options!r}: this environment takes none")
        observation = self._start(seed)
        self._close_renderer()  # it shows one model, and every start makes another
        # All kinds have an entry now; later 'buttons' has none while its timer runs.
        told = dict.fromkeys(self._builder.cost, 0.0)
        self._kinds = tuple(told)
        return observation, self._info(told, bool(self._task.goal_achieved))

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """``repeat`` stock steps with one action, fewer where the task ends."""
        control = self._centre + self._half * np.asarray(action, dtype=np.float64)
        told, paid, met = dict.fromkeys(self._kinds, 0.0), 0.0, False
        for left in reversed(range(self.repeat)):
            with self._unseen(left > 0):
                observation, reward, cost, ended, _, info = self._builder.step(control)
            self._require_stable()
            for kind, value in self._builder.cost.items():
                told[kind] += float(value)  # a kind that the start did not have is an error
            met = met or bool(info.get("goal_met", False))
            paid += float(reward)
            if self.caution:
                paid -= self.caution * (1.0 if cost > 0 else nearness(self._task, self.margin))
            if ended:
                observation = self._task.obs()
                break
        return observation, paid, bool(ended), False, self._info(told, met)

    def render(self) -> Any:
        """What the camera ``fixedfar`` sees, uint8 (480, 640, 3); None where nothing is drawn."""
        if self.render_mode is None:
            return None
        import mujoco

        if self._renderer is None:
            self._renderer = mujoco.Renderer(self._task.model, height=480, width=640)
        shown = mujoco.MjvOption()
        shown.geomgroup[:] = 1  # hazards and goals are of groups that are hidden otherwise
        self._renderer.update_scene(self._task.data, camera="fixedfar", scene_option=shown)
        return self._renderer.render()

    def close(self) -> None:
        """Let go of the renderer."""
        self._close_renderer()

    def _start(self, seed: int | None) -> NDArray[np.float64]:
        """The stock start of this seed, or of the first one after it that costs nothing."""
        layout = seed
        for _ in range(_ATTEMPTS):
            if layout is None or layout >= 2**32:  # more than the stock generator takes
                layout = int(self.np_random.integers(2**32))
            try:
                observation, _ = self._builder.reset(seed=layout)
            except AssertionError as error:
                if "starting cost" not in str(error):
                    raise
            else:
                if self._builder.cost["cost_sum"] == 0:  # under python -O nothing was asserted
                    start: NDArray[np.float64] = observation
                    return start
            layout = None
        raise RuntimeError(f"{_ATTEMPTS} layouts in a row cost at the start")

    def _info(self, told: dict[str, float], met: bool) -> dict[str, Any]:
        """The step's costs by kind, their sum, and what of it holds."""
        signals = {kind.removeprefix("cost_"): value > 0 for kind, value in told.items()}
        signals["cost"] = signals.pop("sum")
        if hasattr(self._task, "goal"):
            signals["goal"] = met
        return {**told, "cost": told["cost_sum"], "goal_met": met, "signals": signals}

    @contextmanager
    def _unseen(self, unseen: bool) -> Iterator[None]:
        """Leave out the observation (half of a step's time) of steps that nobody sees.

        What it does to the simulation stays: one more pass of the dynamics, which starts the
        solver of the next step where it would have started.
        """
        if not unseen:
            yield
            return
        import mujoco

        task = self._task
        task.obs = lambda: mujoco.mj_forward(task.model, task.data)
        try:
            yield
        finally:
            del task.obs  # the class's own again

    def _require_stable(self) -> None:
        """MuJoCo warns, and starts anew from the first state: then no number is worth anything."""
        from mujoco import mjtWarning

        for kind in (
            mjtWarning.mjWARN_BADQPOS,
            mjtWarning.mjWARN_BADQVEL,
            mjtWarning.mjWARN_BADQACC,
        ):
            if self._task.data.warning[int(kind)].number:
                raise RuntimeError(f"the simulation has become unstable (MuJoCo: {kind.name})")

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _make_builder(task: str) -> Any:
    """A stock environment without a time limit; the global random stream stays where it was."""
    agent = next((name for name in AGENTS if task.startswith(f"Safety{name}")), "")
    if task not in {f"Safety{agent}{name}-v0" for name in TASKS}:
        raise UserError(
            f"task {task!r} is not known here: expected Safety + one of {', '.join(AGENTS)} + one "
            f"of {', '.join(TASKS)} + -v0"
        )
    state = np.random.get_state()
    try:
        with np.errstate(over="ignore"):  # gymnasium compares infinite bounds of float64
            builder = builder_class()(task, config={"agent_name": agent})
    finally:
        np.random.set_state(state)
    builder.task.num_steps = float("inf")
    return builder


def _check(repeat: int, caution: float, margin: float, render_mode: str | None) -> None:
    if not isinstance(repeat, int) or repeat < 1:
        raise UserError(f"repeat is {repeat!r}: expected an integer of at least 1")
    for name, value in (("caution", caution), ("margin", margin)):
        if not 0.0 <= value < float("inf"):
            raise UserError(f"{name} is {value!r}: expected a number of at least 0")
    if render_mode not in (None, "rgb_array"):
        raise UserError(f"render_mode is {render_mode!r}: expected None or 'rgb_array'")
