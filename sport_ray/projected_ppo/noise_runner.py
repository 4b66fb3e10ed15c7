"""RLlib's own runner, with noise of its own."""

from __future__ import annotations

from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from sport_ray.projected_ppo.streams import noise_generator


class NoiseRunner(SingleAgentEnvRunner):
    """RLlib's runner whose module draws from this runner's stream, whatever else draws."""

    def make_module(self) -> None:
        """As RLlib's; weights that come later leave the noise alone."""
        super().make_module()
        self.module.draw_from(
            noise_generator(
                self.config.seed,
                self.worker_index or 0,
                evaluation=self.config.in_evaluation,
            )
        )
