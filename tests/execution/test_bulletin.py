"""What people are told of the queue, and not told twice."""

from datetime import UTC, datetime

from mlpipeline.execution.bulletin import Bulletin


class Listening:
    """Keeps why the queue is idle, as it is told."""

    def __init__(self):
        self.heard = []

    def idle(self, why):
        self.heard.append(why)


def test_why_nothing_starts_is_told_once_where_that_is_unsure_in_between():
    audience = Listening()
    bulletin = Bulletin(audience, "models.config", lambda _: (), lambda: datetime.now(UTC))
    for why, for_a_moment in [("a", False), ("", True), ("a", False), ("b", False), ("", True)]:
        bulletin.of_idling(why, for_a_moment=for_a_moment)
    assert (audience.heard, bulletin.idle) == (["a", "b"], "")
    bulletin.of_idling("")  # something runs
    bulletin.of_idling("b")
    assert audience.heard == ["a", "b", "", "b"]
