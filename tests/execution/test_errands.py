"""What a session does of what views ask: once, and only what is not overtaken."""

import pytest
from core.events import clock, finished, starting
from fakes import Recording

from mlpipeline.core.listening import Audience
from mlpipeline.core.orders import Order
from mlpipeline.core.sessions import StopMode
from mlpipeline.errors import DiskFull
from mlpipeline.execution.errands import Errands
from mlpipeline.execution.hosts import Hosts
from mlpipeline.state import requests
from mlpipeline.state.history import DiskHistory
from mlpipeline.state.layout import Layout
from mlpipeline.state.requests import Steer, Stop


class Desk:
    """A session's errands with their history, on a real disk."""

    def __init__(self, folder):
        self.layout = Layout(project=folder, models_dir=folder, outputs=folder / "out", host="here")
        self.layout.outputs.mkdir()
        self.history = DiskHistory(self.layout)
        self.said = Recording()
        audience = Audience([self.said], lambda: clock(0))
        hosts = Hosts(self.layout, self.history, timeout=0, now=lambda: clock(0))
        self.errands = Errands(
            self.layout, self.history, audience, hosts, session="today", now=lambda: clock(0)
        )

    def order(self, order=Order.SKIP, version="v"):
        return self.history.ledger.next_order(order, "m", version, clock(0))

    def ask(self, *orders):
        return requests.put(self.layout, Steer(orders))

    def recorded(self):
        return self.layout.history.read_text().count('"ordered"')


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.history.close()


def test_an_order_is_recorded_and_its_request_is_gone(desk):
    path = desk.ask(desk.order())

    asked = desk.errands.run()

    assert desk.history.ledger.order("m", "v").order is Order.SKIP
    assert [order.version for order in asked.ends] == ["v"]
    assert not path.exists()


def test_a_request_that_was_obeyed_before_a_kill_is_not_recorded_again(desk):
    order = desk.order()
    desk.history.note(order)
    desk.ask(order)

    asked = desk.errands.run()

    assert desk.recorded() == 1
    assert asked.ends == (order,)  # its run may go on still


def test_a_request_that_can_not_be_removed_is_done_once(desk, monkeypatch):
    monkeypatch.setattr(requests, "remove", lambda path: False)
    desk.ask(desk.order())

    for _ in range(3):
        desk.errands.run()

    assert desk.recorded() == 1
    assert sum("can't be removed" in event for event in desk.said.events) == 1


def test_an_order_that_comes_late_does_not_outrank_newer_ones(desk):
    late = desk.order()
    desk.history.note(late)
    desk.history.note(desk.order(Order.RETRY))
    desk.ask(late)

    asked = desk.errands.run()

    assert asked.ends == ()
    assert desk.history.ledger.order("m", "v").order is Order.RETRY


def test_an_order_is_about_the_attempts_there_were(desk):
    desk.history.append(starting("v"))
    order = desk.order()
    desk.history.append(finished("v"))

    assert order.after == 1


def test_what_the_disk_refuses_ends_runs_all_the_same(desk, monkeypatch):
    def refuse(*_):
        raise DiskFull("no room")

    monkeypatch.setattr(desk.history, "note", refuse)
    desk.ask(desk.order())

    asked = desk.errands.run()

    assert [order.version for order in asked.ends] == ["v"]
    assert any("can't be recorded: no room" in event for event in desk.said.events)


@pytest.mark.parametrize(
    ("session", "mode"), [("today", StopMode.NOW), ("", StopMode.NOW), ("yesterday", None)]
)
def test_only_the_session_that_is_meant_is_stopped(desk, session, mode):
    path = requests.put(desk.layout, Stop(StopMode.NOW, session))

    asked = desk.errands.run()

    assert asked.stop is mode
    assert not path.exists()


def test_while_the_list_is_read_for_the_first_time_orders_wait(desk):
    path = desk.ask(desk.order())
    requests.put(desk.layout, Stop(StopMode.GRACEFUL))

    asked = desk.errands.run(stops_only=True)

    assert asked.stop is StopMode.GRACEFUL
    assert path.exists()


def test_nonsense_is_removed(desk):
    path = desk.ask(desk.order())
    path.write_text("{nonsense")

    desk.errands.run()

    assert not path.exists()
