"""What stands behind a model file in a list: the names of those of its versions that are meant."""

from __future__ import annotations

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable


def choose_versions(narrowing: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split a list of version names at commas and line ends, and tell known from unknown ones.

    Names may themselves have commas (``lr=0.1,depth=2``): at each place the longest known name
    wins. Returns the chosen names in the order written, each once, and the unknown pieces.
    """
    names = {_squeezed(name): name for name in known}
    lengths = sorted({name.count(",") + 1 for name in names}, reverse=True)  # in pieces
    pieces = [piece.strip() for piece in narrowing.replace("\n", ",").split(",")]
    chosen: dict[str, None] = {}
    unknown = []
    position = 0
    while position < len(pieces):
        for length in lengths:
            name = names.get(",".join(pieces[position : position + length]))
            if name is not None:
                chosen[name] = None
                position += length
                break
        else:
            if pieces[position]:
                unknown.append(pieces[position])
            position += 1
    return list(chosen), unknown


def are_names(narrowing: str, known: Iterable[str]) -> bool:
    """Whether a text names versions of those that are ``known``, and nothing else."""
    chosen, unknown = choose_versions(narrowing, known)
    return bool(chosen) and not unknown


def _squeezed(name: str) -> str:
    return ",".join(piece.strip() for piece in name.split(","))
