"""Projected PPO as an RLlib algorithm, and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from ray.rllib.algorithms.algorithm_config import NotProvided
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from sport_ray.constraints import (
    Constraint,
    RatioConstraint,
    Unconstrained,
    constraint_from_json,
)
from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.families import Distribution, Gaussian
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.network import PolicyNetwork, widened
from sport_ray.policies.store import load_policy, network_to_bytes
from sport_ray.projected_ppo.array_runner import ArrayRunner
from sport_ray.projected_ppo.ending import checked_formula, checked_judged
from sport_ray.projected_ppo.learner import ProjectedPPOLearner
from sport_ray.projected_ppo.module import ProjectedPPOModule
from sport_ray.projected_ppo.noise_runner import NoiseRunner
from sport_ray.projected_ppo.objective import Objective
from sport_ray.projected_ppo.rllib_setup import (
    set_up_runners,
    trained_policy,
    use_training_environment,
)

Gradient = Literal["paper", "through_projection"]
Sampling = Literal["arrays", "episodes"]

EPISODE_CALLBACKS = (
    "on_episode_created",
    "on_episode_start",
    "on_episode_step",
    "on_episode_end",
)


class ProjectedPPOConfig(PPOConfig):
    """Configuration of :class:`ProjectedPPO`; the defaults are the paper's.

    ``.environment("sport_ray/PointReachAvoid-v0", env_config={...})`` takes a gymnasium id and
    its keyword arguments; ``.training(base=..., alpha=...)`` the base policy and the constraint.

    Source: arXiv 2504.06386, Projected PPO and its hyper-parameters.
    """

    env: Any
    env_runner_cls: Any
    env_config: dict[str, Any]

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or ProjectedPPO)
        self.base: PolicyNetwork | None = None
        self.task: PolicyNetwork | None = None
        self.constraint: Constraint | None = None
        self.gradient: Gradient = "paper"
        self.sampling: Sampling = "arrays"
        self.critic_lr = 3e-4
        self.warmup_env_steps = 2_500
        self.cut_after: int | None = None
        self.ends_when_violated: str | None = None
        self.judged: tuple[str, int] | None = None
        self.most_episodes: int | None = None
        self.objective: Objective | None = None
        # In a tuple: RLlib takes a plain −1 for "deprecated" and drops it where configurations go
        # from process to process.
        self.entropy_target: tuple[float] | None = None
        self.entropy_lr = 3e-3
        # The paper's, where RLlib's PPO differs. A KL loss would drag the task policy to its
        # own projection.
        self.lr = 5e-5
        self.train_batch_size = 128
        self.minibatch_size = 32
        self.num_epochs = 4
        self.gamma = 0.99
        self.lambda_ = 0.95
        self.clip_param = 0.2
        self.vf_clip_param = float("inf")
        self.vf_loss_coeff = 0.5
        self.entropy_coeff = 0.0
        self.grad_clip = 0.5
        self.grad_clip_by = "global_norm"
        self.use_kl_loss = False
        self.kl_coeff = 0.0
        set_up_runners(self)

    def training(
        self,
        *,
        base: PolicyNetwork | str | Path | None = NotProvided,
        task: PolicyNetwork | None = NotProvided,
        alpha: float = NotProvided,
        constraint: Constraint | Mapping[str, Any] = NotProvided,
        gradient: Gradient = NotProvided,
        sampling: Sampling = NotProvided,
        critic_lr: float = NotProvided,
        warmup_env_steps: int = NotProvided,
        cut_after: int | None = NotProvided,
        ends_when_violated: str | None = NotProvided,
        judged: tuple[str, int] | None = NotProvided,
        most_episodes: int | None = NotProvided,
        objective: Objective | None = NotProvided,
        entropy_target: float | None = NotProvided,
        entropy_lr: float = NotProvided,
        **kwargs: Any,
    ) -> Self:
        """Set the method's own parameters; the rest goes to ``PPOConfig.training``.

        Args:
            base: the frozen base policy: a network, or a folder written by ``save_policy``.
            task: where the task policy starts; default the base policy.
            alpha: largest density ratio to the base, ≥ 1; short for a ``RatioConstraint``.
            constraint: what the policy is projected onto, instead of ``alpha``: a ``Constraint``,
                or its JSON, such as ``{"name": "pathwise_all", "log_budget": 2.3}``.
            gradient: "paper" (the ratio's numerator is the unprojected task policy) or
                "through_projection" (numerator and denominator projected).
            sampling: "arrays" (the fast path: no connectors, no episode objects) or "episodes"
                (RLlib's own runner and learner pipeline). Both are the same algorithm.
            critic_lr: learning rate of the critic.
            warmup_env_steps: steps during which only the critic learns.
            cut_after: steps after which episodes are cut without the environment's knowledge.
            ends_when_violated: a property's formula, such as "(!hazard) U goal", over the
                environment's signals: an episode ends with the step that makes its violation
                final. None: it goes on.
            judged: a property's formula and T: counted as violations are the episodes that violate
                it within T steps, late ones included. None: what the environment calls a cost.
            most_episodes: sampling raises ``EpisodesSpent`` instead of beginning one more. None: no
                limit.
            objective: what is trained for where it is not the environment's reward alone, such as
                ``sport_ray.comparators.ppo_lagrangian.Penalty``.
            entropy_target: of the squashed action, nats, held by a coefficient that adapts,
                instead of ``entropy_coeff``, which weighs the entropy before tanh.
            entropy_lr: learning rate of the logarithm of that coefficient.

        Raises:
            UserError: α < 1, both ``alpha`` and ``constraint``, a base or a formula that cannot be
                read.
        """
        super().training(**kwargs)
        if alpha is not NotProvided and constraint is not NotProvided:
            raise UserError("give alpha or constraint, not both")
        if base is not NotProvided:  # type: ignore[comparison-overlap]
            if isinstance(base, (str, Path)):
                base = load_policy(Path(base)).network
            self.base = base
        if task is not NotProvided:  # type: ignore[comparison-overlap]
            self.task = task
        if alpha is not NotProvided:
            self.constraint = RatioConstraint(alpha=alpha)
        if constraint is not NotProvided:
            if not isinstance(constraint, Constraint):
                constraint = constraint_from_json(constraint, run_module=True)
            self.constraint = constraint
        if gradient is not NotProvided:
            if gradient not in ("paper", "through_projection"):
                raise UserError(
                    f"gradient {gradient!r} is unknown: choose 'paper' or 'through_projection'"
                )
            self.gradient = gradient
        if sampling is not NotProvided:
            if sampling not in ("arrays", "episodes"):
                raise UserError(f"sampling {sampling!r} is unknown: choose 'arrays' or 'episodes'")
            self.sampling = sampling
        if critic_lr is not NotProvided:
            self.critic_lr = critic_lr
        if warmup_env_steps is not NotProvided:
            self.warmup_env_steps = warmup_env_steps
        if cut_after is not NotProvided:
            self.cut_after = cut_after
        if ends_when_violated is not NotProvided:
            self.ends_when_violated = checked_formula(ends_when_violated)
        if judged is not NotProvided:
            self.judged = checked_judged(judged)
        if most_episodes is not NotProvided:
            self.most_episodes = most_episodes
        if objective is not NotProvided:
            self.objective = objective
        if entropy_target is not NotProvided:
            self.entropy_target = None if entropy_target is None else (float(entropy_target),)
        if entropy_lr is not NotProvided:
            self.entropy_lr = entropy_lr
        return self

    def validate(self) -> None:
        """Refuse what would void the certificate.

        Raises:
            UserError: ``explore=False`` (mean actions), no base, no constraint,
                ``sampling="arrays"`` with an option that only "episodes" honours, or a runner
                without noise of its own.
        """
        if not self.explore or (self.evaluation_config or {}).get("explore") is False:
            raise UserError(
                "explore=False takes mean actions, which have infinite density ratio and void "
                "the certificate: leave explore=True"
            )
        if self.constraint is None:
            raise UserError("no constraint: call .training(base=..., alpha=...)")
        self.constraint.require_family(self._family())
        self._require_exact()
        self._require_squashed()
        self._require_countable()
        self._require_pursuable()
        use_training_environment(self, self._context())
        if self.sampling == "arrays" and not self.in_evaluation:
            self._refuse_what_arrays_ignore()
            self.env_runner_cls = ArrayRunner
        elif self.env_runner_cls in (None, SingleAgentEnvRunner, ArrayRunner):
            self.env_runner_cls = NoiseRunner
        elif not issubclass(self.env_runner_cls, NoiseRunner):
            raise UserError(
                f"env_runner_cls {self.env_runner_cls.__name__} gives the module no noise of a "
                "seed: derive it from sport_ray.projected_ppo.noise_runner.NoiseRunner"
            )
        super().validate()

    def _family(self) -> type[Distribution]:
        """What is drawn from; refuses a configuration that has nothing to draw from."""
        start = self.task or self.base
        if start is None or (self.base is None and not isinstance(self.constraint, Unconstrained)):
            raise UserError("no base policy: call .training(base=<network or folder>, alpha=...)")
        return start.spec.family

    def _require_exact(self) -> None:
        """Refuse RLlib's own sampling, whose columns are float32, where members are not."""
        if self.sampling != "arrays" and not self._family().in_float32:
            raise UserError(
                f"sampling {self.sampling!r} rounds probabilities to float32: for the family "
                f"{self._family().name!r} leave sampling='arrays'"
            )

    def _require_squashed(self) -> None:
        """Refuse an entropy target without a tanh, or beside a weight of the entropy before it."""
        if self.entropy_target is None:
            return
        if self.entropy_coeff:
            raise UserError(
                f"entropy_target = {self.entropy_target[0]:g} and entropy_coeff = "
                f"{self.entropy_coeff} are given: remove one"
            )
        if self._family() is not Gaussian or self._mapping().squash != "tanh":
            raise UserError(
                "entropy_target is about Gaussian actions squashed by tanh: remove it, or squash"
            )

    def _require_countable(self) -> None:
        """Refuse a number of episodes that nobody counts, or that is spent before it begins."""
        if self.most_episodes is None:
            return
        if self.num_env_runners or self.sampling != "arrays":
            raise UserError(
                f"most_episodes = {self.most_episodes} is counted by one runner that samples "
                "arrays: leave num_env_runners=0 and sampling='arrays'"
            )
        if self.most_episodes < self.num_envs_per_env_runner:
            raise UserError(
                f"most_episodes = {self.most_episodes}, and {self.num_envs_per_env_runner} begin "
                "at once: allow more, or take fewer copies (num_envs_per_env_runner)"
            )

    def _require_pursuable(self) -> None:
        """Refuse an objective that RLlib's own sampling would ignore, or that lacks its base."""
        if self.objective is None:
            return
        name = type(self.objective).__name__
        if self.sampling != "arrays":
            raise UserError(
                f"sampling {self.sampling!r} knows nothing of the objective {name}: leave "
                "sampling='arrays'"
            )
        if self.objective.needs_base and self.base is None:
            raise UserError(f"the objective {name} needs a base: call .training(base=...)")

    def _mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        start = self.task or self.base
        assert start is not None
        return start.spec.action_mapping

    def _seen(self) -> Flattening | None:
        """How the environment's observations become vectors."""
        start = self.task or self.base
        assert start is not None
        return start.spec.flattening

    def _context(self) -> dict[str, Any]:
        """What training environments are told beyond the task's own arguments."""
        assert self.constraint is not None
        return {
            **self._mapping().to_json(),
            "flattening": None if (seen := self._seen()) is None else seen.model_dump(mode="json"),
            "constraint": self.constraint.to_json(),
            "cut_after": self.cut_after,
            "ends_when_violated": self.ends_when_violated,
            "judged": self.judged,
        }

    def _start(self) -> PolicyNetwork:
        """The task policy before training: given, or the base, which ignores the budget."""
        start = self.task or self.base
        assert start is not None
        assert self.constraint is not None
        for one in (self.task, self.base):
            if one is not None and one.memory is not None:
                raise UserError(
                    "Projected PPO trains no recurrent policy, and around none: give a task policy "
                    "without memory from elsewhere (task_policies: {imported: …})"
                )
        known = (
            start.spec.observation_size if self.base is None else self.base.spec.observation_size
        )
        missing = known + self.constraint.num_features - start.spec.observation_size
        if missing < 0:
            raise UserError(
                f"the task policy sees {-missing} entries more than the base policy and the "
                f"constraint {self.constraint.name!r} have: it was trained under another constraint"
            )
        return widened(start, missing) if missing else start

    def _refuse_what_arrays_ignore(self) -> None:
        """Arrays pass by RLlib's connectors and episodes: an option of theirs would do nothing."""
        ours = (None, ArrayRunner, NoiseRunner)  # the last from an earlier validation
        ignored = {
            "num_learners > 1": self.num_learners > 1,
            "batch_mode='complete_episodes'": self.batch_mode != "truncate_episodes",
            "count_steps_by='agent_steps'": self.count_steps_by != "env_steps",
            "a connector": any(
                connector is not None
                for connector in (
                    self._env_to_module_connector,
                    self._module_to_env_connector,
                    self._learner_connector,
                )
            ),
            "an env_runner_cls": self.env_runner_cls not in ours,
            "a callback on episodes": any(map(self._has_callback, EPISODE_CALLBACKS)),
        }
        for option, given in ignored.items():
            if given:
                raise UserError(
                    f"sampling='arrays' cannot honour {option}: use .training(sampling='episodes')"
                )

    def _has_callback(self, name: str) -> bool:
        classes = self.callbacks_class
        return getattr(self, f"callbacks_{name}") is not None or any(
            getattr(one, name) is not getattr(RLlibCallback, name)
            for one in (classes if isinstance(classes, list) else [classes])
        )

    def get_default_learner_class(self) -> type[ProjectedPPOLearner]:
        """The learner with warm-up and the constraint's metrics."""
        return ProjectedPPOLearner

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module that samples from the projected policy."""
        start = self._start()
        assert self.constraint is not None  # validate() has seen to it
        return RLModuleSpec(
            module_class=ProjectedPPOModule,
            model_config={
                "spec": start.spec.model_dump(mode="json"),
                "task_weights": network_to_bytes(start),
                "base_spec": None if self.base is None else self.base.spec.model_dump(mode="json"),
                "base_weights": None if self.base is None else network_to_bytes(self.base),
                "constraint": self.constraint.to_json(),
                "gradient": self.gradient,
                "seed": self.seed,
            },
        )


class ProjectedPPO(PPO):
    """Clipped PPO that always samples from the projection of its policy onto the constraint."""

    @classmethod
    def get_default_config(cls) -> ProjectedPPOConfig:
        """The paper's configuration."""
        return ProjectedPPOConfig()

    def task_policy(self) -> PolicyNetwork:
        """A copy of the unconstrained task policy π_task as the learner has it now."""
        return trained_policy(self.learner_group, self.config._start().spec)

    def base_fingerprint(self) -> str:
        """sha256 of the base policy's weights as the workers hold them; "" without a base."""
        prints = self.env_runner_group.foreach_env_runner(_runner_fingerprint)
        if len(set(prints)) != 1:
            raise ArithmeticError(f"workers hold different base policies: {sorted(set(prints))}")
        found: str = prints[0]
        return found


def _runner_fingerprint(runner: Any) -> str:
    base = runner.module.base
    return "" if base is None else base.fingerprint()
