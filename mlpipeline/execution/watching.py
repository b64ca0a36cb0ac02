"""A run that is going on, followed through the files in its folder."""

from __future__ import annotations

from collections.abc import Iterator

from mlpipeline.core.launch import Progress
from mlpipeline.core.listening import Launched
from mlpipeline.core.runs import Run
from mlpipeline.execution.executors.base import Handle
from mlpipeline.state.files import read_record
from mlpipeline.state.layout import RunFolder
from mlpipeline.state.tail import LineTail

LAST_WORDS = 1 << 20  # bytes of a run's output that are shown after its end


class WatchedRun:
    """A run with its handle, and what it has said since the last look.

    ``launched`` is None for a run that an earlier session started; what it said before that session
    ended is not told again.
    """

    def __init__(self, run: Run, handle: Handle, folder: RunFolder, launched: Launched | None):
        self.run = run
        self.handle = handle
        self.launched = launched
        self.folder = folder
        self._console = LineTail(folder.console, from_end=launched is None)
        self._messages = LineTail(folder.messages, from_end=launched is None)
        self._progress = Progress()

    def printed(self, *, to_the_end: bool = False) -> Iterator[list[str]]:
        """New lines on its console, in batches; ``to_the_end`` when nobody writes any more.

        Of a flood that nobody could read, only the end.
        """
        if not to_the_end:
            yield self._console.read()
            return
        if skipped := self._console.skip(LAST_WORDS):
            yield [f"[{skipped:,} bytes left out here; they are in {self.folder.console.name}]"]
        yield from self._console.rest()

    def logged(self, *, to_the_end: bool = False) -> Iterator[list[str]]:
        """New lines for the log, in batches."""
        if to_the_end:
            yield from self._messages.rest()
        else:
            yield self._messages.read()

    def new_progress(self) -> Progress | None:
        """How far it is, None when that is not new."""
        progress = read_record(self.folder.progress, Progress)
        if progress is None or progress == self._progress:
            return None
        self._progress = progress
        return progress
