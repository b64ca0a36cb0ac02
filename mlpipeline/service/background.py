"""A session in the background: its command line, and starting it without a terminal."""

from __future__ import annotations

import subprocess
import sys
import time

import msgspec

from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service.project import Project, listing, set_umask
from mlpipeline.state.files import storage
from mlpipeline.state.layout import LIST
from mlpipeline.state.lock import holder_of, taken
from mlpipeline.state.session import read_session

POLL_INTERVAL = 0.05  # seconds
PATIENCE = 60.0  # seconds that a session has to take the project
LAST_WORDS = 8192  # bytes of what it said that are shown when it died


class Background(msgspec.Struct, frozen=True, kw_only=True):
    """What came of starting a session in the background."""

    pid: int
    project: str  # its folder
    log: str  # the file with what the process prints
    exit_code: int | None = None  # when it ended at once; null: it works
    printed: str = ""  # what it printed before it ended


def command_line(project: Project, *arguments: str) -> list[str]:
    """The command ``mlpipeline -C PROJECT`` with this very Python, from any folder.

    -P: what lies in the working directory must not pass for a module of Python's.
    """
    folder = str(project.layout.project)
    return [sys.executable, "-P", "-m", "mlpipeline", "-C", folder, *arguments]


def daemon_arguments(
    *, log: bool = True, rehearse: bool = False, parallel: str | None = None
) -> list[str]:
    """What makes ``mlpipeline`` a session that stays."""
    options = ["-r", "-u", "--watch", "--quiet"]
    slots = [] if parallel is None else ["--parallel", parallel]
    return options + ["--no-log"] * (not log) + ["--rehearse"] * rehearse + slots


def start(
    project: Project, *, log: bool = True, rehearse: bool = False, parallel: str | None = None
) -> Background:
    """Start a session in the background, and wait until it has the project or has ended.

    Raises ProjectBusy when there is one on this host already, MlpipelineError when the list can't
    be used, StorageError when the outputs can't be written.
    """
    layout = project.layout
    if problems := listing(project, LIST).refresh().problems:
        raise MlpipelineError("\n".join(problems))
    set_umask(project.settings.shared)
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    if pid := holder_of(layout.lock):
        raise taken(pid)
    with (
        storage(f"{layout.daemon_log} can't be written"),
        layout.daemon_log.open("ab") as output,
    ):
        said_from = output.tell()
        process = subprocess.Popen(
            command_line(project, *daemon_arguments(log=log, rehearse=rehearse, parallel=parallel)),
            cwd=layout.project,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    told = Background(pid=process.pid, project=str(layout.project), log=str(layout.daemon_log))
    deadline = time.monotonic() + PATIENCE
    while not _has_begun(project, process.pid):
        if process.poll() is not None:
            return msgspec.structs.replace(
                told, exit_code=_exit_code(process.returncode), printed=_printed(project, said_from)
            )
        if time.monotonic() > deadline:
            raise MlpipelineError(
                f"pid {process.pid} has not begun after {PATIENCE:g} s; it goes on, and says "
                f"in {short(layout.daemon_log)} what it does"
            )
        time.sleep(POLL_INTERVAL)
    process.returncode = 0  # it is no child to be waited for: it outlives us
    return told


def _has_begun(project: Project, pid: int) -> bool:
    """Whether the session has all it needs: the project, its history, its executor."""
    session = read_session(project.layout)
    known = session is not None and session.pid == pid
    return known and holder_of(project.layout.lock) == str(pid)


def _printed(project: Project, start: int) -> str:
    """The end of what the process printed, of what stands from ``start`` on in its log."""
    with (
        storage(f"{project.layout.daemon_log} can't be read"),
        project.layout.daemon_log.open("rb") as file,
    ):
        file.seek(start)
        return file.read()[-LAST_WORDS:].decode("utf-8", "replace").strip()


def _exit_code(returncode: int) -> int:
    """As a shell has it: 128 and the signal's number."""
    return 128 - returncode if returncode < 0 else returncode
