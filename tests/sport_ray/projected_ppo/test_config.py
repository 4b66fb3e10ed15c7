"""Configuration of Projected PPO: the paper's defaults, and what is refused."""

from __future__ import annotations

import pytest
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.policies import save_policy
from sport_ray.projected_ppo import ProjectedPPO, ProjectedPPOConfig
from sport_ray.projected_ppo.array_runner import ArrayRunner
from sport_ray.projected_ppo.noise_runner import NoiseRunner

ENV = "sport_ray/PointReachAvoid-v0"


def test_defaults_are_the_papers_and_not_rllibs():
    config = ProjectedPPOConfig()
    assert config.algo_class is ProjectedPPO
    assert (config.lr, config.critic_lr, config.train_batch_size) == (5e-5, 3e-4, 128)
    assert (config.num_epochs, config.clip_param, config.lambda_) == (4, 0.2, 0.95)
    assert (config.vf_loss_coeff, config.grad_clip, config.use_kl_loss) == (0.5, 0.5, False)
    assert config.warmup_env_steps == 2_500
    assert config.sampling == "arrays"


def test_what_fails_is_told_and_not_replaced():
    """A runner begun anew, or one fewer, gives other numbers; a lost environment hides its end."""
    config = ProjectedPPOConfig()
    assert config.restart_failed_sub_environments is False
    assert config.restart_failed_env_runners is False
    assert config.ignore_env_runner_failures is False


def test_alpha_is_short_for_the_ratio_constraint(small_base):
    config = ProjectedPPOConfig().training(base=small_base, alpha=1.5)
    assert config.constraint == RatioConstraint(alpha=1.5)


def test_a_base_may_be_a_folder(small_base, tmp_path):
    save_policy(tmp_path, small_base, {})
    config = ProjectedPPOConfig().training(base=str(tmp_path), alpha=1.5)
    assert config.base.spec == small_base.spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, b: c.training(base=b, alpha=0.9), r"alpha.*0\.9"),
        (lambda c, b: c.training(base=b, alpha=2.0, constraint=Unconstrained()), "not both"),
        (lambda c, b: c.training(base=b, gradient="none"), "gradient 'none'"),
        (lambda c, b: c.training(base=b, sampling="rows"), "sampling 'rows'"),
        (lambda c, b: c.training(base="no-such-folder", alpha=2.0), "no-such-folder"),
        (lambda c, b: c.training(alpha=2.0).environment(ENV).validate(), "no base policy"),
        (lambda c, b: c.training(base=b).environment(ENV).validate(), "no constraint"),
        (
            lambda c, b: (
                c.training(base=b, alpha=2.0).environment(ENV).env_runners(explore=False).validate()
            ),
            "explore=False",
        ),
        (
            lambda c, b: (
                c.training(base=b, alpha=2.0)
                .environment(ENV)
                .evaluation(evaluation_config={"explore": False})
                .validate()
            ),
            "explore=False",
        ),
    ],
)
def test_mistakes_get_one_line(small_base, change, message):
    with pytest.raises(UserError, match=message) as caught:
        change(ProjectedPPOConfig(), small_base)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.learners(num_learners=2), "num_learners"),
        (lambda c: c.env_runners(batch_mode="complete_episodes"), "batch_mode"),
        (lambda c: c.multi_agent(count_steps_by="agent_steps"), "count_steps_by"),
        (lambda c: c.env_runners(env_to_module_connector=lambda *_: None), "a connector"),
        (lambda c: c.env_runners(module_to_env_connector=lambda *_: None), "a connector"),
        (lambda c: c.training(learner_connector=lambda *_: None), "a connector"),
        (lambda c: c.env_runners(env_runner_cls=SingleAgentEnvRunner), "an env_runner_cls"),
        (lambda c: c.callbacks(on_episode_end=lambda **_: None), "a callback on episodes"),
        (lambda c: c.callbacks(Watching), "a callback on episodes"),
    ],
)
def test_arrays_refuse_what_they_would_ignore(small_base, change, message):
    def given(sampling: str) -> ProjectedPPOConfig:
        config = ProjectedPPOConfig().environment(ENV)
        return change(config.training(base=small_base, alpha=2.0, sampling=sampling))

    with pytest.raises(UserError, match=f"{message}.*sampling='episodes'"):
        given("arrays").validate()
    given("episodes").validate()


class Watching(RLlibCallback):
    """Overrides one episode callback."""

    def on_episode_step(self, **kwargs) -> None: ...


def test_sampling_may_change_after_validation(small_base):
    config = ProjectedPPOConfig().environment(ENV)
    config.training(base=small_base, alpha=2.0, sampling="arrays").validate()
    assert config.env_runner_cls is ArrayRunner
    config.training(sampling="episodes").validate()
    assert config.env_runner_cls is NoiseRunner
    config.training(sampling="arrays").validate()
    assert config.env_runner_cls is ArrayRunner


def test_a_runner_without_noise_of_a_seed_is_refused(small_base):
    """Its actions would be others each time, whatever the seed."""

    class Silent(SingleAgentEnvRunner): ...

    class Noisy(NoiseRunner): ...

    config = ProjectedPPOConfig().environment(ENV)
    config.training(base=small_base, alpha=2.0, sampling="episodes")
    config.env_runners(env_runner_cls=Noisy).validate()
    assert config.env_runner_cls is Noisy
    with pytest.raises(UserError, match=r"env_runner_cls Silent .*derive it from .*NoiseRunner"):
        config.env_runners(env_runner_cls=Silent).validate()
