"""A run that is going on, followed through the files in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mlpipeline.core.judging import judge
from mlpipeline.core.launch import Progress
from mlpipeline.core.listening import Audience, Launched
from mlpipeline.core.runs import Finished, Run
from mlpipeline.execution.executors.base import Gone, Handle
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
            yield [f"[{skipped:,} bytes left out here: see {self.folder.console.name}]"]
        yield from self._console.rest()

    def logged(self, *, to_the_end: bool = False) -> Iterator[list[str]]:
        """New lines for the log, in batches."""
        if to_the_end:
            yield from self._messages.rest()
        else:
            yield self._messages.read()

    def tell(self, audience: Audience, *, to_the_end: bool = False) -> None:
        """Pass on what the run has said since the last look."""
        if audience.shows_output:
            for lines in filter(None, self.printed(to_the_end=to_the_end)):
                audience.printed(self.run, lines)
        for lines in filter(None, self.logged(to_the_end=to_the_end)):
            audience.logged(self.run, lines)
        if progress := self.new_progress():
            audience.progressed(self.run, progress)

    def finished(self, gone: Gone, now: datetime) -> Finished:
        """The last event of the run, of which only ``gone`` is left."""
        run, report = self.run, gone.report
        verdict = judge(
            gone.exit,
            report,
            stopping_at=run.stopping_at,
            stopping_why=run.stopping_why,
            began=gone.began,
        )
        return Finished(
            at=now,
            run=run.id,
            outcome=verdict.outcome,
            reason=verdict.reason,
            ended_at=gone.exit.ended_at if gone.exit else gone.last_sign or now,
            prepared=gone.prepared,
            steps=report.steps if report else None,
            results=report.results if report else {},
        )

    def new_progress(self) -> Progress | None:
        """How far it is, None when that is not new."""
        progress = read_record(self.folder.progress, Progress)
        if progress is None or progress == self._progress:
            return None
        self._progress = progress
        return progress
