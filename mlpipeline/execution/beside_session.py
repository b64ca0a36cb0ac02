"""What a view takes from the session that is at work, rather than open scripts itself."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from mlpipeline.execution.findings import Files, Findings, Memory


class BesideSession:
    """Reads what a session remembers of scripts."""

    def __init__(self, models_dir: Path, memory: Memory, timeout: float):
        """``timeout``: seconds that the session may take for a script."""
        self.changed_at: float | None = None
        """Since when the session looks at what it had not known before, if there is one (seconds
        since the epoch).
        """
        self._models_dir = models_dir
        self._memory = memory
        self._timeout = timeout

    def look(
        self, path: str, known: Findings | None, text: str, files: Files
    ) -> tuple[Findings | None, bool] | None:
        """The newest that is known of a script, and whether the session is just looking at it.

        ``text`` is what the list says behind its name.
        None where it does not seem to: it may be busy with its end, or have no room for what it
        finds.
        """
        if self.changed_at is None:
            return None
        is_known = known and known.holds_for(text) and not (known.problem or known.is_racy)
        if is_known and known and files.are(known.files):
            return known, False
        found = self._memory.recall(path)
        if found and not found.holds_for(text):
            found = None
        # Of a script that ended its inspection nothing is known but how it looked from outside.
        if found and (files.have(found) or (found.problem and files.are(found.files))):
            return found, False
        newest = self.changed_at
        for each in (self._models_dir / path, *(found.files if found else ())):
            with suppress(OSError):
                newest = max(newest, Path(each).stat().st_ctime)
        if abs(time.time() - newest) >= self._timeout:
            return None
        return (None if found and found.problem else found), True
