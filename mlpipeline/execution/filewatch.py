"""Hearing of saved files at once, by what the system offers for that (watchdog chooses it)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from mlpipeline.core.model_files import SUFFIXES
from mlpipeline.state.layout import LIST, TEST_LIST, Layout

# Not of files that are only read, as our own look at them would be.
HEARD: list[type[events.FileSystemEvent]] = [
    events.DirCreatedEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
    events.FileClosedEvent,
    events.FileCreatedEvent,
    events.FileDeletedEvent,
    events.FileModifiedEvent,
    events.FileMovedEvent,
]


class FileWatch(events.FileSystemEventHandler):
    """Calls back, in a thread of its own, when lists, scripts, configs or requests change.

    ``works`` is False where the system can't tell (no inotify left, say): then look yourself. It
    never hears of what another machine does in a shared folder.
    """

    def __init__(self, layout: Layout, call: Callable[[], None]):
        self._layout = layout
        self._call = call
        self._covered: dict[Path, ObservedWatch] = {}
        self._observer: BaseObserver | None = None
        self.works = True
        try:
            self._observer = Observer()
            self._observer.start()
            self._cover(self._observer)
        except OSError:
            self.works = False

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        """Call back, unless it is a file that a run writes, perhaps a thousand times a second."""
        if event.is_directory and self._observer:
            try:
                if not isinstance(event, events.DirCreatedEvent):  # its watch is gone, or elsewhere
                    self._uncover(self._observer, Path(os.fsdecode(event.src_path)))
                self._cover(self._observer)
            except OSError:
                self.works = False
        if any(self._matters(Path(os.fsdecode(x))) for x in (event.src_path, event.dest_path)):
            self._call()

    def close(self) -> None:
        """Stop listening."""
        if self._observer and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def _matters(self, path: Path) -> bool:
        is_list = path.name in (LIST, TEST_LIST)
        return is_list or path.suffix in SUFFIXES or path.parent == self._layout.requests

    def _uncover(self, observer: BaseObserver, folder: Path) -> None:
        watch = self._covered.pop(folder, None)
        if watch:
            with suppress(KeyError, OSError):
                observer.unschedule(watch)

    def _cover(self, observer: BaseObserver) -> None:
        """Hear of changes in exactly the folders where those files may lie."""
        wanted = set(_folders(self._layout))
        for folder in self._covered.keys() - wanted:
            self._uncover(observer, folder)
        for folder in wanted - self._covered.keys():
            with suppress(FileNotFoundError):  # it is gone already
                watch = observer.schedule(self, str(folder), event_filter=HEARD)
                self._covered[folder] = watch


def _folders(layout: Layout) -> Iterator[Path]:
    yield from (layout.project, layout.requests, layout.models_dir)
    for folder, below, _ in os.walk(layout.models_dir):
        if Path(folder) == layout.models_dir:
            below[:] = [name for name in below if name != layout.outputs.name]
        below[:] = [name for name in below if not name.startswith((".", "__"))]
        yield from (Path(folder) / name for name in below)
