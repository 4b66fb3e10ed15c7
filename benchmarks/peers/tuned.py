"""Stock RLlib PPO as trials under Ray Tune: a cell's training, and all that is around it."""

from __future__ import annotations

import os
import tempfile
import time

from benchmarks.peers.clock import Measured
from benchmarks.peers.settings import ACTOR, ENV_ID, ENV_KWARGS, Setting

WARM_UP = 2  # iterations of a trial that build caches


class TunedPPO:
    """A trial a round, with Tune's and RLlib's defaults; the base and the projection are left out.

    ``count`` and ``seconds`` are those of the trial's iterations but the first two; ``whole`` has
    all steps by the time of the whole call: the trial's actor, imports, building, results.
    """

    def __init__(self, setting: Setting, cells: int) -> None:
        from ray.rllib.algorithms.ppo import PPOConfig
        from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

        from sport_ray.projected_ppo import TrainingEnvironment

        network = DefaultModelConfig(
            fcnet_hiddens=list(ACTOR[1:-1]), fcnet_activation="relu", vf_share_layers=False
        )
        self._config = (
            PPOConfig()
            .environment(
                TrainingEnvironment,
                env_config={"env_id": ENV_ID, "kwargs": dict(ENV_KWARGS), "squash": "tanh"},
            )
            .env_runners(
                num_env_runners=0,
                num_envs_per_env_runner=setting.num_envs,
                gym_env_vectorize_mode="vector_entry_point",
                rollout_fragment_length="auto",
            )
            .training(
                lr=setting.lr,
                train_batch_size=setting.train_batch_size,
                minibatch_size=setting.minibatch_size,
                num_epochs=setting.num_epochs,
                gamma=setting.gamma,
                lambda_=setting.gae_lambda,
                clip_param=setting.clip,
                vf_loss_coeff=setting.vf_loss_coeff,
                grad_clip=setting.grad_clip,
                use_kl_loss=False,
            )
            .rl_module(model_config=network)
            .debugging(seed=0, log_level="ERROR")
        )

    def measure(self, seconds: float) -> Measured:
        """Env steps of a trial that trains for so many seconds."""
        from ray import tune

        # Our sessions switch Tune's own loggers off; its defaults have them on.
        os.environ.pop("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", None)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            found = tune.Tuner(
                "PPO",
                param_space=self._config,
                run_config=tune.RunConfig(
                    storage_path=folder, stop={"time_total_s": seconds}, verbose=0
                ),
            ).fit()
            whole = time.perf_counter() - started
            if found.num_errors:
                raise RuntimeError(f"the trial failed: {found.errors[0]}")
            rows = found[0].metrics_dataframe
        sampled = rows["env_runners/num_env_steps_sampled_lifetime"]
        first = min(WARM_UP, len(rows) - 1)
        before = float(sampled.iloc[first - 1]) if first else 0.0
        training = float(rows["time_this_iter_s"].iloc[first:].sum())
        total = float(sampled.iloc[-1])
        return Measured(total - before, training, others={"with all around": total / whole})
