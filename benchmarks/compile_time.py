"""What compiling a pipeline costs, beside the kfp SDK alone.

    python -m benchmarks.compile_time [--rounds 5]

The pipeline is that of examples/vertex-mnist. *kfp* is a script of its own that loads the same
components and compiles the same steps; *kfp, job* also constructs the job with
google-cloud-aiplatform, one after the other. In turns; the least of the rounds, and what all
processes used of the CPU.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import table

EXAMPLE = Path(__file__).parents[1] / "examples" / "vertex-mnist" / "configs"
BARE = """
import warnings; warnings.simplefilter("ignore")
from kfp import compiler, components, dsl
prepare = components.load_component_from_file("components/data_prepare.yaml")
train = components.load_component_from_file("components/train.yaml")
@dsl.pipeline(name="vertex-mnist", pipeline_root="gs://my-bucket/vertex-mnist")
def pipeline(project: str = "demo", lr: float = 0.5, epochs: int = 10):
    prepared = prepare(project=project, test_share=0.2)
    prepared.set_cpu_limit("2").set_memory_limit("8G")
    trained = train(
        project=project, dataset=prepared.outputs["dataset"], lr=lr, epochs=epochs
    )
    trained.set_cpu_limit("4").set_memory_limit("16G").set_retry(1)
    trained.set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(1)
compiler.Compiler().compile(pipeline, OUT)
"""
JOB = """
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
aiplatform.PipelineJob(
    display_name="Digits", template_path=OUT, project="p", location="us-central1",
    credentials=AnonymousCredentials(),
)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bare = f"OUT = {str(Path(folder, 'bare.json'))!r}\n{BARE}"
        ours = ["-m", "mlpipeline", "pipeline", "compile", "pipeline.yaml"]
        ways = {
            "kfp": ["-c", bare],
            "kfp, job": ["-c", bare + JOB],
            "mlpipeline, all checks": [*ours, "-o", str(Path(folder, "ours.json"))],
        }
        least: dict[str, tuple[float, float]] = {}
        for _ in range(options.rounds):
            for name, words in ways.items():
                took = _took([sys.executable, *words])
                least[name] = (
                    took if name not in least else tuple(map(min, took, least[name]))  # type: ignore[assignment]
                )
    rows = [[name, f"{wall:.2f}", f"{cpu:.2f}"] for name, (wall, cpu) in least.items()]
    print(f"{os.cpu_count()} CPUs, the least of {options.rounds} rounds")
    print(table(["compiling", "s", "CPU s"], rows))


def _took(command: list[str]) -> tuple[float, float]:
    """Seconds of a command, and those of the CPU that it and its children used."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=EXAMPLE, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter() - begun
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
