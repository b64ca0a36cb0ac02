"""Reads the list again and again, in a thread, and knows when there is no need to.

A full reading takes the longer, the more is listed: there is one every second. Between two runs a
few calls of ``stat`` tell whether the newest one still holds: of the list, and of the files of each
model of which something is about to start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from enum import Enum

from mlpipeline.core.listed import ListedModel
from mlpipeline.execution.findings import stamp_of
from mlpipeline.execution.listing import Listed

REFRESH = timedelta(seconds=1)
AGAIN = timedelta(seconds=0.05)  # between two looks at a list that is being edited


class _Next(Enum):
    """What is to be made of the newest reading, or of the one that goes on."""

    USE = "it is to be acted on"
    REST = "nothing: it has been acted on, or does not settle anything"
    DROP = "nothing, whatever it says: only what is begun to be read from now on counts"


class ListReader:
    """Reads the list in a thread, since importing a script may take its time.

    ``listed`` is the newest reading.
    """

    def __init__(
        self,
        read: Callable[[], Listed],
        tell: Callable[[Listed], None],
        wake: Callable[[], None],
        *,
        refresh: timedelta = REFRESH,
    ):
        """``tell`` is called, from :meth:`is_new`, with each reading; ``wake`` when one is done.

        ``refresh``: between two looks at the list while nothing asks for one.
        """
        self._refresh = refresh
        self.listed = Listed()
        self._read = read
        self._tell = tell
        self._wake = wake
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="list")
        self._reading: Future[Listed] | None = None
        # Monotonic seconds: when the newest reading, and the newest that is done, were begun; and
        # since when there may be something new on the disk.
        self._begun_at = self._read_at = self._noticed_at = float("-inf")
        self._asked_at = 0.0
        self._next = _Next.DROP
        self._is_asked = False  # to have it acted on once more
        self._is_hastened = False  # the next reading need not wait for its time

    def ask(self) -> None:
        """``listed`` is to be acted on once more, if it still holds, or else what is read then."""
        self._asked_at = time.monotonic()
        self._is_asked = True

    def outdate(self) -> None:
        """What is read, or is being read just now, is not to be acted on, but what is read next."""
        self._asked_at = time.monotonic()
        self._next, self._is_asked = _Next.DROP, False
        if self._reading is None and self._is_due():
            self._begin()

    def hasten(self) -> None:
        """Something may have changed: the next reading is due, whatever is made of this one."""
        self._noticed_at = time.monotonic()
        self._is_hastened = True

    def is_new(self) -> bool:
        """Whether ``listed`` is to be acted on; until :meth:`use` is called.

        That is, whether it has been read since it was outdated or last used, or it was asked for
        and holds. If not, and it is time to, the list begins to be read.
        """
        if self._reading is not None and self._reading.done():
            self.listed, self._reading = self._reading.result(), None
            self._read_at = self._begun_at
            if self._next is not _Next.DROP:
                self._next = _Next.USE if self.listed.settled else _Next.REST
            self._tell(self.listed)
            if self._is_asked and self._next is _Next.USE and not self.listed.still_holds():
                self.outdate()
        elif self._is_asked and self._next is not _Next.USE:
            self._check()
        if self._reading is None and self._next is not _Next.USE and self._is_due():
            self._begin()
        return self._next is _Next.USE

    @property
    def is_fresh(self) -> bool:
        """Whether ``listed`` was read, and not only found to hold, since it was last asked for."""
        return self._read_at >= self._asked_at

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is being read, and nothing half written was."""
        return self._reading is None and self.listed.settled

    def holds_for(self, model: ListedModel) -> bool:
        """Whether the files that were read for ``model`` have not been touched since; if they have,
        ``listed`` is outdated.
        """
        if any(stamp_of(path) != stamp for path, stamp in model.files.items()):
            self.outdate()
            return False
        return True

    def use(self) -> None:
        """``listed`` has been acted on."""
        self._is_asked = False
        if self._next is _Next.USE:
            self._next = _Next.REST

    def close(self) -> None:
        """Wait for what is being read."""
        self._thread.shutdown()

    def _check(self) -> None:
        """Whether what is asked for can be had without a reading."""
        if self._next is _Next.DROP or not self.listed.still_holds():
            self.outdate()
        elif self._is_recent():
            self._next = _Next.USE
        elif self._reading is None:
            self._is_hastened = True

    def _is_recent(self) -> bool:
        """Whether nothing else can have changed for long: there is a reading every second, and
        that may take a moment.
        """
        oldest = time.monotonic() - 2 * self._refresh.total_seconds()
        return self._read_at >= max(oldest, self._noticed_at)

    def _is_due(self) -> bool:
        pause = self._refresh if self.listed.settled else AGAIN
        waited = time.monotonic() - self._begun_at >= pause.total_seconds()
        return waited or self._is_hastened or (self._next is _Next.DROP and self.listed.settled)

    def _begin(self) -> None:
        self._next, self._is_hastened = _Next.REST, False
        self._begun_at = time.monotonic()
        self._reading = self._thread.submit(self._read)
        self._reading.add_done_callback(lambda _: self._wake())
