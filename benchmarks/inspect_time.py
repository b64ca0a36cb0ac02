"""What it costs to know the versions of scripts: many scripts, and one of many versions.

    python -m benchmarks.inspect_time [--scripts 1000] [--versions 100000] [--rounds 3]

*first*: nothing is known. *recalled*: a view believes what is remembered. *compared*: a session
does so where the content of the files is the same. *unchanged*: one more look at the list and all
scripts. *edited*: one of them is, until it is known again. Prints milliseconds of wall and of CPU
time, child processes included: the least of the rounds; then the memory that a version takes.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import rmtree
from threading import Event

from benchmarks.figures import table
from benchmarks.projects import make_project
from mlpipeline.core.listed import ListedModel
from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.execution.listing import Listing

LOOKS = 10  # at what is unchanged


def make_many(folder: Path, scripts: int) -> None:
    """A project of so many scripts of one version each."""
    make_project(folder, 1)
    script = folder / "models" / "noop.py"
    text = script.read_text()
    names = [f"noop{number:04}.py" for number in range(scripts)]
    for name in names:
        script.with_name(name).write_text(text)
    script.unlink()
    (folder / "models.config").write_text("\n".join(["[WHITELISTED_MODELS]", *names, ""]))


class Timed:
    """The least that each of several things took."""

    def __init__(self) -> None:
        self.least: dict[str, tuple[float, float]] = {}  # wall and CPU ms

    @contextmanager
    def measure(self, name: str, times: int = 1) -> Iterator[None]:
        """Time what is done so many times in the block."""
        wall, cpu = time.perf_counter(), _cpu()
        yield
        took = 1000 * (time.perf_counter() - wall) / times, 1000 * (_cpu() - cpu) / times
        before = self.least.get(name, took)
        self.least[name] = min(before[0], took[0]), min(before[1], took[1])


def _cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _resident() -> int:
    """Bytes of memory in use (proc(5): statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _settle(listing: Listing) -> None:
    """Look again until all scripts have been looked at."""
    news = Event()
    listing.wake = news.set
    while not listing.refresh().final:
        news.wait()
        news.clear()


def measure(folder: Path, rounds: int) -> tuple[Timed, float]:
    """The times, and the memory of a listed version in bytes."""
    models, timed, size = folder / "models", Timed(), 0.0
    memory = models / "outputs" / "inspected"
    (models / "outputs").mkdir()

    @contextmanager
    def opened(*, session: bool) -> Iterator[Listing]:
        scripts = KnownScripts(models, folder, 600, memory=memory, session=session)
        path = folder / "models.config"
        with closing(Listing(path, models, scripts, patient=False)) as listing:
            yield listing

    for script in models.glob("*.py"):
        os.utime(script, (1e9, 1e9))
    for _ in range(rounds):
        rmtree(memory, ignore_errors=True)
        with timed.measure("first"), opened(session=False) as listing:
            listing.refresh()
        gc.collect()
        before = _resident()
        with opened(session=False) as listing:
            with timed.measure("recalled"):
                listed = listing.refresh()
            size = size or (_resident() - before) / _count(listed.models)
        with opened(session=True) as listing:
            with timed.measure("compared"):
                listing.refresh()
            _settle(listing)
            with timed.measure("unchanged", LOOKS):
                for _ in range(LOOKS):
                    listing.refresh()
            script = next(models.glob("*.py"))
            script.write_text(f"{script.read_text()}#\n")
            os.utime(script, (1e9, 1e9))
            with timed.measure("edited"):
                _settle(listing)
    return timed, size


def _count(models: tuple[ListedModel, ...]) -> int:
    return sum(len(model.versions) for model in models)


def main() -> None:
    """Measure both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scripts", type=int, default=1_000)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    made: dict[str, Callable[[Path], None]] = {
        f"{options.scripts:,} scripts": lambda folder: make_many(folder, options.scripts),
        f"{options.versions:,} versions": lambda folder: make_project(folder, options.versions),
    }
    for name, make in made.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            make(Path(folder) / "project")
            timed, size = measure(Path(folder) / "project", options.rounds)
        rows = [[each, f"{wall:.1f}", f"{cpu:.1f}"] for each, (wall, cpu) in timed.least.items()]
        print(f"{name}\n\n{table(['', 'wall ms', 'CPU ms'], rows)}\n")
        print(f"{size:,.0f} bytes of memory a version\n")


if __name__ == "__main__":
    main()
