"""How a host's newest session was started, for views that want to know what it does."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from mlpipeline.core.runs import Moment
from mlpipeline.state.files import read_record, write_whole
from mlpipeline.state.layout import Layout


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """``session-<hostname>.json``; it stays when the session is over."""

    name: str  # as the history has it
    pid: int
    started_at: Moment
    unattended: bool
    watch: bool = False
    rehearse: bool = False
    parallel: int = 0  # runs at a time; 0: an earlier program did not say
    only: tuple[str, ...] = ()  # names of the models that it is for; empty: all that are listed


def write_session(layout: Layout, session: Session) -> None:
    """Put it down; where the disk refuses it, views know less of the session."""
    with suppress(OSError):
        write_whole(layout.session, msgspec.json.encode(session))


def read_session(layout: Layout) -> Session | None:
    """The newest session of this host, if one is known."""
    return read_record(layout.session, Session)
