"""Projected PPO in the way of PureJaxRL: whole training runs in JAX, vmapped over the cells.

Everything is on the device in float32: robot, networks, base, projection, advantages, updates.
What the project's engines do beyond it: the base in float64, the projection's rounding inwards,
the check of every stored ratio, metrics, and a cell that fails alone.

Models: PureJaxRL (github.com/luchris429/purejaxrl) and Rejax (github.com/keraJLi/rejax).
"""

from __future__ import annotations

import itertools
import json
import math
import time
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.numpy import load_file

from benchmarks.peers import jax_robot
from benchmarks.peers.clock import Measured, repeated
from benchmarks.peers.jax_projection import project
from benchmarks.peers.settings import CRITIC, HORIZON, Setting, alpha_of

Layers = list[tuple[Array, Array]]
CALL_STEPS = 2_048  # env steps of a cell in one call: a whole run would be one call


class Adam(NamedTuple):
    """First and second moments, and the number of steps."""

    first: Layers
    second: Layers
    steps: Array


class Robots(NamedTuple):
    """The copies of one cell: state (n, 8), steps done (n,), observation (n, 44), distance (n,)."""

    state: Array
    steps: Array
    seen: Array
    distance: Array


class Run(NamedTuple):
    """All that a cell's training carries from one iteration to the next."""

    actor: Layers
    critic: Layers
    actor_adam: Adam
    critic_adam: Adam
    robots: Robots
    key: Array
    log_alpha: Array


class Transition(NamedTuple):
    """A step of n copies."""

    seen: Array
    action: Array
    logp: Array
    reward: Array
    terminated: Array
    over: Array
    after: Array


def mlp(layers: Layers, x: Array) -> Array:
    """A network's outputs."""
    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def log_density(mean: Array, std: Array, action: Array) -> Array:
    """Of diagonal Gaussians, nats."""
    z = (action - mean) / std
    return (-0.5 * z * z - jnp.log(std) - 0.5 * math.log(2.0 * math.pi)).sum(-1)


def stepped(layers: Layers, gradient: Layers, adam: Adam, lr: float, limit: float) -> Any:
    """The weights after one step of Adam on a gradient clipped by its norm."""
    norm = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient)))
    scale = jnp.minimum(1.0, limit / (norm + 1e-6))
    gradient = jax.tree.map(lambda leaf: leaf * scale, gradient)
    steps = adam.steps + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, adam.first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, adam.second, gradient)
    rate = lr / (1.0 - 0.9**steps)
    spread = jnp.sqrt(1.0 - 0.999**steps)
    layers = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) / spread + 1e-5), layers, first, second
    )
    return layers, Adam(first, second, steps)


class Program:
    """One cell's training as pure functions; ``jax.vmap`` makes a cohort of it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        folder = setting.base_folder
        spec = json.loads((folder / "policy.json").read_text(encoding="utf-8"))["spec"]
        weights = load_file(folder / "policy.safetensors")
        names = sorted(name.removesuffix(".weight") for name in weights if name.endswith("weight"))
        self.base: Layers = [
            (jnp.asarray(weights[f"{n}.weight"].T), jnp.asarray(weights[f"{n}.bias"]))
            for n in names
        ]
        self._lowest, self._highest = spec["log_std_min"], spec["log_std_max"]

    def head(self, output: Array) -> tuple[Array, Array]:
        """Mean and std of what a policy network puts out."""
        mean, raw = jnp.split(output, 2, axis=-1)
        share = 0.5 * (jnp.tanh(raw) + 1.0)
        return mean, jnp.exp(self._lowest + (self._highest - self._lowest) * share)

    def begin(self, key: Array, log_alpha: Array) -> Run:
        """A cell before its first iteration."""
        key, *keys = jax.random.split(key, len(CRITIC))
        critic = []
        for own, (inputs, outputs) in zip(keys, itertools.pairwise(CRITIC), strict=True):
            reach = 1.0 / math.sqrt(inputs)
            weight = jax.random.uniform(own, (inputs, outputs), minval=-reach, maxval=reach)
            critic.append((weight, jnp.zeros(outputs)))
        count = self.setting.num_envs
        state = jnp.tile(jax_robot.start(), (count, 1))
        seen, distance = jax.vmap(jax_robot.observe)(state)
        robots = Robots(state, jnp.zeros(count, jnp.int32), seen, distance)
        return Run(self.base, critic, _adam(self.base), _adam(critic), robots, key, log_alpha)

    def iterate(self, run: Run) -> tuple[Run, Array]:
        """Sample a batch and learn from it; beside the run, the batch's mean reward."""
        setting = self.setting
        key, acting, learning = jax.random.split(run.key, 3)

        def act(robots: Robots, own: Array) -> tuple[Robots, Transition]:
            mean_base, std_base = self.head(mlp(self.base, robots.seen))
            mean, std = self.head(mlp(run.actor, robots.seen))
            mean, std = jax.vmap(project, (0, 0, 0, 0, None))(
                mean_base, std_base, mean, std, run.log_alpha
            )
            action = mean + std * jax.random.normal(own, mean.shape)
            state = jax.vmap(jax_robot.advance)(robots.state, jnp.tanh(action))
            after, distance = jax.vmap(jax_robot.observe)(state)
            steps, terminated = robots.steps + 1, jax_robot.reached(distance)
            over = terminated | (steps >= HORIZON)
            start = jax_robot.start()
            first, first_distance = jax_robot.observe(start)
            following = Robots(
                jnp.where(over[:, None], start, state),
                jnp.where(over, 0, steps),
                jnp.where(over[:, None], first, after),
                jnp.where(over, first_distance, distance),
            )
            return following, Transition(
                robots.seen,
                action,
                log_density(mean, std, action),
                robots.distance - distance + terminated,
                terminated,
                over,
                after,
            )

        robots, steps = jax.lax.scan(act, run.robots, jax.random.split(acting, setting.fragment))
        values = mlp(run.critic, steps.seen)[..., 0]
        values_after = mlp(run.critic, steps.after)[..., 0]
        residual = steps.reward + setting.gamma * (~steps.terminated) * values_after - values
        carry = setting.gamma * setting.gae_lambda * (~steps.over)

        def back(running: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            running = now[0] + now[1] * running
            return running, running

        _, advantages = jax.lax.scan(
            back, jnp.zeros(setting.num_envs), (residual, carry), reverse=True
        )
        targets = advantages + values
        advantages = (advantages - advantages.mean()) / jnp.maximum(advantages.std(), 1e-4)
        rows = jax.tree.map(
            lambda x: x.reshape(setting.train_batch_size, *x.shape[2:]),
            (steps.seen, steps.action, steps.logp, advantages, targets),
        )

        def loss(networks: tuple[Layers, Layers], batch: tuple[Array, ...]) -> Array:
            seen, action, logp, advantage, target = batch
            mean, std = self.head(mlp(networks[0], seen))
            ratio = jnp.exp(log_density(mean, std, action) - logp)
            clipped = jnp.clip(ratio, 1.0 - setting.clip, 1.0 + setting.clip)
            gain = jnp.minimum(ratio * advantage, clipped * advantage).mean()
            error = mlp(networks[1], seen)[..., 0] - target
            return setting.vf_loss_coeff * jnp.square(error).mean() - gain

        def update(now: Any, batch: tuple[Array, ...]) -> tuple[Any, None]:
            actor, critic, actor_adam, critic_adam = now
            gradients = jax.grad(loss)((actor, critic), batch)
            limit = setting.grad_clip
            actor, actor_adam = stepped(actor, gradients[0], actor_adam, setting.lr, limit)
            critic, critic_adam = stepped(
                critic, gradients[1], critic_adam, setting.critic_lr, limit
            )
            return (actor, critic, actor_adam, critic_adam), None

        def epoch(now: Any, own: Array) -> tuple[Any, None]:
            order = jax.random.permutation(own, setting.train_batch_size)
            shuffled = jax.tree.map(
                lambda x: x[order].reshape(-1, setting.minibatch_size, *x.shape[1:]), rows
            )
            return jax.lax.scan(update, now, shuffled)[0], None

        learned, _ = jax.lax.scan(
            epoch,
            (run.actor, run.critic, run.actor_adam, run.critic_adam),
            jax.random.split(learning, setting.num_epochs),
        )
        return Run(*learned, robots, key, run.log_alpha), steps.reward.mean()


def _adam(layers: Layers) -> Adam:
    zeros = jax.tree.map(jnp.zeros_like, layers)
    return Adam(zeros, zeros, jnp.zeros((), jnp.int32))


class JaxCohort:
    """K cells in one program; compiling it is told apart."""

    def __init__(self, setting: Setting, cells: int) -> None:
        program = Program(setting)
        self._iterations = max(1, CALL_STEPS // setting.train_batch_size)
        self._steps = float(cells * setting.train_batch_size * self._iterations)
        log_alphas = jnp.log(jnp.array([alpha_of(cell) for cell in range(cells)]))
        self.runs = jax.vmap(program.begin)(jax.random.split(jax.random.key(0), cells), log_alphas)

        def many(run: Run) -> tuple[Run, Array]:
            return jax.lax.scan(lambda now, _: program.iterate(now), run, None, self._iterations)

        started = time.perf_counter()
        self._call = jax.jit(jax.vmap(many), donate_argnums=0).lower(self.runs).compile()
        self.compile_seconds = time.perf_counter() - started
        self._advance()

    def measure(self, seconds: float) -> Measured:
        """Env steps of all cells."""
        found = repeated(self._advance, seconds)
        others = {"seconds to compile": self.compile_seconds}
        return replace(found, others=others)

    def _advance(self) -> float:
        self.runs, self.rewards = jax.block_until_ready(self._call(self.runs))
        return self._steps
