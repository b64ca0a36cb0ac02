"""What a step of a pipeline costs: a chain of steps, each reading what the one before made.

    python -m benchmarks.pipeline_steps [--steps 6] [--rounds 3] [--mlflow PYTHON]

The same script, in turns: as steps of a pipeline file (started warm and cold, and once more, when
all is cached), and as steps of an MLproject that ``mlflow run . --env-manager=local`` takes through
``mlflow.run``, as MLflow's own examples do. What a further step costs is the difference between a
chain of ``--steps`` and one of a single step; what it costs beyond ``python step.py`` itself is the
overhead. ``--mlflow`` names an interpreter that has mlflow, where this one has not.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks.figures import table
from benchmarks.rounds import Failed, interleave

STEP = """
import sys
before, after = sys.argv[1:3]
count = int(open(before).read()) if before else 0
open(after, "w").write(str(count + 1))
"""
MLPROJECT = """
name: chain
entry_points:
  main:
    parameters: {{{parameters}}}
    command: '{command}'
"""
MAIN = """
import os, sys, mlflow
before = ""
for number in range(int(sys.argv[1])):
    after = os.path.abspath(f"made{number}")
    parameters = {"before": before or os.path.abspath("empty"), "after": after}
    mlflow.run(os.path.abspath("step"), "main", parameters=parameters, env_manager="local")
    before = after
"""
Cost = tuple[float, float]  # wall-clock and CPU seconds


def main() -> int:
    """Measure and print; returns 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mlflow", default=sys.executable, metavar="PYTHON")
    options = parser.parse_args()
    steps = options.steps
    chains: dict[str, Callable[[int], Cost]] = {
        "python step.py": _bare,
        "mlpipeline -r -u (warm)": lambda count: _ours(count, "warm"),
        "mlpipeline -r -u (cold)": lambda count: _ours(count, "cold"),
        "mlpipeline -r (cached)": lambda count: _ours(count, "warm", cached=True),
    }
    if _has_mlflow(options.mlflow):
        chains["mlflow run"] = lambda count: _mlflow(count, options.mlflow)
    else:
        print(f"skipped: mlflow run ({options.mlflow} has no mlflow)")
    contestants = {
        (name, count): (lambda chain=chain, count=count: chain(count))
        for name, chain in chains.items()
        for count in (1, steps)
    }
    measured, problems = interleave(contestants, options.rounds)
    best = {
        key: tuple(min(each[place] for each in costs) for place in (0, 1))
        for key, costs in measured.items()
    }
    further = {
        name: [(best[name, steps][at] - best[name, 1][at]) / (steps - 1) for at in (0, 1)]
        for name in chains
        if (name, 1) in best and (name, steps) in best
    }
    bare, theirs = further["python step.py"], further.get("mlflow run")
    rows = []
    for name, (wall, cpu) in further.items():
        over = wall - bare[0]
        share = over / (theirs[0] - bare[0]) if theirs and name != "python step.py" else None
        rows.append(
            [
                name,
                f"{best[name, 1][0] * 1e3:.0f}",
                f"{wall * 1e3:.0f}",
                f"{cpu * 1e3:.0f}",
                "–" if name == "python step.py" else f"{over * 1e3:.0f}",
                "–" if share is None else f"{share:.3f}",
            ]
        )
    print(f"a chain of {steps} steps, the least of {options.rounds} rounds; milliseconds")
    head = ["", "a chain of one", "a further step", "its CPU", "overhead", "of mlflow's"]
    print(table(head, rows))
    for key, problem in problems.items():
        print(f"failed: {key}: {problem}")
    print(f"The load was {os.getloadavg()[0]:.1f} at the end.")
    return 1 if problems else 0


def _has_mlflow(python: str) -> bool:
    done = subprocess.run([python, "-c", "import mlflow"], check=False, capture_output=True)
    return done.returncode == 0


def _timed(command: list[str], folder: Path, **environment: str) -> Cost:
    before, begun = _cpu(), time.monotonic()
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, env={**os.environ, **environment}
    )
    wall = time.monotonic() - begun
    if done.returncode:
        raise Failed(done.stderr.decode("utf-8", "replace")[-300:])
    return wall, _cpu() - before


def _checked(made: Path, count: int) -> None:
    if made.read_text() != str(count):
        raise Failed(f"{made} has {made.read_text()!r}, not {count}")


def _bare(count: int) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "step.py").write_text(STEP)
        before, costs = "", []
        for number in range(count):
            after = str(folder / f"made{number}")
            costs.append(_timed([sys.executable, "step.py", before, after], folder))
            before = after
        _checked(Path(before), count)
        return sum(wall for wall, _ in costs), sum(cpu for _, cpu in costs)


def _ours(count: int, start: str, *, cached: bool = False) -> Cost:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "models").mkdir()
        (folder / "step.py").write_text(STEP)
        (folder / "mlp.config").write_text(f"[MLP]\nmodels_dir = models\nstart = {start}\n")
        (folder / "models.config").write_text("[WHITELISTED_MODELS]\nchain.yaml\n")
        pipeline = {"steps": dict(_step(number) for number in range(count))}
        (folder / "models" / "chain.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        run = [sys.executable, "-m", "mlpipeline", "-r"]
        cost = _timed([*run, "-u"], folder)
        if cached:
            cost = _timed(run, folder)
        artifacts = folder / "models" / "outputs" / "artifacts" / "chain"
        _checked(artifacts / f"step{count - 1}" / ("2" if cached else "1") / "made", count)
        return cost


def _step(number: int) -> tuple[str, dict[str, object]]:
    inputs = [{"name": "before", "type": "Dataset"}] if number else []
    first: object = {"inputPath": "before"} if number else ""
    component = {
        "inputs": inputs,
        "outputs": [{"name": "made", "type": "Dataset"}],
        "implementation": {
            "container": {
                "image": "none",
                "command": [sys.executable, "step.py"],
                "args": [first, {"outputPath": "made"}],
            }
        },
    }
    arguments = {"before": f"{{step{number - 1}.made}}"} if number else {}
    return f"step{number}", {"component": component, "arguments": arguments}


def _mlflow(count: int, python: str) -> Cost:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "step").mkdir()
        (folder / "step" / "step.py").write_text(STEP)
        parameters = "before: path, after: string"
        command = f"{python} step.py {{before}} {{after}}"
        text = MLPROJECT.format(parameters=parameters, command=command)
        (folder / "step" / "MLproject").write_text(text)
        text = MLPROJECT.format(parameters="count: float", command=f"{python} main.py {{count}}")
        (folder / "MLproject").write_text(text)
        (folder / "main.py").write_text(MAIN)
        (folder / "empty").write_text("0")
        cost = _timed(
            [python, "-m", "mlflow", "run", ".", "--env-manager=local", "-P", f"count={count}"],
            folder,
            MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db",
        )
        _checked(folder / f"made{count - 1}", count)
        return cost


def _cpu() -> float:
    """Seconds of all processes that have ended and were waited for, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
