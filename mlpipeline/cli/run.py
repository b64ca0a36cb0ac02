"""``mlpipeline`` and ``mlpipeline -r``: one session, with what it shows and its exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mlpipeline.cli.screen import PlainScreen, Screen
from mlpipeline.core.sessions import Result
from mlpipeline.service import sessions
from mlpipeline.service.project import open_project

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(folder: Path, *, execute: bool, unattended: bool, log: bool) -> int:
    """Run a session of the project in ``folder`` and return the exit code."""
    project = open_project(folder)
    slots = project.settings.parallel if execute else 1
    screen = _screen(test=not execute, show_output=slots == 1)
    session = (
        sessions.execution(project, screen, unattended=unattended, log=log)
        if execute
        else sessions.rehearsal(project, screen)
    )
    with session as scheduler, _stopping(scheduler.ask_to_stop), screen:
        result = scheduler.run()
    screen.summary(result, project.layout.output if execute else None)
    return _exit_code(result)


def _screen(*, test: bool, show_output: bool) -> Screen:
    """The screen that fits where standard output goes."""
    if not sys.stdout.isatty():
        return PlainScreen(test=test, show_output=show_output)
    from mlpipeline.cli.live import LiveScreen  # rich's live parts are for terminals alone

    return LiveScreen(test=test, show_output=show_output)


def _exit_code(result: Result) -> int:
    if result.signal is not None:
        return 128 + result.signal
    return 1 if result.failed else 0


@contextmanager
def _stopping(ask_to_stop: Callable[[int], None]) -> Iterator[None]:
    """Hand the signals that end a session to ``ask_to_stop``."""

    def handle(number: int, _: FrameType | None) -> None:
        ask_to_stop(number)

    # What our caller has us ignore stays so: SIGHUP under nohup, SIGINT in a script's background.
    heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
