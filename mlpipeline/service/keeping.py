"""Seeing to it that a session is there for one model: that of the project, or one of its own."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress

from mlpipeline.core.judging import signal_name
from mlpipeline.core.wording import plural
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service.background import command_line
from mlpipeline.service.project import Project, set_umask
from mlpipeline.state.files import storage
from mlpipeline.state.lock import holder_of
from mlpipeline.state.requests import Widen, put
from mlpipeline.state.session import read_session

MOST = 4  # sessions that are started for one model, where they are killed
DONE = (0, 1)  # exit codes of a session that has worked off its queue, or was asked to leave it
BUSY = 3  # exit code of one that meets another
PARTING = 5.0  # seconds to wait for the end of a session that has nothing more to do
LAST_WORDS = 4096  # bytes of what it said that are shown where it could not work


class Keeper:
    """Has a session work on one model.

    One that is started here is for this model only. It stays as long as we may have more for it,
    and when we are gone, however that came, it works off what is left.
    """

    def __init__(self, project: Project, model: str, *, parallel: str | None = None):
        """``parallel``: runs at a time in a session started here; None: as mlp.config says."""
        self._project = project
        self._model = model
        self._parallel = parallel
        self._child: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._said_from = 0  # bytes in the log when the newest was started
        self._asked: set[str] = set()  # sessions that were asked to work on this, too

    @property
    def has_ended(self) -> bool:
        """Whether a session that was started here has ended, and nobody has asked what follows."""
        return self._child is not None and self._child.poll() is not None

    def check(self, left: int) -> list[str]:
        """See that a session works on the model, of which so many versions are ``left``.

        Returns what there is to say of it. Raises MlpipelineError where it was told to end, or none
        can work on this.
        """
        said = self._after_the_last(left) if self.has_ended else []
        layout = self._project.layout
        if holder_of(layout.lock):
            session = read_session(layout)
            is_for_others = session and session.only and self._model not in session.only
            if session and is_for_others and session.name not in self._asked:
                self._asked.add(session.name)
                put(layout, Widen((self._model,)))
        elif self._child is None:
            self._start()
        return said

    def stop(self) -> bool:
        """Have the session end that was started here, as Ctrl-C does; a second time, at once.

        Whether there is one.
        """
        if self._child is None or self._child.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGINT)
        return True

    def wait(self) -> None:
        """Until the session has ended that was started here."""
        if self._child:
            self._child.wait()

    def part(self) -> None:
        """Wait a moment for its end, where it has nothing more to do; else let it go on."""
        if self._child is None:
            return
        if self._child.stdin:
            self._child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(PARTING)
        self._child.returncode = 0  # else it is complained of that it lives

    def _after_the_last(self, left: int) -> list[str]:
        """What to say of the end of the one that was started here; raises MlpipelineError."""
        assert self._child is not None
        if self._child.stdin:
            self._child.stdin.close()
        code, self._child = self._child.returncode, None
        if code == BUSY:
            return []
        if code < 0 and self._starts < MOST:
            return [f"the session was killed by {signal_name(-code)}; another one goes on"]
        if code < 0 or code in DONE or code > 128:
            raise MlpipelineError(
                f"the session has ended before its time, and {plural(left, 'job')} "
                f"{'is' if left == 1 else 'are'} left: the same command goes on with them"
            )
        raise MlpipelineError(self._last_words() or f"the session ended with exit code {code}")

    def _start(self) -> None:
        layout = self._project.layout
        options = ["-r", "-u", "--quiet", "--until-eof", "--only", self._model]
        if self._parallel is not None:
            options += ["--parallel", self._parallel]
        set_umask(self._project.settings.shared)
        with (
            storage(f"{layout.daemon_log} can't be written"),
            layout.daemon_log.open("ab") as output,
        ):
            self._said_from = output.tell()
            self._child = subprocess.Popen(
                command_line(self._project, *options),
                cwd=layout.project,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._starts += 1

    def _last_words(self) -> str:
        log = self._project.layout.daemon_log
        try:
            with log.open("rb") as file:
                file.seek(self._said_from)
                said = file.read()[-LAST_WORDS:].decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return said.removeprefix("mlpipeline: ") or f"the session ended; see {short(log)}"
