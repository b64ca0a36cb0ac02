"""What is listed, by where it stands: an index of the queue, so that what happens to one version
costs the same however many there are.

It has no rule of its own. The rules of core/planning.py are asked again about those versions that
something may have changed for, and these are

- all of a model whose record in the list is another one;
- what comes after one that is done or stuck now, or no more, where that settles it;
- the one that a record in the ledger is about, and what would go on from the model_dir of its run;
- what other hosts claim, or claim no more;
- what is tried again at a time that has come.

What fits on the host is not kept: it is the same for all that ask for the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from heapq import merge
from operator import is_

import msgspec
from sortedcontainers import SortedList

from mlpipeline.core.indexed import (
    BEHIND,
    FRESH,
    LATER,
    QUEUED,
    RESUMED,
    STUCK,
    Indexed,
    Lane,
    place_of,
)
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.lines import Line
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import NOTHING_CLAIMED, Candidates, Claimed, Rules, Situation
from mlpipeline.core.slots import Asks
from mlpipeline.core.standings import Standing

Key = tuple[str, str]  # model and version


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of a queue of which nothing starts."""

    queued: int  # versions
    lacks: str = ""  # what of the host is not free enough for the first that lacks something
    next_try: datetime | None = None  # when the first is tried again that has to wait for that


class Skips(msgspec.Struct, frozen=True, kw_only=True):
    """What is skipped from now on, since it comes after something that is stuck."""

    root: Standing  # that
    names: tuple[str, ...]  # versions


class Agenda:
    """Follows a ledger and a list.

    ``asks`` is what listed versions ask for of the host, each once.
    """

    def __init__(self, ledger: Ledger):
        self.asks: Set[Asks] = frozenset()
        self._listed: Sequence[ListedModel] = ()
        self._ranked: list[Indexed] = []
        self._models: dict[str, Indexed] = {}
        self._new: list[Indexed] = []  # the rules have not been asked about them yet
        self._lanes: dict[Asks, SortedList[Lane]] = {}  # of all lines
        self._queued: Counter[Asks] = Counter()  # versions that may start, now or at a known time
        self._behind: Counter[Asks] = Counter()  # queued ones that wait for others
        self._skips: list[Skips] = []
        self._resumed: dict[str, set[Key]] = {}  # by model_dir
        self._tries: SortedList[tuple[datetime, Key]] = SortedList()  # of what is LATER
        self._try_of: dict[Key, datetime] = {}
        self._touched: set[Key] = set()
        self._model_dirs: set[str] = set()  # that records were about
        self._claimed: Claimed = NOTHING_CLAIMED
        self._now: datetime | None = None
        ledger.follow(self._touch)

    def take_in(self, listed: Sequence[ListedModel]) -> None:
        """What is listed now; a model that is the same object as before is not looked at."""
        before, self._listed = self._listed, listed
        if len(before) == len(listed) and all(map(is_, before, listed)):
            return
        gone, self._models = self._models, {}
        self._ranked = []
        for rank, model in enumerate(listed):
            known = gone.pop(model.name, None)
            if known is not None and not known.is_as(model):
                self._forget(known)
                known = None
            if known is None:
                known = Indexed(model)
                self._new.append(known)
            known.model, known.rank = model, rank
            self._ranked.append(known)
            self._models[model.name] = known
        for each in gone.values():
            self._forget(each)
        self.asks = frozenset().union(*(each.asks for each in self._ranked))
        self._lanes = {}
        for each in self._ranked:
            for asks, resumes in each.lines:
                self._lanes.setdefault(asks, SortedList()).add(each.lane(resumes))

    def candidates(self, at: Situation) -> Candidates:
        """What may start, for ``plan``."""
        rules = self._catch_up(at)

        def walk(taken: Set[str], refused: Set[Asks]) -> Iterator[Standing]:
            possible = [asks for asks in self._lanes if not at.host.why_never(asks)]
            walks = [self._walk(asks, taken, refused) for asks in possible]
            for (_, _, rank), number in merge(*walks):
                model = self._ranked[rank].model
                yield rules.standing(model, model.versions[number])

        return walk

    def outlook(self, at: Situation) -> Outlook:
        """What to say where nothing starts."""
        self._catch_up(at)
        room = at.room
        possible = [asks for asks in self._queued if not at.host.why_never(asks)]
        lacking = [asks for asks in possible if room.lacks(asks)]
        first = min(lacking, key=self._begin, default=None)
        behind = sum(count for asks, count in self._behind.items() if not at.host.why_never(asks))
        return Outlook(
            queued=behind + sum(self._queued[asks] for asks in possible),
            lacks=", ".join(room.lacks(first).values()) if first else "",
            next_try=next(
                (time for time, key in self._tries if self._version(key).asks in possible), None
            ),
        )

    def take_skips(self) -> list[Skips]:
        """What is skipped since this was last asked."""
        skips, self._skips = self._skips, []
        return skips

    def _walk(self, asks: Asks, taken: Set[str], refused: Set[Asks]) -> Iterator[tuple[Lane, int]]:
        """What asks so, in order."""
        for lane in self._lanes[asks]:
            _, is_fresh, rank = lane
            for number in self._ranked[rank].lines[asks, not is_fresh].walk(taken):
                if asks in refused:
                    return
                yield lane, number

    def _begin(self, asks: Asks) -> tuple[Lane, int] | tuple[tuple[float]]:
        """Where the first stands that asks so and may start; after all others, where none may."""
        if asks not in self._lanes:
            return ((math.inf,),)
        lane = self._lanes[asks][0]
        return lane, self._ranked[lane[2]].lines[asks, not lane[1]].first

    # ----------------------------------------------------------- keeping it up

    def _touch(self, model: str, version: str, model_dir: str) -> None:
        self._touched.add((model, version))
        self._model_dirs.add(model_dir)

    def _catch_up(self, at: Situation) -> Rules:
        """Ask the rules, which it returns, about all that may stand elsewhere now."""
        if self._now is not None and at.now < self._now:  # the clock was set back
            self.take_in(())
        self._now = at.now
        self.take_in(at.listed)
        rules = Rules(at)
        for each in self._new:
            if self._models.get(each.model.name) is each:
                self._fill(each, rules)
        self._new = []
        self._touched |= at.claimed.versions.keys() ^ self._claimed.versions.keys()
        self._claimed = at.claimed
        for time, key in self._tries:
            if time > at.now:
                break
            self._touched.add(key)
        for model_dir in self._model_dirs:
            self._touched |= self._resumed.get(model_dir, set())
        for key in self._touched:
            self._look_at(key, rules)
        self._touched, self._model_dirs = set(), set()
        return rules

    def _fill(self, indexed: Indexed, rules: Rules) -> None:
        """All versions of a model that is new here."""
        numbers: dict[tuple[Asks, bool], list[int]] = {}
        stages = indexed.stages
        for number in stages.order if stages else range(len(indexed.versions)):
            version = indexed.versions[number]
            standing = indexed.standing(number, rules)
            place = place_of(standing)
            indexed.settle(number, place)
            if place in (FRESH, RESUMED):
                numbers.setdefault((version.asks, standing.resumes), []).append(number)
            if place in QUEUED:
                self._note(indexed, version, place, standing.not_before)
        for (asks, resumes), those in numbers.items():
            indexed.lines[asks, resumes] = Line(indexed.model_dir, sorted(those))
            self._lanes.setdefault(asks, SortedList()).add(indexed.lane(resumes))

    def _look_at(self, key: Key, rules: Rules) -> None:
        """A version that may stand elsewhere than it did, if it is listed, and what comes after
        it.
        """
        indexed = self._models.get(key[0])
        number = indexed.numbers.get(key[1]) if indexed else None
        if indexed is None or number is None:
            return
        was_stuck = indexed.places[number] == STUCK
        standing = indexed.standing(number, rules)
        ahead = self._move(indexed, number, standing)
        skipped: list[int] = []
        while ahead:
            each = ahead.pop()
            was_skipped = indexed.places[each] == STUCK
            ahead += self._move(indexed, each, indexed.standing(each, rules))
            if indexed.places[each] == STUCK and not was_skipped:
                skipped.append(each)
        if skipped and not was_stuck and standing.is_stuck:
            names = tuple(indexed.versions[each].name for each in sorted(skipped))
            self._skips.append(Skips(root=standing, names=names))

    def _move(self, indexed: Indexed, number: int, standing: Standing) -> list[int]:
        """Put a version where it stands; returns what is to be looked at after that."""
        version = indexed.versions[number]
        before, place = indexed.places[number], place_of(standing)
        if before == place != LATER:
            return []
        if before in QUEUED:
            self._unnote(indexed, version, before)
        if before in (FRESH, RESUMED):
            self._leave(indexed, number, version.asks, before == RESUMED)
        turned = indexed.settle(number, place)
        if place in (FRESH, RESUMED):
            self._enter(indexed, number, version.asks, place == RESUMED)
        if place in QUEUED:
            self._note(indexed, version, place, standing.not_before)
        return turned

    def _enter(self, indexed: Indexed, number: int, asks: Asks, resumes: bool) -> None:
        line = indexed.lines.get((asks, resumes))
        if line is None:
            line = indexed.lines[asks, resumes] = Line(indexed.model_dir)
            self._lanes.setdefault(asks, SortedList()).add(indexed.lane(resumes))
        line.add(number)

    def _leave(self, indexed: Indexed, number: int, asks: Asks, resumes: bool) -> None:
        line = indexed.lines[asks, resumes]
        line.remove(number)
        if not line:
            del indexed.lines[asks, resumes]
            self._lanes[asks].remove(indexed.lane(resumes))
            if not self._lanes[asks]:
                del self._lanes[asks]

    def _note(
        self, indexed: Indexed, version: ListedVersion, place: int, not_before: datetime | None
    ) -> None:
        """Count one that is queued."""
        key = indexed.model.name, version.name
        if place == BEHIND:
            self._behind[version.asks] += 1
            return
        self._queued[version.asks] += 1
        if place == RESUMED:
            self._resumed.setdefault(version.model_dir, set()).add(key)
        if not_before is not None:
            self._try_of[key] = not_before
            self._tries.add((not_before, key))

    def _unnote(self, indexed: Indexed, version: ListedVersion, place: int) -> None:
        """Count one that was queued no more."""
        key = indexed.model.name, version.name
        if place == BEHIND:
            self._behind[version.asks] -= 1
            return
        self._queued[version.asks] -= 1
        if not self._queued[version.asks]:
            del self._queued[version.asks]
        if place == RESUMED:
            self._resumed[version.model_dir].discard(key)
            if not self._resumed[version.model_dir]:
                del self._resumed[version.model_dir]
        if place == LATER:
            self._tries.remove((self._try_of.pop(key), key))

    def _forget(self, indexed: Indexed) -> None:
        """It is listed no more; its lanes are the caller's affair."""
        for number, place in enumerate(indexed.places):
            if place in QUEUED:
                self._unnote(indexed, indexed.versions[number], place)

    def _version(self, key: Key) -> ListedVersion:
        indexed = self._models[key[0]]
        return indexed.versions[indexed.numbers[key[1]]]
