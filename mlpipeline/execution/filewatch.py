"""Hearing of saved files at once, by what the system offers for that (watchdog chooses it)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from mlpipeline.state.layout import Layout
from mlpipeline.state.lists import python_files

# Not of files that are only read, as our own look at them would be.
HEARD: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class FileWatch(FileSystemEventHandler):
    """Calls back, in a thread of its own, when something in some folders changes.

    ``works`` is False where the system can't tell (no inotify left, say): then look yourself. It
    never hears of what another machine does in a shared folder.
    """

    def __init__(self, folders: Callable[[], Iterable[Path]], call: Callable[[], None]):
        """``folders`` says which, without those below; asked again when one is made in them."""
        self._folders = folders
        self._call = call
        self._covered: set[Path] = set()
        self._observer: BaseObserver | None = None
        self.works = True
        try:
            self._observer = Observer()
            self._observer.start()
            self._cover()
        except OSError:
            self.works = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Something changed."""
        if isinstance(event, DirCreatedEvent):
            try:
                self._cover()
            except OSError:
                self.works = False
        self._call()

    def close(self) -> None:
        """Stop listening."""
        if self._observer and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def _cover(self) -> None:
        assert self._observer is not None
        for folder in set(self._folders()) - self._covered:
            with suppress(FileNotFoundError):  # it is gone already
                self._observer.schedule(self, str(folder), event_filter=HEARD)
                self._covered.add(folder)


def watched_folders(layout: Layout) -> list[Path]:
    """Where lists, model scripts and requests lie."""
    folders = [layout.project, layout.requests, layout.models_dir]
    folders += {(layout.models_dir / path).parent for path in python_files(layout.models_dir)}
    return folders
