"""What a run printed, and goes on printing."""

from __future__ import annotations

from pathlib import Path

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.runs import Run
from mlpipeline.errors import StorageError
from mlpipeline.execution.executors.local import is_running
from mlpipeline.service import views
from mlpipeline.service.project import Project
from mlpipeline.state.holes import Log
from mlpipeline.state.journals import Journals


class Console:
    """The console of one run, looked at again and again."""

    def __init__(self, project: Project, name: str):
        """``name``: of the run; raises UnknownRun or AmbiguousName."""
        self.run, self._folder = views.find_run(project, name)
        self._host = project.layout.host
        self._ledger = Ledger()
        self._journals = Journals(project.layout, self._ledger)

    @property
    def path(self) -> Path:
        """Its file."""
        return self._folder.console

    def open(self, lines: int | None = None) -> Log:
        """What it printed, from its start or of its last ``lines``; more may be added.

        A line stands for what console_limit has left out.
        Raises StorageError where it printed nothing, since it never began.
        """
        try:
            log = Log(self.path)
        except FileNotFoundError:
            raise StorageError(f"{self.run.id} has no {self.path.name}: it never began") from None
        if lines is not None:
            log.start_at_last(lines)
        return log

    def is_over(self) -> bool:
        """Whether the run has ended by now, recorded or not.

        Of a run on another host, its folder tells; what was lost there, only the history, of which
        no more is read than is new.
        """
        if not self.run.active or self._folder.exit.exists():
            return True
        if self.run.host == self._host:
            return not is_running(str(self._folder.path))
        self._journals.read()
        return not self._known().active

    def _known(self) -> Run:
        return self._ledger.find(self.run.host, self.run.id) or self.run
