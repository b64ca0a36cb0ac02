"""What a step of a pipeline says besides its component: where and how it runs."""

from __future__ import annotations

from mlpipeline.api.keys import CONSOLE_LIMIT, CPUS, GPUS, MEMORY, TIMEOUT
from mlpipeline.sources.command_file import metrics_of, test_of
from mlpipeline.sources.fields import (
    check_keys,
    env_of,
    flag_of,
    is_cold,
    modules_of,
    pairs_of,
    text_of,
    whole_of,
    words_of,
)
from mlpipeline.sources.yaml_file import FileError, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# For one step, or at the top for all.
SHARED = (
    *("cwd", "env", "preload", "start", "cache", "hydra", "retries", "accelerator"),
    *("metrics", "resume", "test", CPUS, MEMORY, GPUS, TIMEOUT, CONSOLE_LIMIT),
)


# What Vertex AI alone is to know of a step.
VERTEX = (CPUS, MEMORY, GPUS, "accelerator", "retries")


class Settings:
    """What a step says besides its component, or the file for all steps; None: nothing is said.

    ``cpus`` are a number, ``memory`` GB, ``gpus`` a number or a share, ``timeout`` seconds,
    ``console_limit`` GB or ``none``. ``accelerator`` and ``retries`` are for Vertex AI; ``vertex``
    has what counts there instead of the others, by the words of VERTEX. ``metrics``, ``resume`` and
    ``test`` are as in command files, for runs on this machine.
    """

    __slots__ = (
        *("accelerator", "cache", "console_limit", "cpus", "cwd", "cwd_line", "env", "gpus"),
        *("hydra", "is_cold", "line", "memory", "metrics", "preload", "resume", "retries", "test"),
        *("timeout", "vertex"),
    )

    def __init__(self, pairs: Mapping[str, Node], line: int, base: Settings | None = None):
        """``base``: what the file says. Raises FileError."""

        def said(key: str, read: Any, default: Any = None) -> Any:
            if key in pairs and not pairs[key].is_empty:
                return read(pairs[key])
            return default if base is None else getattr(base, key)

        self.line = line
        self.cwd: str = said("cwd", lambda node: text_of(node, "cwd"), "")
        self.cwd_line: int = (
            pairs["cwd"].line if "cwd" in pairs else (base.cwd_line if base else line)
        )
        self.env: dict[str, str] = {**(base.env if base else {}), **env_of(pairs.get("env"))}
        self.preload: list[str] = said("preload", modules_of, [])
        self.is_cold: bool = (
            is_cold(pairs["start"]) if "start" in pairs else bool(base and base.is_cold)
        )
        self.cache: bool = said("cache", lambda node: flag_of(node, "cache"), True)
        self.hydra: bool | None = said("hydra", lambda node: flag_of(node, "hydra"))
        self.retries: int | None = said("retries", lambda node: whole_of(node, "retries"))
        self.accelerator: str = said("accelerator", lambda node: text_of(node, "accelerator"), "")
        self.metrics: dict[str, str] = said("metrics", metrics_of, {})
        self.resume: list[str] = said("resume", lambda node: words_of(node, "resume"), [])
        self.test: tuple[list[str], float] = said("test", test_of, test_of(None))
        self.cpus: float | None = said(CPUS, lambda node: _amount(node, CPUS))
        self.memory: float | None = said(MEMORY, lambda node: _amount(node, MEMORY))
        self.gpus: float | None = said(GPUS, lambda node: _amount(node, GPUS, least=True))
        self.timeout: float | None = said(TIMEOUT, lambda node: _amount(node, TIMEOUT))
        self.vertex: dict[str, Any] = dict(base.vertex) if base else {}
        if base is not None and "vertex" in pairs and not pairs["vertex"].is_empty:
            self.vertex |= _on_vertex(pairs["vertex"])
        self.console_limit: Any = said(CONSOLE_LIMIT, lambda node: node.value())

    def there(self, key: str) -> Any:
        """One of VERTEX, as it is on Vertex AI."""
        return self.vertex.get(key, getattr(self, key))


def _on_vertex(node: Node) -> dict[str, Any]:
    said: dict[str, Any] = {}
    pairs = pairs_of(node, "a step's vertex", "vertex: {cpus: 4, memory: 16}")
    check_keys(pairs, VERTEX, "a step's vertex")
    for key, value in pairs.items():
        if key == "accelerator":
            said[key] = text_of(value, key)
        elif key == "retries":
            said[key] = whole_of(value, key)
        else:
            said[key] = _amount(value, key, least=key == GPUS)
    return said


def _amount(node: Node, what: str, *, least: bool = False) -> float:
    value = node.value()
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 if least else 1e-9) <= value < 1e9:
        raise FileError(
            f"{what} is {value!r}",
            node.line,
            f"it must be a number {'from 0 on' if least else 'above 0'}",
        )
    return value  # type: ignore[no-any-return]
