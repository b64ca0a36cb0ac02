"""Sending a message now, to see whether it arrives."""

from __future__ import annotations

import time

import msgspec

from mlpipeline.core.notices import test_message
from mlpipeline.errors import ConfigError
from mlpipeline.execution.couriers import Courier, targets
from mlpipeline.service.project import Project
from mlpipeline.state.layout import CONFIG

POLL_INTERVAL = 0.02  # seconds


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message."""

    target: str  # "command" or "url"
    sent: bool
    problem: str = ""  # why it was not sent


def send_test(project: Project) -> list[Sent]:
    """Send a test message to all that [NOTIFY] names, one after the other.

    Raises ConfigError when it names nothing.
    """
    notify, folder = project.settings.notify, project.layout.project
    if notify is None:
        raise ConfigError(
            folder / CONFIG,
            "it names nothing to send messages with",
            remedy="add a section [NOTIFY] with a command = … or a url = …",
        )
    couriers = [
        Courier(target, folder, notify.timeout)
        for target in targets(notify, project=folder, host=project.layout.host)
    ]
    return [_send(courier, folder.name) for courier in couriers]


def _send(courier: Courier, project: str) -> Sent:
    courier.take(test_message(project))
    problems = []
    try:
        while courier.outstanding:
            problems += courier.get_on(time.monotonic())
            time.sleep(POLL_INTERVAL)
    finally:
        courier.give_up()
    return Sent(target=courier.name, sent=not problems, problem="; ".join(problems))
