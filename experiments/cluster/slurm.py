"""A batch script for Slurm: Ray's head and workers by ``srun``, one study, a clean end.

Everything about the machine that Slurm knows is asked of Slurm while the job runs: which nodes,
their addresses, how many CPUs. The token that keeps others out is made by each job and travels in
the environment of its steps alone.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.storage.place import Place

_UNUSUAL = re.compile(r"[^\w.-]")
_VALUE = re.compile(r"[\w@%+,.:/=-]+")
_TIME = re.compile(r"\d+(-\d+(:\d+){0,2})?|\d+(:\d+){1,2}")


@dataclass(frozen=True)
class SlurmJob:
    """What a job asks Slurm for, and what it runs.

    study, results: absolute paths that every node sees; results may be a place in an object store,
    which the job's environment has the credentials of. name: of the job.
    cpus: per node; None: whole nodes. gpus: per node. time: as Slurm writes it, ``2-00:00:00``.
    more: further options of ``sbatch``, each as on its command line.
    python: of the environment that every node sees, with sport-ray in it.
    """

    study: Path
    results: Path | Place
    name: str
    nodes: int = 1
    cpus: int | None = None
    gpus: int = 0
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    more: tuple[str, ...] = ()
    python: Path = Path(sys.executable)

    def __post_init__(self) -> None:
        """Refuse what Slurm would read otherwise than it was meant."""
        given = {"--partition": self.partition, "--account": self.account}
        for option, value in given.items():
            if value is not None and not _VALUE.fullmatch(value):
                raise UserError(f"{option} {value!r}: one word without spaces")
        if self.time is not None and not _TIME.fullmatch(self.time):
            raise UserError(f"--time {self.time!r}: minutes, or as in 12:00:00 and 2-00:00:00")
        for line in self.more:
            if not line.startswith("-") or not line.isprintable():
                raise UserError(
                    f"--sbatch {line!r}: one option of sbatch, as in --sbatch=--mem=16G"
                )

    @property
    def options(self) -> list[str]:
        """The lines for sbatch; what the user adds comes last and wins."""
        found = [
            f"--job-name=sport-ray-{_UNUSUAL.sub('-', self.name)}",
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            "--exclusive" if self.cpus is None else f"--cpus-per-task={self.cpus}",
        ]
        found += [f"--gpus-per-node={self.gpus}"] if self.gpus else []
        found += [f"--time={self.time}"] if self.time else []
        found += [f"--partition={self.partition}"] if self.partition else []
        found += [f"--account={self.account}"] if self.account else []
        # A job that is requeued appends to its log, and has a minute's notice of its time limit.
        found += ["--requeue", "--open-mode=append", "--signal=B:TERM@60", "--output=%x-%j.log"]
        return [*found, *self.more]

    def script(self) -> str:
        """The whole file."""
        settings = {"study": self.study, "results": self.results, "python": self.python}
        lines = "".join(f"#SBATCH {option}\n" for option in self.options)
        values = "".join(f"{name}={shlex.quote(str(path))}\n" for name, path in settings.items())
        return f"#!/bin/bash\n{lines}{_ABOUT}{values}{_BODY}"


_ABOUT = """
# Written by `sport-ray slurm`. Submit it again, or let Slurm requeue it, to resume: what is
# finished is kept. The paths must be the same on every node.
set -euo pipefail
"""

_BODY = r"""
# --- From here on nothing needs to be edited -------------------------------------------------
umask 077
export SLURM_EXPORT_ENV=ALL # steps get this environment, whatever the site's default is
export RAY_USAGE_STATS_ENABLED=0
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0 # at the end nothing runs that is to be waited for
# A token for this job alone: whoever holds it may run code here. Steps inherit it.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$("$python" -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN
unset RAY_AUTH_TOKEN_PATH RAY_ADDRESS

# A node's address as Slurm knows it. Several jobs may share a node: the port follows from the job.
address_of() {
    local known
    known=$(scontrol show node "$1" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
    getent ahostsv4 "${known:-$1}" | awk 'NR == 1 { print $1 }'
}
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(address_of "${nodes[0]}")
port=$((20000 + SLURM_JOB_ID % 10000))

# One node: the CPUs that Slurm gave this step there, sockets in a folder that goes with the step.
# A node may die: up to three starts.
start_node() { # ADDRESS OPTIONS…
    local address=$1 folder ray attempt
    shift
    trap 'wait "$ray"; rm -rf "$folder"; exit 0' TERM INT # Slurm signals all of a step
    for attempt in 1 2 3; do
        folder=$(mktemp -d /tmp/ray-XXXXXX) # sockets: a short path
        "$python" -m sport_ray.experiments.cluster.node_start --block "$@" \
            --node-ip-address="$address" --num-cpus="$SLURM_CPUS_ON_NODE" --temp-dir="$folder" \
            --object-store-memory=268435456 --min-worker-port=0 --max-worker-port=0 \
            --disable-usage-stats >"$folder/start.log" 2>&1 &
        ray=$!
        wait "$ray"
        echo "$SLURMD_NODENAME: Ray ended ($attempt): $(grep . "$folder/start.log" | tail -n 1)" >&2
        rm -rf "$folder"
    done
    return 1
}
export -f start_node
export python

steps=()
step() { # NODE OPTIONS…
    srun --nodes=1 --ntasks=1 --nodelist="$1" --overlap --cpu-bind=none --kill-on-bad-exit=0 \
        --cpus-per-task="${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}" \
        bash -c 'start_node "$@"' node "$(address_of "$1")" "${@:2}" &
    steps+=($!)
}
clean_up() {
    local second
    # To the steps, not to this script: Ray ends its processes, and sockets are removed. A signal
    # to srun itself would kill the steps at once.
    scancel --signal=TERM "$SLURM_JOB_ID" 2>/dev/null || true
    for ((second = 0; second < 30; second++)); do
        jobs -pr | grep -q . || return 0
        sleep 1
    done
    kill -TERM "${steps[@]}" 2>/dev/null || true
    wait "${steps[@]}" 2>/dev/null || true
}
trap clean_up EXIT

answers() { (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; }
step "${nodes[0]}" --head --port="$port" --include-dashboard=false
for ((second = 0; second < 180; second++)); do
    answers && break
    kill -0 "${steps[0]}" 2>/dev/null || { echo "Ray's head ended on ${nodes[0]}" >&2; exit 1; }
    sleep 1
done
answers || { echo "Ray's head does not answer at $head:$port" >&2; exit 1; }
for node in "${nodes[@]:1}"; do step "$node" --address="$head:$port"; done
# A sweep takes what is there; a node that is late joins it.
"$python" -m sport_ray.experiments.cluster.waiting "$head:$port" "${#nodes[@]}"

# The study. SIGTERM (time limit, preemption, scancel) is its Ctrl-C: it stops within seconds.
"$python" -m sport_ray.experiments.cli.main run "$study" --results "$results" \
    --address "$head:$port" &
driver=$!
trap 'kill -INT "$driver" 2>/dev/null' TERM INT
status=0
while :; do
    wait "$driver" && status=0 || status=$?
    kill -0 "$driver" 2>/dev/null || break # a signal ends only the waiting
done
exit "$status"
"""
