"""All runs that the histories tell of, folded from their events.

Made for a million events: each run is kept once, in a list, and all else names its place there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime

from mlpipeline.core.orders import AnyNote, Order, Ordered, Rehearsed
from mlpipeline.core.runs import AnyEvent, Fenced, Run, RunId, advance


class Ledger:
    """The runs of a project, by name and by version; grows by :meth:`apply`."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        # By model and by version: the places of its attempts, by attempt, then by start.
        self._places: dict[str, dict[str, list[int]]] = {}
        self._active: dict[int, None] = {}
        self._last_in: dict[str, int] = {}  # by model_dir
        self._orders: dict[tuple[str, str], Ordered] = {}  # by model and version
        self._rehearsals: dict[tuple[str, str, str, str], Rehearsed] = {}

    def preview(self, event: AnyEvent, host: str) -> Run:
        """The run as ``event`` of ``host``'s history would leave it; raises IllegalTransition."""
        place = self._place(event.host if isinstance(event, Fenced) else host, event.run)
        return advance(None if place is None else self._runs[place], event, host)

    def apply(self, event: AnyEvent, host: str) -> Run:
        """Take in ``event`` of ``host``'s history; raises IllegalTransition, changing nothing."""
        place = self._place(event.host if isinstance(event, Fenced) else host, event.run)
        before = None if place is None else self._runs[place]
        run = advance(before, event, host)
        if place is None:
            place = self._add(run)
        else:
            self._runs[place] = run
            if before and run.started_at != before.started_at:  # fenced before it was read
                self._places[run.id.model][run.id.version].sort(key=self._age)
        if run.verdict is None:
            self._active[place] = None
        else:
            self._active.pop(place, None)
        if run.prepared:
            last = self.last_in(run.model_dir)
            if last is None or last.started_at <= run.started_at:
                self._last_in[run.model_dir] = place
        return run

    def note(self, note: AnyNote) -> None:
        """Take in what a history says of a version."""
        match note:
            case Ordered():
                if not self.is_overtaken(note):
                    self._orders[note.model, note.version] = note
            case Rehearsed():
                key = (note.model, note.version, note.signature, note.script)
                before = self._rehearsals.get(key)
                if before is None or (before.orders, before.at) <= (note.orders, note.at):
                    self._rehearsals[key] = note

    def order(self, model: str, version: str) -> Ordered | None:
        """The order that holds for a version."""
        return self._orders.get((model, version))

    def next_order(
        self, order: Order, model: str, version: str, at: datetime, *, why: str = ""
    ) -> Ordered:
        """What a person wants of a version, from now on."""
        before = self.order(model, version)
        return Ordered(
            at=at,
            model=model,
            version=version,
            order=order,
            number=1 + (before.number if before else 0),
            after=self.next_attempt(model, version) - 1,
            why=why,
        )

    def is_overtaken(self, order: Ordered) -> bool:
        """Whether another order of its version holds, whatever becomes of ``order``."""
        known = self.order(order.model, order.version)
        return known is not None and (known.number, known.at) > (order.number, order.at)

    def rehearsal(self, model: str, version: str, signature: str, script: str) -> Rehearsed | None:
        """The newest rehearsal of a version with these parameters and this script, on any host."""
        return self._rehearsals.get((model, version, signature, script))

    def __iter__(self) -> Iterator[Run]:
        """All runs, in the order they started within each history."""
        return iter(self._runs)

    def versions(self) -> Iterator[tuple[str, str]]:
        """Model and version of all that has run; of each model, in the order of their first start."""
        for model, versions in self._places.items():
            for version in versions:
                yield model, version

    def attempts(self, model: str, version: str) -> list[Run]:
        """The runs of one version, oldest first: by attempt, since hosts' clocks may differ."""
        versions = self._places.get(model)
        places = versions.get(version) if versions else None
        return [self._runs[place] for place in places] if places else []

    def find(self, host: str, run: RunId) -> Run | None:
        """The run of that name on ``host``."""
        place = self._place(host, run)
        return None if place is None else self._runs[place]

    def active(self, host: str | None = None) -> list[Run]:
        """The runs of ``host`` (or of all) that have not ended, in the order of their start."""
        runs = (self._runs[place] for place in self._active)
        of_host = [run for run in runs if host in (None, run.host)]
        return sorted(of_host, key=lambda run: run.started_at)

    def last_in(self, model_dir: str) -> Run | None:
        """The newest run, of those that have ended, that put its own state into ``model_dir``."""
        place = self._last_in.get(model_dir)
        return None if place is None else self._runs[place]

    def next_attempt(self, model: str, version: str) -> int:
        """One more than the highest attempt of any host."""
        places = self._places.get(model, {}).get(version)
        return 1 + self._runs[places[-1]].id.attempt if places else 1

    def _place(self, host: str, run: RunId) -> int | None:
        """Where in the list the run of that name on ``host`` is."""
        versions = self._places.get(run.model)
        places = versions.get(run.version) if versions else None
        if not places:
            return None
        newest = self._runs[places[-1]]  # most events are about that one
        if newest.id.attempt < run.attempt:
            return None
        if newest.id.attempt == run.attempt and newest.host == host:
            return places[-1]
        first = bisect_left(places, run.attempt, key=lambda place: self._runs[place].id.attempt)
        for place in places[first:]:
            if self._runs[place].id.attempt != run.attempt:
                break
            if self._runs[place].host == host:
                return place
        return None

    def _add(self, run: Run) -> int:
        place = len(self._runs)
        self._runs.append(run)
        versions = self._places.setdefault(run.id.model, {})
        places = versions.get(run.id.version)
        if places is None:
            versions[run.id.version] = [place]
        else:
            insort(places, place, key=self._age)
        return place

    def _age(self, place: int) -> tuple[int, datetime]:
        run = self._runs[place]
        return run.id.attempt, run.started_at
