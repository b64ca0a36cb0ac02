"""Where an entry goes in a list of models."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry goes: to the end, unless it is to be the first, or before another path."""

    first: bool = False
    before: str = ""

    def of(self, paths: Sequence[str]) -> str | None:
        """The path of the entry that comes next after it among ``paths``; None at the end."""
        if self.first:
            return paths[0] if paths else None
        return self.before or None


LAST = Place()
