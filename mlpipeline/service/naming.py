"""What a person means by the name of a run or a version.

``model/version#attempt`` is one attempt; ``model/version`` the newest. Where only one version fits,
the model's or the version's name will do; ``*`` and ``?`` stand for any characters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import translate

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.runs import Run
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import AmbiguousName, UnknownRun

_ATTEMPT = re.compile(r"(?P<version>.+)#(?P<attempt>\d+)", re.DOTALL)
SHOWN = 8  # names in a message


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a name means."""

    model: str
    version: str
    attempt: int | None = None  # where the name has it

    def __str__(self) -> str:
        return f"{self.model}/{self.version}" + (f"#{self.attempt}" if self.attempt else "")


def meant(name: str, ledger: Ledger, listed: Iterable[tuple[str, str]] = ()) -> Named:
    """The one version, or attempt, that ``name`` means; raises UnknownRun or AmbiguousName.

    ``listed``: model and version of what may not have run yet.
    """
    listed = list(listed)
    if exact := _exact(name, ledger, listed):
        return exact
    attempt = _ATTEMPT.fullmatch(name)
    base = attempt["version"] if attempt else name
    exact = _exact(base, ledger, listed)
    known = {} if exact else _known(ledger, listed)
    fitting = [exact] if exact else _fitting(base, known)
    if not fitting:
        hint = nearest(name, known) or "; `mlpipeline status --all` lists the runs"
        raise UnknownRun(f"no run is called {name}{hint}")
    if len(fitting) > 1:
        all_of_them = (
            f", or '{name}/*' for all" if all(each.model == name for each in fitting) else ""
        )
        raise AmbiguousName(f"{name} may be {choices(fitting)}; say which{all_of_them}")
    if not attempt:
        return fitting[0]
    found = msgspec.structs.replace(fitting[0], attempt=int(attempt["attempt"]))
    runs = ledger.attempts(found.model, found.version)
    if found.attempt not in {run.id.attempt for run in runs}:
        numbers = ", ".join(str(run.id) for run in runs[-SHOWN:]) or "none"
        raise UnknownRun(f"there is no run {found}; of this version there is: {numbers}")
    return found


def all_meant(
    names: Iterable[str], ledger: Ledger, listed: Iterable[tuple[str, str]] = ()
) -> list[Named]:
    """What each of ``names``, which may be patterns, means; each once, in order."""
    listed = list(listed)
    found: dict[Named, None] = {}
    for name in names:
        if not {"*", "?"} & set(name):
            found[meant(name, ledger, listed)] = None
            continue
        pattern = re.compile(translate(name.replace("[", "[[]")))
        fitting = [named for text, named in _known(ledger, listed).items() if pattern.match(text)]
        if not fitting:
            raise UnknownRun(f"no run fits {name}; `mlpipeline status --all` lists the runs")
        found.update(dict.fromkeys(fitting))
    return list(found)


def known_names(ledger: Ledger, listed: Iterable[tuple[str, str]] = ()) -> list[str]:
    """All versions, listed ones first, as ``model/version``."""
    return list(_known(ledger, listed))


def known_models(ledger: Ledger, listed: Iterable[tuple[str, str]] = ()) -> list[str]:
    """All models that have versions, listed ones first."""
    return list(dict.fromkeys(named.model for named in _known(ledger, listed).values()))


def newest(named: Named, ledger: Ledger) -> Run | None:
    """The attempt that is named, or else the newest; None where there is none yet."""
    runs = ledger.attempts(named.model, named.version)
    chosen = [run for run in runs if named.attempt in (None, run.id.attempt)]
    return chosen[-1] if chosen else None


def _exact(name: str, ledger: Ledger, listed: Collection[tuple[str, str]]) -> Named | None:
    """The version of this very name; found without a look at all of them, which may be many."""
    pairs = [(name[:place], name[place + 1 :]) for place, x in enumerate(name) if x == "/"]
    fitting = [
        Named(model=model, version=version)
        for model, version in pairs
        if version in ledger.versions.get(model, ()) or (model, version) in listed
    ]
    return _known(ledger, listed)[name] if len(fitting) > 1 else next(iter(fitting), None)


def _known(ledger: Ledger, listed: Iterable[tuple[str, str]]) -> dict[str, Named]:
    return {
        f"{model}/{version}": Named(model=model, version=version)
        for model, version in (*listed, *ledger.names())
    }


def _fitting(name: str, known: dict[str, Named]) -> list[Named]:
    """Versions of which ``name`` is the model, the version, or the end of both."""
    return [
        named
        for text, named in known.items()
        if name in (named.model, named.version) or text.endswith(f"/{name}")
    ]


def choices(fitting: list[Named]) -> str:
    """``a, b or c``, for a message."""
    names = [str(named) for named in fitting]
    more = len(names) - SHOWN
    if more > 1:
        return f"{', '.join(names[:SHOWN])} or one of {more} more"
    return f"{', '.join(names[:-1])} or {names[-1]}"
