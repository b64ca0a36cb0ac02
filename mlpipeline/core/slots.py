"""Which runs fit on a host beside each other: CPUs, memory and GPUs that they ask for and hold.

What a run does not ask for is not counted. All of it is booked, and none of it enforced.

*Backfilling with a reservation.* Versions start in the order of the queue. The first one that does
not fit reserves: those behind it may start in the room that it can't use. One that takes nothing
which the reserving one still needs always may. One that does so has it wait longer, perhaps, and so
at most ``Policy.passes`` of them are let past; then it is its turn as soon as enough is free. Who
has been let past is counted by a session, and forgotten with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

ROUNDING = 1e-9  # ten tenths are one


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """What a version asks for; 0 or None: it does not say."""

    cpus: float = 0.0
    memory: float = 0.0  # GB
    gpus: float | None = None  # whole ones, or a share of one below 1; 0: it is to see none


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run holds of its host."""

    cpus: float = 0.0
    memory: float = 0.0  # GB
    gpus: dict[str, float] | None = None  # the share of each; None: it sees all, and holds none


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has, as far as it is counted."""

    cpus: float = math.inf
    memory: float = math.inf  # GB
    gpus: tuple[str, ...] | None = None  # as CUDA_VISIBLE_DEVICES names them; None: not counted
    busy: frozenset[str] = frozenset()  # those that others use

    def why_never(self, asks: Asks) -> str:
        """Why what ``asks`` does can't ever run here; empty where it can."""
        gpus = len(self.gpus) if self.gpus is not None else math.inf
        for wanted, there, what in (
            (asks.gpus or 0, gpus, "gpu"),
            (asks.cpus, self.cpus, "cpu"),
            (asks.memory, self.memory, "GB"),
        ):
            if math.ceil(wanted) > there if what == "gpu" else wanted > there + ROUNDING:
                has = f"has {_amount(there, what)}" if there else "has none"
                return f"can't run here: asks for {_amount(wanted, what)}, this host {has}"
        return ""


UNCOUNTED = Host()


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What is free of a host."""

    cpus: float
    memory: float
    gpus: dict[str, float] | None  # the free share of each, in the order in which they are taken

    @classmethod
    def of(cls, host: Host, held: Iterable[Held] = ()) -> Room:
        """What runs that hold ``held`` leave of ``host``."""
        shares = None if host.gpus is None else dict.fromkeys(host.gpus, 1.0)
        room = cls(cpus=host.cpus, memory=host.memory, gpus=shares)
        for each in held:
            room = room.less(each)
        if room.gpus is None:
            return room
        ours = {gpu for gpu, share in room.gpus.items() if share < 1}
        free = {gpu: 0.0 if gpu in host.busy - ours else share for gpu, share in room.gpus.items()}
        return msgspec.structs.replace(room, gpus=free)

    def less(self, held: Held) -> Room:
        """What is left where one more run holds ``held``."""
        taken = held.gpus or {}
        gpus = self.gpus and {gpu: free - taken.get(gpu, 0) for gpu, free in self.gpus.items()}
        return Room(cpus=self.cpus - held.cpus, memory=self.memory - held.memory, gpus=gpus)

    def place(self, asks: Asks) -> Held | None:
        """What a run would hold that ``asks`` so; None where that is not free.

        A share of a GPU is taken where the least is left, so that others stay whole.
        """
        if self.lacks(asks):
            return None
        gpus = None
        if asks.gpus is not None and self.gpus is not None:
            gpus = dict.fromkeys(self._choose(asks.gpus), min(1.0, asks.gpus))
        return Held(cpus=asks.cpus, memory=asks.memory, gpus=gpus)

    def lacks(self, asks: Asks) -> dict[str, str]:
        """What is not free enough for what ``asks`` so: the words for it, by kind."""
        lacking = {}
        for kind, wanted, free, what in (
            ("cpus", asks.cpus, self.cpus, "cpu"),
            ("memory", asks.memory, self.memory, "GB"),
        ):
            if wanted > free + ROUNDING and wanted:
                lacking[kind] = f"{_amount(wanted, what)} ({_amount(max(0.0, free), '')} free)"
        if asks.gpus and self.gpus is not None and not self._choose(asks.gpus):
            free = len(self._choosable(min(1.0, asks.gpus)))
            lacking["gpus"] = f"{_amount(asks.gpus, 'gpu')} ({free} free)"
        return lacking

    def hinders(self, held: Held, reserving: Asks) -> bool:
        """Whether one who takes ``held`` takes of something that ``reserving`` then lacks."""
        lacking = self.less(held).lacks(reserving)
        return any(getattr(held, kind) for kind in lacking)

    def _choosable(self, share: float) -> list[str]:
        return [gpu for gpu, free in (self.gpus or {}).items() if free + ROUNDING >= share]

    def _choose(self, wanted: float) -> list[str]:
        """The GPUs for so many; none where too few are free."""
        free = self._choosable(min(1.0, wanted))
        if 0 < wanted < 1:
            return sorted(free, key=lambda gpu: (self.gpus or {})[gpu])[:1]  # stable
        return free[: int(wanted)] if len(free) >= wanted else []


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run fits."""

    holds: Held = Held()
    passes: tuple[str, str] | None = None  # model and version that it is let past


class Filling:
    """Gives the room of a host away, asked in the order of the queue (the rule is above)."""

    def __init__(self, room: Room, passed: Mapping[tuple[str, str], int], most: int):
        """``passed``: how many have been let past a version so far, of at ``most`` so many."""
        self._room = room
        self._passed = passed
        self._most = most
        self._reserving: tuple[tuple[str, str], Asks] | None = None
        self._let_past = 0

    def place(self, key: tuple[str, str], asks: Asks) -> Place | None:
        """Give what the version ``key`` asks for; None where it has to wait."""
        holds = self._room.place(asks)
        if holds is None:
            if self._reserving is None:
                self._reserving, self._let_past = (key, asks), self._passed.get(key, 0)
            return None
        passes = None
        if self._reserving and self._room.hinders(holds, self._reserving[1]):
            if self._let_past >= self._most:
                return None
            passes, self._let_past = self._reserving[0], self._let_past + 1
        self._room = self._room.less(holds)
        return Place(holds=holds, passes=passes)


def _amount(number: float, what: str) -> str:
    plural = "s" if what not in ("", "GB") and number != 1 else ""
    return f"{round(number, 2):g} {what}{plural}".strip()
