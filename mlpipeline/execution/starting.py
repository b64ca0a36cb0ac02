"""Starting what is planned, as far as this host has room for it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from mlpipeline.core.agenda import Agenda
from mlpipeline.core.listed import ListedModel
from mlpipeline.core.listening import Audience
from mlpipeline.core.planning import Situation, plan
from mlpipeline.core.slots import UNCOUNTED, Asks, Host
from mlpipeline.errors import DiskFull
from mlpipeline.execution.bulletin import Bulletin
from mlpipeline.execution.ending import Ending
from mlpipeline.execution.executors.base import Executor
from mlpipeline.execution.launching import Launcher
from mlpipeline.execution.list_reader import ListReader
from mlpipeline.execution.rehearsals import Rehearsals
from mlpipeline.execution.watched_runs import WatchedRuns
from mlpipeline.state.git import Repository
from mlpipeline.state.history import History
from mlpipeline.state.room import Room


class Starting:
    """Fills the free slots of a session; which starts come next, ``plan`` says."""

    def __init__(
        self,
        *,
        reader: ListReader,
        history: History,
        executor: Executor,
        launcher: Launcher,
        rehearsals: Rehearsals,
        runs: WatchedRuns,
        ending: Ending,
        bulletin: Bulletin,
        audience: Audience,
        git: Repository,
        room: Room | None,
        look_at_host: Callable[[Set[Asks]], Host],
        situation: Callable[[Sequence[ListedModel]], Situation],
    ):
        """``room`` and ``look_at_host`` are a Scheduler's; ``situation`` tells that of models."""
        self.host = UNCOUNTED  # as it was when something was to start last
        self.agenda = Agenda(history.ledger)
        self._reader = reader
        self._history = history
        self._executor = executor
        self._launcher = launcher
        self._rehearsals = rehearsals
        self._runs = runs
        self._ending = ending
        self._bulletin = bulletin
        self._audience = audience
        self._git = git
        self._room = room
        self._look_at_host = look_at_host
        self._situation = situation
        self._preloaded_for: Sequence[ListedModel] = ()

    def start_all(self) -> bool:
        """Fill the free slots, as long as other hosts leave something.

        False where what is listed has to be read again first.
        """
        self._preload()
        self._bulletin.unready = self._executor.unready()
        if self._bulletin.unready is not None:
            return True
        if self._room:
            self._bulletin.of_room(self._room.lack())
            if self._bulletin.lack:
                return True
        self._bulletin.warn(self._history.catch_up())
        while True:
            claimed = self._launcher.claimed
            holds = self._start_planned()
            if not holds or self._launcher.claimed == claimed:  # else another host was quicker
                return holds

    def _preload(self) -> None:
        """Have at hand what the listed models would have imported before their runs."""
        models = self._reader.listed.models
        if models is not self._preloaded_for:
            self._preloaded_for = models
            modules = dict.fromkeys(module for model in models for module in model.preload)
            if modules:
                self._executor.preload(tuple(modules))

    def _start_planned(self) -> bool:
        listed = self._reader.listed.ready
        self.agenda.take_in(listed)
        self.host = self._look_at_host(self.agenda.asks)
        now = self._situation(listed)
        candidates = self.agenda.candidates(now)
        self._bulletin.of_skips(self.agenda.take_skips())
        for start in plan(now, candidates):
            if self._ending.is_asked_for:
                return True
            if not self._reader.holds_for(start.model):
                return False
            self._git.look()
            try:
                if start.rehearsal:
                    self._rehearsals.begin(start)
                    continue
                watched = self._launcher.launch(start, self._git.state)
            except DiskFull as error:
                self._bulletin.of_room(str(error))
                return True
            if watched and watched.launched:
                self._runs.add(watched)
                self._audience.started(watched.launched)
        return True
