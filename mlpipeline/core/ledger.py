"""All runs that the histories tell of, folded from their events.

Made for a million events: each run is kept once, in a list, and all else names its place there.
What was dumped by an earlier process stays as it is, bytes, until somebody asks for that run.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

import msgspec

from mlpipeline.core.orders import AnyNote, Order, Ordered, Rehearsed
from mlpipeline.core.runs import AnyEvent, Fenced, Run, RunId, advance

Places = dict[str, dict[str, list[int]]]


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a dump."""

    places: Places
    active: list[int]
    orders: list[Ordered]
    rehearsals: list[Rehearsed]


_encode = msgspec.json.Encoder().encode
_decode_run = msgspec.json.Decoder(Run).decode


class Ledger:
    """The runs of a project, by name and by version; grows by :meth:`apply`."""

    def __init__(self) -> None:
        self._runs: list[Run | bytes] = []
        # By model and by version: the places of its attempts, by attempt, then by start.
        self._places: Places = {}
        self._active: defaultdict[str, dict[RunId, int]] = defaultdict(dict)  # by host
        self._last_in: dict[str, int] | None = None  # by model_dir; as soon as somebody asks
        self._dumped_last_in = b"{}"
        self._orders: dict[tuple[str, str], Ordered] = {}  # by model and version
        self._rehearsals: dict[tuple[str, str, str, str], Rehearsed] = {}
        self._noted: set[tuple[str, str]] = set()  # those that either of these is about
        self._followers: list[Callable[[str, str, str], None]] = []

    def follow(self, call: Callable[[str, str, str], None]) -> None:
        """``call`` hears of each record taken in from now on: the model and version that it is
        about, and the model_dir of their run (empty where it is about none).
        """
        self._followers.append(call)

    def preview(self, event: AnyEvent, host: str) -> Run:
        """The run as ``event`` of ``host``'s history would leave it; raises IllegalTransition."""
        place = self._place(event.host if isinstance(event, Fenced) else host, event.run)
        return advance(None if place is None else self._run(place), event, host)

    def apply(self, event: AnyEvent, host: str) -> Run:
        """Take in ``event`` of ``host``'s history; raises IllegalTransition, changing nothing."""
        whose = event.host if isinstance(event, Fenced) else host
        place = self._active[whose].get(event.run)
        if place is None:
            place = self._place(whose, event.run)
        before = None if place is None else self._run(place)
        run = advance(before, event, host)
        if place is None:
            place = self._add(run)
        else:
            self._runs[place] = run
            if before and run.started_at != before.started_at:  # fenced before it was read
                self._places[run.id.model][run.id.version].sort(key=self._age)
        if run.verdict is None:
            self._active[whose][run.id] = place
        else:
            self._active[whose].pop(run.id, None)
        if self._last_in is not None:
            self._note_user(self._last_in, place, run)
        for call in self._followers:
            call(run.id.model, run.id.version, run.model_dir)
        return run

    def note(self, note: AnyNote) -> None:
        """Take in what a history says of a version."""
        self._noted.add((note.model, note.version))
        match note:
            case Ordered():
                if not self.is_overtaken(note):
                    self._orders[note.model, note.version] = note
            case Rehearsed():
                key = (note.model, note.version, note.signature, note.script)
                before = self._rehearsals.get(key)
                if before is None or (before.orders, before.at) <= (note.orders, note.at):
                    self._rehearsals[key] = note
        for call in self._followers:
            call(note.model, note.version, "")

    def is_new(self, model: str, version: str) -> bool:
        """Whether nothing is known of a version: no run, no order, no rehearsal."""
        versions = self._places.get(model)
        has_run = versions is not None and version in versions
        return not has_run and (model, version) not in self._noted

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
        return map(self._run, range(len(self._runs)))

    @property
    def versions(self) -> Mapping[str, Collection[str]]:
        """The versions of each model that has run, both by their first start."""
        return self._places

    def names(self) -> list[tuple[str, str]]:
        """Model and version of all that has run, by their first start."""
        firsts = {
            (model, version): min(places)
            for model, versions in self._places.items()
            for version, places in versions.items()
        }
        return sorted(firsts, key=firsts.__getitem__)

    def newest(self, model: str) -> Iterator[Run]:
        """The runs of ``model``, the last one of those that started first."""
        places = (place for of_one in self._places.get(model, {}).values() for place in of_one)
        return map(self._run, sorted(places, reverse=True))

    def attempts(self, model: str, version: str) -> list[Run]:
        """The runs of one version, oldest first: by attempt, since hosts' clocks may differ."""
        versions = self._places.get(model)
        places = versions.get(version) if versions else None
        return list(map(self._run, places)) if places else []

    def find(self, host: str, run: RunId) -> Run | None:
        """The run of that name on ``host``."""
        place = self._place(host, run)
        return None if place is None else self._run(place)

    def active(self, host: str | None = None) -> list[Run]:
        """The runs of ``host`` (or of all) that have not ended, in the order of their start."""
        hosts = list(self._active.values()) if host is None else [self._active.get(host, {})]
        runs = [self._run(place) for places in hosts for place in places.values()]
        return sorted(runs, key=lambda run: run.started_at)

    def last_in(self, model_dir: str) -> Run | None:
        """The newest run, of those that have ended, that put its own state into ``model_dir``."""
        place = self._users().get(model_dir)
        return None if place is None else self._run(place)

    def next_attempt(self, model: str, version: str) -> int:
        """One more than the highest attempt of any host."""
        places = self._places.get(model, {}).get(version)
        return 1 + self._run(places[-1]).id.attempt if places else 1

    def _place(self, host: str, run: RunId) -> int | None:
        """Where in the list the run of that name on ``host`` is."""
        versions = self._places.get(run.model)
        places = versions.get(run.version) if versions else None
        if not places:
            return None
        newest = self._run(places[-1])  # most events are about that one
        if newest.id.attempt < run.attempt:
            return None
        if newest.id.attempt == run.attempt and newest.host == host:
            return places[-1]
        first = bisect_left(places, run.attempt, key=lambda place: self._run(place).id.attempt)
        for place in places[first:]:
            known = self._run(place)
            if known.id.attempt != run.attempt:
                break
            if known.host == host:
                return place
        return None

    def dump(self) -> Iterator[bytes]:
        """Lines of which :meth:`load` makes this ledger again; there are at least two."""
        places = [place for of_host in self._active.values() for place in of_host.values()]
        yield _encode(
            _Head(
                places=self._places,
                active=places,
                orders=list(self._orders.values()),
                rehearsals=list(self._rehearsals.values()),
            )
        )
        yield _encode(self._users())
        for run in self._runs:
            yield run if isinstance(run, bytes) else _encode(run)

    def load(self, lines: list[bytes]) -> None:
        """Be what was dumped; this ledger must be new.

        Raises msgspec.DecodeError for what is no dump of this version of mlpipeline.
        """
        head = msgspec.json.decode(lines[0], type=_Head)
        active = {place: _decode_run(lines[2 + place]) for place in head.active}
        self._runs.extend(lines[2:])
        self._places, self._dumped_last_in = head.places, lines[1]
        for place, run in active.items():
            self._runs[place] = run
            self._active[run.host][run.id] = place
        for order in head.orders:
            self.note(order)
        for rehearsal in head.rehearsals:
            self.note(rehearsal)

    def _run(self, place: int) -> Run:
        run = self._runs[place]
        if isinstance(run, bytes):
            run = self._runs[place] = _decode_run(run)
        return run

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

    def _users(self) -> dict[str, int]:
        """The places of the runs that :meth:`last_in` finds."""
        if self._last_in is None:
            self._last_in = msgspec.json.decode(self._dumped_last_in, type=dict[str, int])
            self._dumped_last_in = b"{}"
            for place, run in enumerate(self._runs):
                if isinstance(run, Run):  # others are as they were dumped
                    self._note_user(self._last_in, place, run)
        return self._last_in

    def _note_user(self, users: dict[str, int], place: int, run: Run) -> None:
        if run.prepared:
            last = users.get(run.model_dir)
            if last is None or self._run(last).started_at <= run.started_at:
                users[run.model_dir] = place

    def _age(self, place: int) -> tuple[int, datetime]:
        run = self._run(place)
        return run.id.attempt, run.started_at
