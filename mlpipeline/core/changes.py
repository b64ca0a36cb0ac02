"""What an edit of the list, or of a script, changes about the queue."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlpipeline.core.standings import Standing, State


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between two states of the queue; runs by their names without attempts."""

    starts: tuple[str, ...] = ()  # queued now, and not before
    drops: tuple[str, ...] = ()  # queued before, and not listed now
    runs_on: tuple[str, ...] = ()  # not listed any more, but running: they come to their end
    skips: dict[str, str] = {}  # newly skipped, for what became of something before it: the reasons
    unknown: tuple[str, ...] = ()  # versions in the list that no model has
    reordered: bool = False  # what is queued in both starts in another order

    def __bool__(self) -> bool:
        return self != Changes()

    def __str__(self) -> str:
        counts = [("starts", self.starts), ("drops", self.drops)]
        words = [f"{verb} {len(names)}" for verb, names in counts if names]
        if self.skips:
            words.append(f"skips {len(self.skips)} ({next(iter(self.skips.values()))})")
        if self.runs_on:
            words.append(f"lets {', '.join(self.runs_on)} run on")
        if self.reordered:
            words.append("changes the order")
        if self.unknown:
            words.append(f"unknown: {', '.join(self.unknown)}")
        return ", ".join(words) or "changes nothing"


def changes(
    before: Sequence[Standing], after: Sequence[Standing], unknown: Sequence[str] = ()
) -> Changes:
    """What becomes of the queue ``before`` when it is as ``after``."""
    queued_before, queued = _named(before, State.QUEUED), _named(after, State.QUEUED)
    listed, skipped_before = _named(after), _skipped(before)
    kept_before = [name for name in queued_before if name in queued]
    return Changes(
        starts=tuple(name for name in queued if name not in queued_before),
        drops=tuple(name for name in queued_before if name not in listed),
        runs_on=tuple(name for name in _named(before, State.RUNNING) if name not in listed),
        skips={name: why for name, why in _skipped(after).items() if name not in skipped_before},
        unknown=tuple(unknown),
        reordered=kept_before != [name for name in queued if name in queued_before],
    )


def _named(standings: Sequence[Standing], *states: State) -> dict[str, None]:
    """The names of those in ``states`` (default: all), in their order."""
    return {
        f"{standing.model.name}/{standing.version.name}": None
        for standing in standings
        if standing.version and (not states or standing.state in states)
    }


def _skipped(standings: Sequence[Standing]) -> dict[str, str]:
    """What is skipped for something that it comes after, with the reasons."""
    return {
        f"{standing.model.name}/{standing.version.name}": standing.reason
        for standing in standings
        if standing.state is State.SKIPPED and standing.behind and standing.version
    }
