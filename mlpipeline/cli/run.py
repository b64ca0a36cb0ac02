"""``mlpipeline`` and ``mlpipeline -r``: one session, with what it shows and its exit code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType

import msgspec

from mlpipeline.cli.digest import greet
from mlpipeline.cli.jsonlines import JsonScreen
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.screen import PlainScreen, QuietScreen, Screen
from mlpipeline.cli.streams import is_terminal
from mlpipeline.core.sessions import Result
from mlpipeline.service import sessions
from mlpipeline.service.digests import note_look
from mlpipeline.service.lists import model_of
from mlpipeline.service.project import with_any_number, with_parallel

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for; the fields are the long options of ``mlpipeline``."""

    execute: bool  # -r
    unattended: bool = False
    watch: bool = False
    rehearse: bool = False
    quiet: bool = False
    no_log: bool = False
    as_json: bool = False
    yes: bool = False
    parallel: str | None = None  # runs at a time, or "auto"; None: as mlp.config says
    until_eof: bool = False  # stay until standard input has come to its end
    only: tuple[str, ...] = ()  # models that it is for, as a person names them; empty: all


def run(folder: Path, options: Options) -> int:
    """Run a session of the project in ``folder`` and return the exit code."""
    project = with_parallel(open_project(folder), options.parallel)
    if options.yes:
        project = with_any_number(project)
    slots = project.settings.parallel if options.execute else 1
    is_seen = options.execute and is_terminal() and not options.quiet and not options.as_json
    if is_seen and project.layout.outputs.is_dir():
        greet(project)
    screen = _screen(options, show_output=slots == 1)
    session = (
        sessions.execution(
            project,
            screen,
            unattended=options.unattended,
            log=not options.no_log,
            watch=options.watch,
            rehearse=options.rehearse,
            only=frozenset(map(model_of, options.only)),
        )
        if options.execute
        else sessions.rehearsal(project, screen)
    )
    with session as scheduler, _stopping(scheduler.ask_to_stop), screen:
        if options.until_eof:
            _stay_until_eof(scheduler.expect_more)
        result = scheduler.run()
    with suppress(OSError):  # the terminal is closed
        screen.summary(result, project.layout.output if options.execute else None)
    if is_seen and result.signal == signal.SIGINT:  # somebody sits there
        note_look(project, datetime.now().astimezone())
    return _exit_code(result)


def _screen(options: Options, *, show_output: bool) -> Screen:
    """The screen that fits where standard output goes."""
    test = not options.execute
    if options.as_json:
        return JsonScreen(test=test, show_output=show_output)
    if options.quiet:
        return QuietScreen(test=test, show_output=False)
    if not is_terminal():
        return PlainScreen(test=test, show_output=show_output)
    from mlpipeline.cli.live import LiveScreen  # rich's live parts are for terminals alone

    return LiveScreen(test=test, show_output=show_output)


def _exit_code(result: Result) -> int:
    if result.signal is not None:
        return 128 + result.signal
    return 1 if result.failed else 0


def _stay_until_eof(expect_more: Callable[[bool], None]) -> None:
    """Expect more as long as somebody holds our standard input open: till then there may be."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        expect_more(False)

    expect_more(True)
    threading.Thread(target=wait, daemon=True).start()


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
