"""The section [NOTIFY] of mlp.config: what is sent to a person, and where to."""

from __future__ import annotations

import re

import msgspec

from mlpipeline.core.notices import Occasion
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.ini import IniFile, number

NOTIFY = "NOTIFY"
NOTIFY_KEYS = ("on", "command", "url", "metric", "lines", "timeout")

# A comma may be part of an address; only one that another address follows divides two.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://|\$)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+|\$\w+|\$\{\w+\}")


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and where to."""

    on: frozenset[Occasion] = frozenset({Occasion.FAILED, Occasion.EMPTY})
    command: str = ""  # for the shell
    urls: tuple[str, ...] = ()  # for apprise, or $NAME for what a variable holds; full of secrets
    metric: str = ""  # that `best` looks at; empty: the first number in the test results
    lines: int = 20  # of the end of the run's log
    timeout: float = 60.0  # seconds after which sending is given up

    def __repr__(self) -> str:
        """Without what may be secret."""
        return f"Notify(on={sorted(self.on)}, {len(self.urls)} urls)"


def read_notify(ini: IniFile) -> tuple[Notify | None, list[str]]:
    """What the section says, None where it names no target, and warnings; raises ConfigError."""
    options = ini.options(NOTIFY)
    default = Notify()
    notify = Notify(
        on=_occasions(ini, default.on),
        command=options.get("command") or "",
        urls=_urls(ini),
        metric=options.get("metric") or "",
        lines=number(ini, NOTIFY, "lines", default.lines),
        timeout=number(ini, NOTIFY, "timeout", default.timeout, least=0.1),
    )
    if notify.command or notify.urls:
        return notify, []
    where = f"{short(ini.path)}:{ini.line_of(NOTIFY)}"
    lacking = f"{where}: [{NOTIFY}] has neither a command nor a url, so nothing is sent"
    return None, [lacking] if options else []


def _occasions(ini: IniFile, default: frozenset[Occasion]) -> frozenset[Occasion]:
    options = ini.options(NOTIFY)
    if "on" not in options:
        return default
    known = [occasion.value for occasion in Occasion]
    names = [name.strip() for name in (options["on"] or "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(
                ini.path,
                f"on names {name!r}, which is no occasion{nearest(name, known)}",
                line=ini.line_of(NOTIFY, "on"),
                remedy=f"choose from: {', '.join(known)}",
            )
    return frozenset(Occasion(name) for name in names)


def _urls(ini: IniFile) -> tuple[str, ...]:
    """The addresses; what is wrong with one is said without showing it."""
    text = (ini.options(NOTIFY).get("url") or "").strip(" ,\n")
    urls = tuple(_BETWEEN.split(text)) if text else ()
    for place, url in enumerate(urls, start=1):
        if not _ADDRESS.fullmatch(url):
            which = f"address {place} of url" if len(urls) > 1 else "url"
            raise ConfigError(
                ini.path,
                f"{which} is not of the form service://…",
                line=ini.line_of(NOTIFY, "url"),
                remedy="write one address a line, as https://github.com/caronc/apprise shows them",
            )
    return urls
