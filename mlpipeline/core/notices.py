"""What is sent to a person: the words for each occasion, and how many of them become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from mlpipeline.core.bests import Best
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.runs import Run
from mlpipeline.core.wording import duration, shortened

TEST = "test"  # the event of a message that is sent to see whether it arrives
HELD = "held"  # the kind of a message of the event FAILED that is about no run
COUNTED = {  # by kind
    "failed": ("run failed", "runs failed"),
    HELD: ("version is held", "versions are held"),
    "best": ("new best", "new bests"),
}
SHOWN = 3  # of the messages that are sent as one
LONGEST_TITLE = 200  # characters
LONGEST_LINE = 400  # characters of a line of a log
MOST_BYTES = 16_000  # of one variable or message; Linux takes 131 072 (execve(2))


class Occasion(StrEnum):
    """When something is sent."""

    FAILED = "failed"  # a run ended, neither well nor because it was asked to
    EMPTY = "empty"  # nothing is left to be run
    BEST = "best"  # a run is better than all of its model before it


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    event: str  # an Occasion, or TEST
    title: str  # one line
    message: str  # with the title's news, and the end of the log
    log: str = ""  # the last lines that the run printed
    run: Run | None = None

    @property
    def kind(self) -> str:
        """What it is counted as, where several become one."""
        is_held = self.event == Occasion.FAILED and self.run is None
        return HELD if is_held else str(self.event)


def failed(run: Run, log: Sequence[str]) -> Notice:
    """``run`` failed; ``log`` are its last lines."""
    title = f"{run.id} {run.verdict}"
    return _of_run(Occasion.FAILED, run, title, f"on {run.host}, {_after(run)}", log)


def held(rehearsal: Rehearsed) -> Notice:
    """A version is held, since its rehearsal failed."""
    title = f"{rehearsal.model}/{rehearsal.version} is held: its rehearsal {rehearsal.problem}"
    return Notice(event=Occasion.FAILED, title=_title(title), message=_fitting(title))


def best(found: Best, log: Sequence[str]) -> Notice:
    """A run is a new best; ``log`` are its last lines."""
    run = found.run
    title = f"{run.id} is the best: {found.metric} {found.value:.5g}"
    news = f"{found.previous.id} had {found.previous_value:.5g}; on {run.host}, {_after(run)}"
    return _of_run(Occasion.BEST, run, title, news, log)


def empty(project: str, digest: str) -> Notice:
    """The queue of ``project`` is empty."""
    title = _title(f"{project}: the queue is empty")
    return Notice(event=Occasion.EMPTY, title=title, message=_fitting(digest or title))


def test_message(project: str) -> Notice:
    """Something to send when nothing happened."""
    title = _title(f"{project}: a test message of mlpipeline")
    return Notice(event=TEST, title=title, message=title)


def together(first: Sequence[Notice], kinds: Mapping[str, int], project: str) -> Notice:
    """Messages of one event, of which ``first`` are the first ones, as one.

    ``kinds``: how many there are of each kind. Of empty queues, only the newest is news: ``first``
    is that one alone.
    """
    told, count = first[0], sum(kinds.values())
    if count == 1 or told.event == Occasion.EMPTY:
        return told
    what = ", ".join(f"{number} {COUNTED[kind][number > 1]}" for kind, number in kinds.items())
    lines = [notice.title for notice in first]
    if count > len(first):
        lines.append(f"… and {count - len(first)} more")
    if told.log:
        lines += ["", f"the first one's log, {told.run.id if told.run else ''}:", told.log]
    return msgspec.structs.replace(
        told,
        title=_title(f"{project}: {what}"),
        message=_fitting("\n".join(lines)),
    )


def variables(notice: Notice, *, project: str, host: str) -> dict[str, str]:
    """The environment that a command gets; what does not apply is empty."""
    run = notice.run
    verdict = run.verdict if run else None
    values = {
        "MLP_EVENT": str(notice.event),
        "MLP_TITLE": notice.title,
        "MLP_MESSAGE": notice.message,
        "MLP_LOG": notice.log,
        "MLP_PROJECT": project,
        "MLP_HOST": run.host if run else host,
        "MLP_RUN": str(run.id) if run else "",
        "MLP_MODEL": run.id.model if run else "",
        "MLP_VERSION": run.id.version if run else "",
        "MLP_ATTEMPT": str(run.id.attempt) if run else "",
        "MLP_OUTCOME": verdict.outcome.value if verdict else "",
        "MLP_REASON": verdict.reason if verdict else "",
    }
    return {name: _fitting(value) for name, value in values.items()}


def _of_run(event: Occasion, run: Run, title: str, news: str, log: Sequence[str]) -> Notice:
    lines = _fitting("\n".join(shortened(line, LONGEST_LINE) for line in log))
    title = _title(title)
    message = f"{title}\n{news}" + (f"\n\nlast lines of its log:\n{lines}" if lines else "")
    return Notice(event=event, title=title, message=_fitting(message), log=lines, run=run)


def _title(text: str) -> str:
    return shortened(" ".join(_fitting(text).split()), LONGEST_TITLE)


def _after(run: Run) -> str:
    return f"after {duration(run.seconds or 0)}"


def _fitting(text: str) -> str:
    """``text`` in printable characters and at most MOST_BYTES of UTF-8; what is too long lacks its
    middle, since the news comes first and a log's last lines matter most.
    """
    clean = "".join(x if x.isprintable() or x in "\n\t" else " " for x in text)
    raw = clean.encode("utf-8", "replace")
    if len(raw) <= MOST_BYTES:
        return raw.decode()
    head, tail = raw[: MOST_BYTES // 4], raw[-(MOST_BYTES * 3 // 4 - 10) :]
    return f"{head.decode('utf-8', 'ignore')}\n…\n{tail.decode('utf-8', 'ignore')}"
