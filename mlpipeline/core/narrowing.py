"""What stands behind a model file in a list: the names of those of its versions that are meant.

Of a pipeline, ``steps=download,train`` means all versions of these steps.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable

STEPS = "steps="
NAMED = 20  # steps in an error


def choose_versions(narrowing: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split a list of version names at commas and line ends, and tell known from unknown ones.

    Names may themselves have commas (``lr=0.1,depth=2``): at each place the longest known name
    wins. Behind ``steps=`` the steps of a pipeline may stand as well, each for all its versions.
    Returns the chosen names in the order written, each once, and the unknown pieces.
    """
    names = {_squeezed(name): name for name in known}
    lengths = sorted({name.count(",") + 1 for name in names}, reverse=True)  # in pieces
    pieces = [piece.strip() for piece in narrowing.replace("\n", ",").split(",")]
    chosen: dict[str, None] = {}
    unknown = []
    are_steps = False
    position = 0
    while position < len(pieces):
        for length in lengths:
            name = names.get(",".join(pieces[position : position + length]))
            if name is not None:
                chosen[name] = None
                position += length
                break
        else:
            piece = pieces[position]
            if piece.startswith(STEPS) and not are_steps:
                are_steps, pieces[position] = True, piece.removeprefix(STEPS).strip()
                if pieces[position]:
                    continue
            of_step = [name for name in names.values() if are_steps and step_of(name) == piece]
            chosen |= dict.fromkeys(of_step)
            if piece and not of_step:
                unknown.append(f"{STEPS}{piece.removeprefix(STEPS)}" if are_steps else piece)
            position += 1
    return list(chosen), unknown


def are_names(narrowing: str, known: Iterable[str]) -> bool:
    """Whether a text names versions of those that are ``known``, and nothing else."""
    chosen, unknown = choose_versions(narrowing, known)
    return bool(chosen) and not unknown


def step_of(version: str) -> str:
    """The step that a version of a pipeline is of, by its name."""
    return version.partition(",")[0].strip()


def no_step(piece: str, known: Iterable[str]) -> tuple[str, str]:
    """What to say of an unknown ``steps=NAME`` that :func:`choose_versions` has found: what there
    is not, and what there is.
    """
    from mlpipeline.core.spelling import nearest  # for errors only

    step, steps = piece.removeprefix(STEPS), list(dict.fromkeys(map(step_of, known)))
    more = f", and {len(steps) - NAMED} more" if len(steps) > NAMED else ""
    return (
        f"no step {step or 'of that kind'}{nearest(step, steps)}",
        f"its steps: {', '.join(steps[:NAMED])}{more}",
    )


def _squeezed(name: str) -> str:
    return ",".join(piece.strip() for piece in name.split(","))
