"""Other hosts that share the folder: which are silent, and what it means to take one for lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from mlpipeline.core.runs import Fenced, RunId
from mlpipeline.errors import MlpipelineError
from mlpipeline.state.claims import Claims
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout

BEAT = 10.0  # seconds between two beats


class Hosts:
    """Renews this host's beat, listens for the others', and fences a host that is lost."""

    def __init__(
        self, layout: Layout, history: History, *, timeout: float, now: Callable[[], datetime]
    ):
        """``timeout``: seconds of silence after which a host is lost; 0: never by itself."""
        self._layout = layout
        self._history = history
        self._claims = Claims(layout)
        self._timeout = timeout
        self._now = now
        self._beaten_at = float("-inf")  # monotonic seconds: the clock may be set
        # By host: its last beat, and when that was new to us. Only our own clock is asked.
        self._heard: dict[str, tuple[str, float]] = {}

    def look(self) -> list[str]:
        """Renew the beat and take silent hosts for lost; returns what a person should hear."""
        now = time.monotonic()
        if now - self._beaten_at >= BEAT:
            self._claims.beat(self._now())
            self._beaten_at = now
        return list(self._lose_the_silent(now)) if self._timeout else []

    def lose(self, host: str) -> str:
        """Take ``host`` for lost: its runs end as lost here, and others may run their versions.

        Returns what was done. Raises MlpipelineError for this host, and for one that has nothing.
        """
        if host == self._layout.host:
            raise MlpipelineError(f"{host} is this host: its runs are watched, not lost")
        runs = dict.fromkeys(run.id for run in self._history.ledger.active(host))
        for claim in self._claims.of_host(host):
            if self._history.ledger.find(host, claim.run) is None:
                runs[claim.run] = None
        self._claims.release_all_model_dirs(host)
        if not runs:
            raise MlpipelineError(f"{host} has no runs here{self._known_hosts()}")
        for run in runs:
            self._history.append(
                Fenced(at=self._now(), run=run, host=host, prepared=self._is_prepared(run))
            )
        names = ", ".join(map(str, runs))
        return f"{host} is taken for lost: {names}"

    def _lose_the_silent(self, now: float) -> Iterator[str]:
        beats = self._claims.beats()
        for host in {run.host for run in self._history.ledger.active()} - {self._layout.host}:
            beat = beats.get(self._layout.beat(host).name, "")
            heard = self._heard.get(host)
            if heard is None or heard[0] != beat:
                self._heard[host] = (beat, now)
            elif now - heard[1] >= self._timeout:
                del self._heard[host]
                silence = f"{self._timeout:g} s"
                yield f"no beat for {silence} (host_timeout): {self.lose(host)}"

    def _is_prepared(self, run: RunId) -> bool:
        return self._layout.run_folder(run).prepared.exists()

    def _known_hosts(self) -> str:
        hosts = {run.host for run in self._history.ledger.active()} - {self._layout.host}
        return f"; hosts that have: {', '.join(sorted(hosts))}" if hosts else ""
