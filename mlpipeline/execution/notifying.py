"""A listener that has messages sent; whatever becomes of them, the queue goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlpipeline.core import notices
from mlpipeline.core.bests import measured, new_best
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Ended, Level, Listener
from mlpipeline.core.measures import flattened
from mlpipeline.core.notices import Notice, Occasion
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.runs import Run
from mlpipeline.core.spelling import nearest
from mlpipeline.execution.couriers import PAUSE, Courier, lacks, targets
from mlpipeline.state.layout import Layout
from mlpipeline.state.notify_config import Notify
from mlpipeline.state.tail import last_lines

FAREWELL = 5.0  # seconds that a session waits at its end for what is not delivered
POLL_INTERVAL = 0.02  # seconds, in that time

Say = Callable[[Level, str], None]


class Notifier(Listener):
    """Sends what [NOTIFY] asks for; driven by the scheduler's ticks."""

    def __init__(
        self, notify: Notify, layout: Layout, ledger: Ledger, say: Say, *, pause: float = PAUSE
    ):
        """``ledger`` has each run by the time it is told to have ended; ``say`` tells people."""
        self._notify = notify
        self._layout = layout
        self._ledger = ledger
        self._say = say
        self._lacking: set[str] = set()  # models that were told to lack the metric
        self._couriers = [
            Courier(target, layout.project, notify.timeout, pause)
            for target in targets(notify, project=layout.project, host=layout.host)
        ]

    def ready(self) -> None:
        """Say now, and not when it is needed, what is missing."""
        for lacking in lacks(self._notify):
            self._warn(lacking)

    def ended(self, ended: Ended) -> None:
        """Tell of failures, and of what is a new best."""
        run, on = ended.run, self._notify.on
        if run.verdict and run.verdict.outcome.is_failure and Occasion.FAILED in on:
            self._send(notices.failed(run, self._last_lines(run, Occasion.FAILED)))
        if run.succeeded and Occasion.BEST in on:
            self._look_for_best(run)

    def held(self, rehearsal: Rehearsed) -> None:
        """Tell of it as of a failure."""
        if Occasion.FAILED in self._notify.on:
            self._send(notices.held(rehearsal))

    def emptied(self, text: str) -> None:
        """Send the digest."""
        if Occasion.EMPTY in self._notify.on:
            self._send(notices.empty(self._layout.project.name, text))

    def tick(self) -> None:
        """Start what waits, and say what went wrong."""
        self._get_on()

    def close(self) -> None:
        """Give what is outstanding a few seconds; then say what was not delivered."""
        deadline = time.monotonic() + min(FAREWELL, self._notify.timeout)
        try:
            self._get_on(hurry=True)
            while self._outstanding() and time.monotonic() < deadline:
                time.sleep(POLL_INTERVAL)
                self._get_on(hurry=True)
        finally:
            for courier in self._couriers:
                if lost := courier.outstanding:
                    courier.give_up()
                    what = "1 message" if lost == 1 else f"{lost} messages"
                    self._warn(f"the {courier.name} of [NOTIFY] was ended with {what} not sent")

    def _look_for_best(self, run: Run) -> None:
        metric = self._notify.metric
        if metric and run.id.model not in self._lacking and measured(run, metric) is None:
            self._lacking.add(run.id.model)
            known = flattened(run.results)
            hint = nearest(metric, known) or f"; it has: {', '.join(known) or 'none'}"
            self._warn(f"{run.id} has no metric {metric} of [NOTIFY]{hint}")
        if found := new_best(run, self._ledger, metric):
            self._send(notices.best(found, self._last_lines(run, Occasion.BEST)))

    def _send(self, notice: Notice) -> None:
        for courier in self._couriers:
            courier.take(notice)
        self._get_on()

    def _get_on(self, *, hurry: bool = False) -> None:
        for courier in self._couriers:
            for problem in courier.get_on(time.monotonic(), hurry=hurry):
                self._warn(problem)

    def _outstanding(self) -> int:
        return sum(courier.outstanding for courier in self._couriers)

    def _warn(self, text: str) -> None:
        self._say(Level.WARNING, text)

    def _last_lines(self, run: Run, event: Occasion) -> list[str]:
        """The end of what ``run`` printed, where it will be sent."""
        wanted = any(courier.wants_log(event) for courier in self._couriers)
        count = self._notify.lines
        return last_lines(self._layout.run_folder(run.id).console, count) if wanted else []
