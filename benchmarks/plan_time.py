"""What it costs to plan one start, by how much is listed.

    python -m benchmarks.plan_time [--sizes 100 1000 10000 100000] [--rounds 200]

A run ends, the next start is planned, and it is recorded: once in each round, with eight slots,
without files and processes. Beside it: what the index needs to begin with, a look at all versions
(``explain``), and the memory of the index. Times are CPU times.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from benchmarks.figures import shown, table
from mlpipeline.core.agenda import Agenda
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import Policy, Situation, explain, plan
from mlpipeline.core.runs import Finished, Outcome, RunId, Starting

MODEL_SIZE = 100  # versions, where there are many models
SLOTS = 8
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(session="s", host="here", unattended=True, slots=SLOTS)


def listed(versions: int, of_each: int, *, shared: bool) -> tuple[ListedModel, ...]:
    """Models with ``of_each`` of so many versions, which are to use one model_dir if ``shared``."""
    return tuple(
        ListedModel(
            name=f"m{number}",
            path=f"m{number}.py",
            sources={f"m{number}.py": "0" * 64},
            versions=tuple(
                ListedVersion(
                    name=f"v{each}",
                    signature="s",
                    model_dir=f"m{number}" if shared else f"m{number}-{each}",
                )
                for each in range(of_each)
            ),
        )
        for number in range(versions // of_each)
    )


class Session:
    """A scheduler without disk and processes."""

    def __init__(self, models: Sequence[ListedModel]):
        self.ledger = Ledger()
        self.agenda = Agenda(self.ledger)
        self._models = models
        self._events = 0

    def situation(self) -> Situation:
        """As it is now."""
        now = BEGIN + timedelta(seconds=self._events)
        return Situation(listed=self._models, ledger=self.ledger, policy=POLICY, now=now)

    def plan(self) -> float:
        """Plan, and record what is to start; microseconds that the plan took."""
        at = self.situation()
        begun = time.process_time()
        starts = plan(at, self.agenda.candidates(at))
        took = time.process_time() - begun
        for start in starts:
            self._events += 1
            self.ledger.apply(
                Starting(
                    at=at.now,
                    run=start.run,
                    session="s",
                    signature=start.version.signature,
                    script=start.model.digest,
                    model_dir=start.version.model_dir,
                ),
                "here",
            )
        return 1e6 * took

    def end(self, run: RunId) -> float:
        """End a run; microseconds that it took to record that in the ledger and the index."""
        self._events += 1
        at = BEGIN + timedelta(seconds=self._events)
        event = Finished(at=at, run=run, outcome=Outcome.SUCCEEDED, ended_at=at, prepared=True)
        begun = time.process_time()
        self.ledger.apply(event, "here")
        return 1e6 * (time.process_time() - begun)


def measure(models: Sequence[ListedModel], rounds: int) -> list[str]:
    """A row of the table."""
    session = Session(models)
    versions = sum(len(model.versions) for model in models)
    begun = time.process_time()
    session.agenda.candidates(session.situation())
    built = time.process_time() - begun
    session.plan()
    plans, events = [], []
    for _ in range(min(rounds, versions - SLOTS)):
        events.append(session.end(session.ledger.active()[0].id))
        plans.append(session.plan())
    begun = time.process_time()
    explain(session.situation())
    all_of_it = time.process_time() - begun
    return [
        f"{len(models):,} × {versions // len(models):,}",
        shown(statistics.median(plans)),
        shown(max(plans)),
        shown(statistics.median(events)),
        shown(1e3 * built),
        shown(1e3 * all_of_it),
        shown(memory(models) / versions),
    ]


def memory(models: Sequence[ListedModel]) -> float:
    """Bytes that an index has when nothing has run yet."""
    session = Session(models)
    tracemalloc.start()
    session.agenda.candidates(session.situation())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


def main() -> None:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    head = ["models × versions", "plan µs", "most", "event µs", "begin ms", "all ms", "bytes each"]
    for shared in (False, True):
        rows = [
            measure(listed(size, of_each, shared=shared), options.rounds)
            for of_each_is_all in (True, False)
            for size in options.sizes
            for of_each in [size if of_each_is_all else MODEL_SIZE]
        ]
        print("all versions of a model share a model_dir:" if shared else "each has a model_dir:")
        print(table(head, rows), end="\n\n")


if __name__ == "__main__":
    main()
