"""What views ask of a session, through files: taken, obeyed, and then removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.listening import Audience, Level
from mlpipeline.core.orders import Order, Ordered
from mlpipeline.core.sessions import StopMode
from mlpipeline.errors import MlpipelineError
from mlpipeline.execution.hosts import Hosts
from mlpipeline.state import requests
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout
from mlpipeline.state.requests import LoseHost, Request, Steer, Stop, Widen
from mlpipeline.state.session import read_session, write_session


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is left for the loop to do."""

    anything: bool = False
    stop: StopMode | None = None
    ends: tuple[Ordered, ...] = ()  # versions whose runs, up to ``after``, are to end
    only: frozenset[str] = frozenset()  # models that the session is for, besides those that it is


class Errands:
    """Takes requests of one session. Each may be obeyed twice without harm, as after a kill."""

    def __init__(
        self,
        layout: Layout,
        history: History,
        audience: Audience,
        hosts: Hosts,
        *,
        session: str,
        now: Callable[[], datetime],
    ):
        self._layout = layout
        self._history = history
        self._audience = audience
        self._hosts = hosts
        self._session = session
        self._now = now
        self._left: set[Path] = set()  # requests that are done, and can't be removed

    def run(self, *, stops_only: bool = False) -> Asked:
        """Do what is asked; with ``stops_only`` all else waits."""
        asked = Asked()
        for path, request in requests.waiting(self._layout):
            if path in self._left or (stops_only and not isinstance(request, Stop)):
                continue
            try:
                asked = self._obey(request, asked)
            except MlpipelineError as error:  # of the disk, say: what it was is for a person
                self._audience.say(Level.ERROR, f"what was asked is not done: {error}")
            self._remove(path)
        return asked

    def _obey(self, request: Request | None, asked: Asked) -> Asked:
        asked = msgspec.structs.replace(asked, anything=True)
        match request:
            case Stop(mode, session) if session in ("", self._session):
                return msgspec.structs.replace(asked, stop=mode)
            case LoseHost(host):
                self._audience.say(Level.WARNING, self._hosts.lose(host))
            case Steer(orders):
                ends = [each for each in self._take(orders) if each.order is Order.SKIP]
                return msgspec.structs.replace(asked, ends=(*asked.ends, *ends))
            case Widen(models):
                self._widen(models)
                return msgspec.structs.replace(asked, only=asked.only.union(models))
        return asked

    def _widen(self, models: tuple[str, ...]) -> None:
        """Have views know for what the session is."""
        session = read_session(self._layout)
        if session is None or session.name != self._session or not session.only:
            return
        only = tuple(dict.fromkeys((*session.only, *models)))
        write_session(self._layout, msgspec.structs.replace(session, only=only))

    def _take(self, orders: tuple[Ordered, ...]) -> list[Ordered]:
        """Record the orders that no later one has overtaken; returns those."""
        ledger = self._history.ledger
        taken = [order for order in orders if not ledger.is_overtaken(order)]
        new = [order for order in taken if ledger.order(order.model, order.version) != order]
        try:
            self._history.note(*new)
        except MlpipelineError as error:  # runs end all the same, as far as that was asked
            self._audience.say(Level.ERROR, f"what was asked can't be recorded: {error}")
            return taken
        for order in new:
            done = order.why or {Order.SKIP: "skipped", Order.RETRY: "to be retried"}[order.order]
            self._audience.say(Level.INFO, f"{order.model}/{order.version} is {done}, as was asked")
        return taken

    def _remove(self, path: Path) -> None:
        if not requests.remove(path):
            self._left.add(path)
            self._audience.say_once(
                Level.ERROR, f"{path} can't be removed; what it asks for is done once"
            )
