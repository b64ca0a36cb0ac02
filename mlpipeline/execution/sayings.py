"""Metrics that a program prints, or says by ``mlpipeline.log_metrics``; stage two."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlpipeline.execution.reporter import FolderReporter


class Sayings:
    def __init__(self, folder: str, metrics: Mapping[str, str], reporter: FolderReporter):
        pass

    def look(self) -> None:
        pass

    def finish(self) -> None:
        pass
