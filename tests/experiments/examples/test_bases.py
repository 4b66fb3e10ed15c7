"""The example bases keep a sampler's contract, and are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import load_base
from sport_ray.rollouts import base_behaviour
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import SamplerFile, sampler_of
from sport_ray.samplers.trial import require_exchangeable

EXAMPLES = "sport_ray.experiments.examples."
T = 30


def study(base: str, **arguments) -> Study:
    return Study.model_validate(
        {
            "name": "x",
            "base": f"{EXAMPLES}{base}",
            "base_arguments": arguments,
            "certificate": {"max_horizon": T},
            "sweep": {"alphas": [1], "horizons": [T]},
        }
    )


def tried(made: Study, scenarios: int) -> tuple[SamplerFile, float]:
    """The base, once its candidates were compared with single draws; its rate of failures."""
    base = load_base(made, made.base, None)
    assert isinstance(base, SamplerFile)
    plan = made.task(T, 0).plan("certify", 3)
    seen, outcomes = collect_transitions(plan, base_behaviour(base, run_module=True), 0, scenarios)
    chosen = np.linspace(0, len(seen) - 1, 3).astype(int)
    observations = seen.observation[chosen].astype(np.float64)
    require_exchangeable(sampler_of(base, run_module=True), observations, 16, made.base)
    return base, float((outcomes.satisfied_at < 0).mean())


def test_a_mixture_with_the_shipped_policys_mean_and_std():
    made = study("two_modes:TwoModes", apart=0.9)
    base, failures = tried(made, 60)
    assert failures < 0.1
    weights = [name for name in base.spec.code if name.endswith("policy.safetensors")]
    assert weights == [f"{EXAMPLES}two_modes:../bases/point_reach_avoid/policy.safetensors"]
    sampler = sampler_of(base, run_module=True)
    seen = np.random.default_rng(0).normal(size=44)
    drawn = np.arctanh(sampler.sample(seen, 20_000, np.random.default_rng(1)))
    gaussian = base_behaviour(load_base(study_of_shipped(), "point_reach_avoid", None))
    mean, std = (one[0] for one in gaussian.step(seen[None], np.zeros((1, 0))).chosen.arrays())
    np.testing.assert_allclose((drawn - mean).mean(axis=0) / std, 0.0, atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0) / std, 1.0, atol=0.02)
    near = np.abs(drawn[:, 1] - mean[1]) < 0.3 * std[1]
    assert near.mean() < 0.15  # of a Gaussian 24%: there are two modes


def study_of_shipped() -> Study:
    return Study.model_validate({"name": "x", "sweep": {"alphas": [1], "horizons": [T]}})


def test_the_controller_finds_its_way():
    _, failures = tried(study("steering:steer"), 100)
    assert failures < 0.1


def test_the_controller_reads_the_lidars():
    """Distance and angle from the observation are those of the layout, for many poses."""
    import gymnasium

    from sport_ray.experiments.examples.steering import GOAL, HAZARD, located, wrapped

    env = gymnasium.make("sport_ray/PointReachAvoid-v0", layout="random")
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y, heading = rng.uniform(-2, 2), rng.uniform(-2, 2), rng.uniform(-3, 3)
        goal, hazard = rng.uniform(-2, 2, (2, 2))
        options = {"pose": (x, y, heading), "goal": goal, "hazard": hazard}
        seen, _ = env.reset(seed=0, options=options)
        for lidar, centre in ((GOAL, goal), (HAZARD, hazard)):
            distance, angle = located(seen[lidar])
            dx, dy = centre - [x, y]
            assert distance == pytest.approx(np.hypot(dx, dy), abs=1e-9)
            assert wrapped(angle - np.arctan2(dy, dx) + heading) == pytest.approx(0.0, abs=1e-9)


def test_the_diffusion_policy_learns_and_draws(tmp_path):
    from sport_ray.experiments.examples import diffusion

    path = tmp_path / "small.npz"
    diffusion.train(str(path), episodes=200, updates=400)
    base, failures = tried(study("diffusion:Denoiser", path=str(path)), 60)
    assert failures < 0.7  # of random actions nearly all fail
    assert f":{path}" in base.spec.code
    assert path.stat().st_size < 200_000


def test_denoising_ends_at_what_the_network_says():
    """With a network that always says (0.5, −0.25) nothing else can come out."""
    from sport_ray.experiments.examples.diffusion import HIDDEN, STEPS, Denoiser

    made = object.__new__(Denoiser)
    made.weights = {
        "centre": np.zeros(44), "scale": np.ones(44), "seen": np.zeros((44, HIDDEN)),
        "noisy": np.zeros((2, HIDDEN)), "time": np.zeros((STEPS + 1, HIDDEN)),
        "hidden": np.zeros((HIDDEN, HIDDEN)), "hidden_bias": np.zeros(HIDDEN),
        "out": np.zeros((HIDDEN, 2)), "out_bias": np.array([0.5, -0.25]),
    }  # fmt: skip
    drawn = made.sample(np.zeros(44), 500, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, np.tile([0.5, -0.25], (500, 1)), atol=0.05)


@pytest.mark.parametrize("std", [0.2, 0.5])
def test_the_noise_of_the_chain_gives_the_data_back(std):
    """Of data that are N(0, std²) the best denoiser is linear; what is drawn has their std."""
    from sport_ray.experiments.examples.diffusion import KEPT, Denoiser

    class Linear(Denoiser):
        def __init__(self) -> None:
            self.weights = {"centre": np.zeros(1), "scale": np.ones(1), "seen": np.zeros((1, 1))}

        def _clean(self, about, noisy, step):
            return noisy * np.sqrt(KEPT[step]) * std**2 / (KEPT[step] * std**2 + 1.0 - KEPT[step])

    drawn = Linear().sample(np.zeros(1), 20_000, np.random.default_rng(0))
    assert 0.85 * std < drawn.std() < 1.1 * std
    assert abs(drawn.mean()) < 0.01


def test_a_model_of_stable_baselines_is_sampled_by_its_own_law(tmp_path):
    pytest.importorskip("stable_baselines3")
    import torch

    from sport_ray.experiments.examples import sb3_levels

    path = tmp_path / "small.zip"
    sb3_levels.train(str(path), steps=2_048)
    base, _ = tried(study("sb3_levels:PPOLevels", path=str(path)), 5)
    assert f":{path}" in base.spec.code
    assert "stable-baselines3" in base.provenance["versions"]
    policy = sb3_levels.PPOLevels(str(path))
    seen = np.random.default_rng(0).normal(size=44)
    state = torch.get_rng_state()
    drawn = policy.sample(seen, 20_000, np.random.default_rng(1))
    assert torch.equal(torch.get_rng_state(), state)
    laws = policy.policy.get_distribution(torch.from_numpy(seen[None].astype(np.float32)))
    for entry, levels in enumerate((sb3_levels.PUSH, sb3_levels.TURN)):
        expected = laws.distribution[entry].probs[0].detach().numpy()
        found = [(drawn[:, entry] == level).mean() for level in levels]
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_shipped_example_is_code_of_its_own():
    """Its module is in what is kept, though it ships with the package."""
    base = load_base(study("steering:steer"), f"{EXAMPLES}steering:steer", None)
    assert f"{EXAMPLES}steering" in base.spec.code
