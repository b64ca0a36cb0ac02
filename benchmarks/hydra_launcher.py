"""What the launcher costs: no-op jobs of a Hydra app, beside Hydra's own launcher and joblib's.

    python -m benchmarks.hydra_launcher [--jobs 150] [--rounds 3] [--parallel N]

The same app and the same sweep, in turns, each in its own folder. Wall-clock seconds of the whole
command, and CPU seconds of all its processes; the least of the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import table
from benchmarks.rounds import interleave

APP = """
import hydra

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    pass

main()
"""
CONFIGS = {
    "config": "defaults: [_self_, model: cnn]\nparams: {lr: 0.1, batch_size: 32}\nnumber: 0\n",
    "model/cnn": "{name: cnn, depth: 3, layers: [8, 8, 16]}\n",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parallel", default="2", help="jobs at a time where there are several")
    options = parser.parse_args()
    several = options.parallel
    launchers = {
        "Hydra's basic": [],
        "mlpipeline": ["hydra/launcher=mlpipeline"],
        f"mlpipeline, {several} at a time": [
            "hydra/launcher=mlpipeline",
            f"hydra.launcher.parallel={several}",
        ],
    }
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        launchers[f"joblib, {several} at a time"] = [
            "hydra/launcher=joblib",
            f"hydra.launcher.n_jobs={several}",
        ]
    contestants = {name: _contestant(options.jobs, words) for name, words in launchers.items()}
    measured, problems = interleave(contestants, options.rounds)
    best = {
        name: (min(wall for wall, _ in values), min(cpu for _, cpu in values))
        for name, values in measured.items()
    }
    basic = best.get("Hydra's basic")
    print(f"{options.jobs} no-op jobs, the least of {options.rounds} rounds")
    print(
        table(
            ["launcher", "wall s", "of basic", "CPU s", "of basic"],
            [
                [
                    name,
                    f"{wall:.1f}",
                    f"{wall / basic[0]:.2f}" if basic else "–",
                    f"{cpu:.1f}",
                    f"{cpu / basic[1]:.2f}" if basic else "–",
                ]
                for name, (wall, cpu) in best.items()
            ],
        )
    )
    for name, problem in problems.items():
        print(f"failed: {name}: {problem}")
    print(f"The load was {os.getloadavg()[0]:.1f} at the end.")


def _contestant(jobs: int, words: list[str]) -> Callable[[], tuple[float, float]]:
    def measure() -> tuple[float, float]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            Path(folder, "app.py").write_text(APP)
            for name, text in CONFIGS.items():
                path = Path(folder, "conf", f"{name}.yaml")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            command = [sys.executable, "app.py", "-m", f"number=range(0,{jobs})", *words]
            before, begun = _cpu(), time.monotonic()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            wall = time.monotonic() - begun
            done = len(list(Path(folder).glob("multirun/*/*/*/.hydra")))
            if done != jobs:
                raise OSError(f"{done} of {jobs} jobs have left something")
            return wall, _cpu() - before

    return measure


def _cpu() -> float:
    """Seconds of all processes that have ended and were waited for, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
