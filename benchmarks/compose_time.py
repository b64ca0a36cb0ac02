"""What sweeps cost: making jobs of axes, and composing their configs, beside Hydra's own.

    python -m benchmarks.compose_time [--jobs 1000000] [--composed 1000] [--rounds 3]

The same configs and overrides for both, in turns; CPU seconds, the least of the rounds. Hydra's own
loader composes a few jobs only, since each takes it as long. *plain* is what signatures and
parameters are made of: the values of a config, as dicts and lists.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import table
from mlpipeline.api import sweeps
from mlpipeline.api.composing import FastLoader
from mlpipeline.api.hydra_adapter import RunMode, axes, begin_app

CONFIGS = {
    "config": """
defaults: [_self_, model: cnn, data: small]
params: {lr: 0.1, batch_size: 32, epochs: 5, optimizer: {name: adam, betas: [0.9, 0.999]}}
paths: {log: ./runs, data: "${hydra:runtime.cwd}/data", name: "${model.name}-${params.lr}"}
""",
    "model/cnn": "{name: cnn, depth: 3, layers: [8, 8, 16]}",
    "model/mlp": "{name: mlp, width: 64, dropout: 0.1}",
    "data/small": "{name: small, samples: 100}",
    "data/big": "{name: big, samples: 100000}",
}
OVERRIDES = ["model=cnn,mlp", "data=small,big", "params.lr=range(0,100)"]
BY_HYDRA = 10  # jobs that Hydra's own loader composes in a round


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="that are named")
    parser.add_argument("--composed", type=int, default=1000, help="jobs that are composed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in CONFIGS.items():
            path = Path(folder, f"{name}.yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        print(_expanding(options))
        print()
        print(_composing(folder, options))


def _expanding(options: argparse.Namespace) -> str:
    rows = []
    for jobs in (5_000, options.jobs):
        side = round(jobs ** (1 / 3)) or 1
        overrides = [
            f"a=range(0,{side})",
            f"b=range(0,{side})",
            f"c=range(0,{-(-jobs // side**2)})",
        ]
        count = (0, 0)

        def expand(overrides: list[str] = overrides) -> None:
            nonlocal count
            made = axes(overrides, most=None)
            count = len(sweeps.jobs(made)), len(sweeps.override_dirnames(made))

        took = _least(expand, options.rounds)
        rows.append([f"{count[0]:,}", f"{took:.3f}"])
    return table(["jobs with their names", "CPU s"], rows)


def _composing(folder: str, options: argparse.Namespace) -> str:
    hydra = begin_app("app", folder, None)
    master = hydra.load_configuration("config", [], RunMode.MULTIRUN)
    jobs = [
        list(job)
        for job in sweeps.jobs(axes([*OVERRIDES, "params.batch_size=range(0,100)"], most=None))
    ]
    chosen = jobs[:: max(1, len(jobs) // options.composed)][: options.composed]
    fast = FastLoader(hydra)
    ways: dict[str, tuple[Callable[[list[str]], object], list[list[str]]]] = {
        "Hydra": (lambda job: hydra.load_sweep_config(master, job), chosen[:BY_HYDRA]),
        "mlpipeline": (lambda job: fast.load_sweep_config(master, job), chosen),
        "mlpipeline, plain": (lambda job: fast.load_container(master, job), chosen),
    }
    times: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, (compose, its) in ways.items():
            took = _least(
                lambda compose=compose, its=its: [compose(job) and None for job in its], 1
            )
            each = took / len(its)
            times[name] = min(times.get(name, each), each)
    rows = [[name, f"{1e6 * each:.0f}", f"{1 / each:,.0f}"] for name, each in times.items()]
    return table(["composing", "CPU µs a job", "jobs a second"], rows)


def _least(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the quickest round."""
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


if __name__ == "__main__":
    main()
