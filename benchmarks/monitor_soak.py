"""A bundle and its monitor, killed at random: ``python benchmarks/monitor_soak.py``.

The shipped base's certificate and task policies near it make bundles; a process runs their
episodes on the robot, monitors them, and is killed (SIGKILL) at random, again and again.
Before each verdict it says what it is about to record, and afterwards that it has. In the end the
log must hold every verdict that was said to be recorded, as it was said, none twice, and nothing
else than what was about to be recorded; an episode that was cut short is an unknown one. Every
tenth life begins with another bundle under the same certificate.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy

import argparse
import json
import signal
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from sport_ray import experiments
from sport_ray.constraints import constraint_from_json
from sport_ray.deploy import DeployedPolicy, Monitor, load
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.monitoring import read_log, report
from sport_ray.policies import load_policy, save_policy
from sport_ray.properties import Property, parse_property
from sport_ray.selection import Selector
from sport_ray.selection.scores import TaskDensity

BASE = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"
HORIZON = 21
ALPHA = 1.05
CANDIDATES = 8


def write_bundles(folder: Path, choices: tuple[bool, ...] = (False, True)) -> list[Path]:
    """Bundles under one certificate: Gaussians, or choices among samples, each another one."""
    found = []
    for number, chooses in enumerate(choices):
        network = load_policy(BASE).network
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for weights in network.parameters():
                weights += 0.01 * torch.randn(weights.shape, generator=generator)
        task = folder / f"task_{number}"
        if chooses:
            Selector(CANDIDATES, TaskDensity(network)).save(task, {})
        else:
            save_policy(task, network, {})
        export = Export(
            base=BASE, task=task, certificate=BASE / "certificate.json",
            constraint=constraint_from_json({"name": "ratio", "alpha": ALPHA}), horizon=HORIZON,
            env_kwargs={"layout": "fixed"}, alpha_mu=1.0, alpha_p=1.0, source={}, evidence={},
        )  # fmt: skip
        found.append(folder / f"bundle_{number}")
        write_bundle(found[-1], export)
    return found


def violates(
    policy: DeployedPolicy, env: gymnasium.Env[Any, Any], judge: Property, seed: int
) -> bool:
    """Whether an episode violates the property; both streams are its own."""
    observation, info = env.reset(seed=seed)
    policy.reset([seed, 1])
    seen = [info["signals"]]
    for _ in range(policy.bundle.horizon):
        observation, _, terminated, truncated, info = env.step(policy.act(observation))
        seen.append(info["signals"])
        if terminated or truncated:
            break
    policy.end()
    signals = {name: [one[name] for one in seen] for name in judge.signal_names}
    return bool(judge.evaluate(signals).violated[0])


def live(bundle: Path, log: Path, episodes: int, say: int) -> None:
    """One life: go on until so many episodes have a verdict; what is said goes to the pipe."""

    def tell(*words: Any) -> None:
        os.write(say, (" ".join(map(str, words)) + "\n").encode())

    policy = load(bundle)
    promised = policy.bundle.manifest
    env = gymnasium.make(
        promised["world"]["env_id"], layout="fixed", horizon=promised["world"]["max_episode_steps"]
    )
    judge = parse_property(promised["property"])
    with Monitor(log, policy) as monitor:
        tell("alive", monitor.num_episodes, monitor.running or 0, monitor.digest)
        if monitor.running is not None:
            tell("try", monitor.running, "unknown")
            monitor.record(None)
            tell("done", monitor.num_episodes)
        while monitor.num_episodes < episodes:
            number = monitor.begin()
            violated = violates(policy, env, judge, number)
            tell("try", number, "violated" if violated else "safe")
            monitor.record(violated, episode=number)
            tell("done", number)


@dataclass
class Heard:
    """What the lives said: last words of each episode before and after it was recorded."""

    tried: dict[int, list[str]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    lives: int = 0

    def take(self, line: str) -> None:
        """A whole line from the pipe."""
        word, *rest = line.split()
        if word == "try":
            self.tried.setdefault(int(rest[0]), []).append(rest[1])
        elif word == "done":
            if int(rest[0]) in self.done:
                self.lost.append(f"episode {rest[0]} was recorded twice")
            self.done.add(int(rest[0]))
        else:
            count, running = int(rest[0]), int(rest[1])
            missing = [n for n in self.done if n > count]
            if missing or (running and running != count + 1):
                self.lost.append(f"{line}: acknowledged before, and gone: {missing}")
            self.digests.append(rest[2])


def soak(
    folder: Path, bundles: list[Path], episodes: int, mean_life: float, seed: int
) -> dict[str, Any]:
    """Run it; what came of it. mean_life: episodes between kills, on average.

    Raises:
        AssertionError: a verdict was lost, changed, or counted twice.
    """
    log, heard = folder / "monitor.jsonl", Heard()
    rng, start = np.random.default_rng(seed), time.perf_counter()
    kills, ended = 0, False
    while not ended:
        reader, writer = os.pipe()
        bundle = bundles[heard.lives // 10 % len(bundles)]
        heard.lives += 1
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reader)
                live(bundle, log, episodes, writer)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        left, rest = int(rng.geometric(0.5 / mean_life)), b""
        while data := os.read(reader, 2**16):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                heard.take(line.decode())
            if left > 0 >= left - len(lines):
                time.sleep(rng.uniform(0.0, 0.02))  # anywhere in what comes next
                os.kill(child, signal.SIGKILL)  # what it said before is still read, to the end
            left -= len(lines)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
        else:
            assert os.WEXITSTATUS(status) == 0, "a life ended in an error"
            ended = True
    return _judged(log, heard, episodes, kills, time.perf_counter() - start)


def _judged(log: Path, heard: Heard, episodes: int, kills: int, seconds: float) -> dict[str, Any]:
    history = read_log(log)
    assert not heard.lost, heard.lost[:5]
    assert history.num_episodes == episodes, (history.num_episodes, episodes)
    unheard = 0
    for number in range(1, episodes + 1):
        verdict, tried = history.verdict(number), heard.tried.get(number)
        assert tried, f"episode {number} has a verdict that nobody gave"
        assert verdict == tried[-1], f"episode {number} is {verdict}, but was recorded as {tried}"
        unheard += number not in heard.done
    assert unheard <= kills, "more verdicts without an answer than kills"
    known = dict(found[::-1] for found in history.chain())
    assert all(one in known for one in heard.digests), "a digest that was told is not in the chain"
    found = report(history)
    return {
        "episodes": found.num_episodes,
        "violated": found.num_violations,
        "unknown": found.num_unknown,
        "kills": kills,
        "killed between the disk and the answer": unheard,
        "updates": found.num_updates,
        "promised": found.promised,
        "bound": found.bound,
        "alarm": found.alarm,
        "bytes of the log": log.stat().st_size,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--mean-life", type=float, default=300, help="episodes between kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the log here")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundles = write_bundles(folder)
        kept = given.folder or folder
        kept.mkdir(parents=True, exist_ok=True)
        found = soak(kept, bundles, given.episodes, given.mean_life, given.seed)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
