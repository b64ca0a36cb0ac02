"""What a session says about the list and the queue: each thing when it is new, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from mlpipeline.core.agenda import Outlook, Skips
from mlpipeline.core.changes import changes
from mlpipeline.core.digest import digest, told
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel
from mlpipeline.core.listening import Audience, Level
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.slots import Host
from mlpipeline.core.stages import told_apart
from mlpipeline.core.standings import Standing, fate
from mlpipeline.execution.listing import Listed
from mlpipeline.state.notify_config import Notify

NAMED = 5  # versions that are skipped
Explain = Callable[[Sequence[ListedModel]], list[Standing]]


class Bulletin:
    """Remembers what the audience knows already."""

    def __init__(
        self,
        audience: Audience,
        list_name: str,
        explain: Explain,
        now: Callable[[], datetime],
        *,
        notify: Notify | None = None,
    ):
        """``explain``: where the versions of some models stand at this moment.

        ``notify``: how those want to hear who are told when the queue is empty; None: nobody is.
        """
        self._notify = notify
        self._audience = audience
        self._list = list_name
        self._explain = explain
        self._now = now
        self._problems: tuple[str, ...] = ()
        self._models: tuple[ListedModel, ...] | None = None  # None before the first reading
        self._awaited: frozenset[str] = frozenset()  # scripts that were not known by then
        self._paused = False
        self._ended = 0  # runs, when the queue was empty last
        self._emptied_at = now()
        self.idle = ""  # why nothing runs and nothing starts
        self._told_idle = ""  # what people were told of that
        self.lack = ""  # of room on the disk
        self.unready: str | None = None  # what starts wait for, as executors say

    def warn(self, warnings: Iterable[str]) -> None:
        """What is odd."""
        for warning in warnings:
            self._audience.say_once(Level.WARNING, warning)

    def of_list(self, listed: Listed, *, in_use: bool) -> None:
        """What is wrong with the list and its scripts, and what an edit changes about the queue.

        ``in_use``: there is an earlier list, which stays in use where this one can't be.
        """
        if listed.settled:
            self._tell_problems(listed, in_use=in_use)
            self._tell_changes(listed)
        for model in listed.models:
            if model.problem:
                self._audience.say_once(Level.ERROR, f"{model.problem}\n{model.traceback}".rstrip())

    def of_rehearsal(self, note: Rehearsed, traceback: str) -> None:
        """What came of a rehearsal."""
        name = f"{note.model}/{note.version}"
        if note.problem:
            text = f"{name} is held, since its rehearsal {note.problem}\n{traceback}"
            self._audience.say(Level.ERROR, text.rstrip())
            self._audience.held(note)
        else:
            self._audience.say(Level.INFO, f"{name} is rehearsed")

    def of_skips(self, skips: Iterable[Skips]) -> None:
        """What is skipped, since it comes after something that is not to be had."""
        for each in skips:
            root = each.root
            beside = root.version.name if root.version else ""
            names = ", ".join(told_apart(name, beside) for name in each.names[:NAMED])
            more = len(each.names) - NAMED
            rest = f" and {more} more" if more > 0 else ""
            text = (
                f"{root.model.name}/{fate(root)}, so what comes after it is skipped: {names}{rest}"
            )
            self._audience.say(Level.WARNING, text)

    def of_room(self, lack: str) -> None:
        """Why there is no room on the disk; empty when there is."""
        if bool(lack) != bool(self.lack):
            self._audience.say(Level.WARNING, lack or "there is room again: going on")
        self.lack = lack

    def why_wait(self, ahead: Outlook, host: Host) -> str:
        """Why nothing starts of what is queued, where that passes; empty where it does not."""
        if ahead.queued and self._paused:
            return f"is paused with {ahead.queued} queued: `mlpipeline resume` goes on"
        if ahead.queued and self.lack:
            return "waits for room on the disk"
        if ahead.queued and self.unready:
            return f"waits for the import of {self.unready}, as preload says"
        if host.busy and ahead.lacks:
            return f"waits for {ahead.lacks}: others use the rest"
        return f"waits until {ahead.next_try:%H:%M:%S} to try again" if ahead.next_try else ""

    def of_idling(self, why: str, *, for_a_moment: bool = False) -> None:
        """Why nothing runs and nothing starts; empty when it does, or when that is not known
        ``for_a_moment``, after which the same is not told again.
        """
        self.idle = why
        if why != self._told_idle and not for_a_moment:
            self._told_idle = why
            self._audience.idle(why)

    def of_emptiness(self, ledger: Ledger, listed: Listed, ended: int) -> None:
        """The queue has been worked off, and so many runs have ``ended`` in this session."""
        if self._notify and ended > self._ended:  # it takes a look at all that there is
            found = digest(
                ledger,
                self._explain(listed.models),
                since=self._emptied_at,
                now=self._now(),
                metric=self._notify.metric or None,
            )
            self._ended, self._emptied_at = ended, found.until
            self._audience.emptied("\n".join(told(found)))

    def _tell_problems(self, listed: Listed, *, in_use: bool) -> None:
        if listed.problems == self._problems:
            return
        for problem in listed.problems if in_use else ():
            self._audience.say(Level.ERROR, f"{problem} (until then the list stays as it was)")
        if listed.unknown and in_use:
            before, after = self._explain(listed.models), self._explain(listed.proposed)
            answer = changes(before, after, listed.unknown)
            self._audience.say(Level.ERROR, f"{self._list}: not taken: {answer}")
        if not listed.problems:
            self._audience.say(Level.INFO, "the list is in use again")
        self._problems = listed.problems

    def _tell_changes(self, listed: Listed) -> None:
        before, self._models = self._models, listed.models
        was_paused, self._paused = self._paused, listed.paused
        if before is None:
            self._awaited = listed.pending
            return
        late = self._awaited - listed.pending  # what they have is no edit's doing
        self._awaited -= late
        known = [model for model in listed.models if model.path not in late]
        if listed.paused != was_paused:
            pause = "paused; what runs comes to its end" if listed.paused else "no longer paused"
            self._audience.say(Level.INFO, f"{self._list}: {pause}")
        if not _asks_the_same(before, known):
            answer = changes(self._explain(before), self._explain(listed.models))
            self._audience.say(Level.INFO, f"{self._list}: {answer}")


def _asks_the_same(before: Sequence[ListedModel], after: Sequence[ListedModel]) -> bool:
    """Whether two lists ask for the same, whatever has become of it."""
    return len(before) == len(after) and all(
        one is other
        or (
            (one.name, one.priority) == (other.name, other.priority)
            and (one.versions is other.versions or _signatures(one) == _signatures(other))
        )
        for one, other in zip(before, after, strict=True)
    )


def _signatures(model: ListedModel) -> list[str]:
    return [version.signature for version in model.versions]
