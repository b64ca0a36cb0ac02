"""Who waits for whom, so that runs start in the order of the list where scripts are slow."""

from __future__ import annotations

from collections.abc import Container, Sequence

from mlpipeline.state.lists import Entry


class Lead:
    """What stands before others in the queue has a lead of some seconds, once.

    It begins when one behind it could start. So two scripts that import the same, however long that
    takes, keep their order; and a slot that something could run in is not idle for longer.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._awaited_since: dict[str, float] = {}  # seconds

    def behind(
        self,
        in_order: Sequence[str],
        pending: Container[str],
        ready: Container[str],
        *,
        now: float,
    ) -> frozenset[str]:
        """What of ``ready`` waits for something ``pending`` that stands before it.

        ``now``: seconds, by the same clock each time.
        """
        since = {path: at for path, at in self._awaited_since.items() if path in pending}
        waiting: set[str] = set()
        passed: list[str] = []  # pending ones for which nothing has waited yet
        until = float("-inf")
        for path in in_order:
            if path in pending and path in since:
                until = max(until, since[path] + self._seconds)
            elif path in pending:
                passed.append(path)
            elif path in ready:
                if passed:
                    since |= dict.fromkeys(passed, now)
                    until = max(until, now + self._seconds)
                    passed = []
                if now < until:
                    waiting.add(path)
        self._awaited_since = since
        return frozenset(waiting)


def may_begin(in_order: Sequence[Entry], known: Container[str], awaited: Container[str]) -> bool:
    """Whether the first of the queue is known, and the list is sure to be right; by their paths."""
    first = in_order[0].path
    is_known = first in known and first not in awaited
    return is_known and not any(entry.narrowing for entry in in_order if entry.path in awaited)
