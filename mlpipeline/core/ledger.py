"""All runs that the histories tell of, folded from their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime

from mlpipeline.core.orders import AnyNote, Order, Ordered, Rehearsed
from mlpipeline.core.runs import AnyEvent, Fenced, Run, RunId, advance


def _key(event: AnyEvent, host: str) -> tuple[str, RunId]:
    """Whose run ``event``, in the history of ``host``, is about."""
    return (event.host if isinstance(event, Fenced) else host, event.run)


class Ledger:
    """The runs of a project, by name and by version; grows by :meth:`apply`."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, RunId], Run] = {}
        self._attempts: defaultdict[tuple[str, str], list[tuple[str, RunId]]] = defaultdict(list)
        self._active: dict[tuple[str, RunId], None] = {}
        self._last_in: dict[str, tuple[str, RunId]] = {}  # by model_dir
        self._orders: dict[tuple[str, str], Ordered] = {}  # by model and version
        self._rehearsals: dict[tuple[str, str, str, str], Rehearsed] = {}
        self._followers: list[Callable[[str, str, str], None]] = []

    def follow(self, call: Callable[[str, str, str], None]) -> None:
        """``call`` hears of each record taken in from now on: the model and version that it is
        about, and the model_dir of their run (empty where it is about none).
        """
        self._followers.append(call)

    def preview(self, event: AnyEvent, host: str) -> Run:
        """The run as ``event`` of ``host``'s history would leave it; raises IllegalTransition."""
        return advance(self._runs.get(_key(event, host)), event, host)

    def apply(self, event: AnyEvent, host: str) -> Run:
        """Take in ``event`` of ``host``'s history; raises IllegalTransition, changing nothing."""
        run = self.preview(event, host)
        key = _key(event, host)
        if key not in self._runs:
            self._attempts[run.id.model, run.id.version].append(key)
        self._runs[key] = run
        if run.active:
            self._active[key] = None
        else:
            self._active.pop(key, None)
        if run.prepared:
            last = self.last_in(run.model_dir)
            if last is None or last.started_at <= run.started_at:
                self._last_in[run.model_dir] = key
        for call in self._followers:
            call(run.id.model, run.id.version, run.model_dir)
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
        for call in self._followers:
            call(note.model, note.version, "")

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
        return iter(self._runs.values())

    def attempts(self, model: str, version: str) -> list[Run]:
        """The runs of one version, oldest first: by attempt, since hosts' clocks may differ."""
        keys = self._attempts.get((model, version), [])
        runs = (self._runs[key] for key in keys)
        return sorted(runs, key=lambda run: (run.id.attempt, run.started_at))

    def find(self, host: str, run: RunId) -> Run | None:
        """The run of that name on ``host``."""
        return self._runs.get((host, run))

    def active(self, host: str | None = None) -> list[Run]:
        """The runs of ``host`` (or of all) that have not ended, in the order of their start."""
        runs = [self._runs[key] for key in self._active if host in (None, key[0])]
        return sorted(runs, key=lambda run: run.started_at)

    def last_in(self, model_dir: str) -> Run | None:
        """The newest run, of those that have ended, that put its own state into ``model_dir``."""
        key = self._last_in.get(model_dir)
        return self._runs[key] if key else None

    def next_attempt(self, model: str, version: str) -> int:
        """One more than the highest attempt of any host."""
        keys = self._attempts.get((model, version), [])
        return 1 + max((run.attempt for _, run in keys), default=0)
