"""A command file as it is written: its keys, checked, with the lines where they stand."""

from __future__ import annotations

import re

from mlpipeline.api import listed
from mlpipeline.api.keys import CONSOLE_LIMIT, CPUS, GPUS, MEMORY, TIMEOUT, version_parameters
from mlpipeline.core.spelling import nearest
from mlpipeline.sources.fields import (
    check_keys,
    env_of,
    is_cold,
    items_of,
    list_of,
    modules_of,
    pairs_of,
    text_of,
    whole_of,
    without_nul,
    words_of,
)
from mlpipeline.sources.yaml_file import FileError, Node, parse

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

VERSION_KEYS = ("name", "arguments", "overrides", "env", "hydra")
# Parameters of the pipeline's own, for one version or at the top for all.
STANDARD = (
    TIMEOUT,
    CPUS,
    MEMORY,
    GPUS,
    CONSOLE_LIMIT,
    version_parameters.BATCH_SIZE,
    "epoch_count",
    version_parameters.EPOC_COUNT,
    version_parameters.LEARNING_RATE,
    version_parameters.MODEL_DIR_SUFFIX,
)
KEYS = (
    "command",
    "cwd",
    "env",
    "metrics",
    "versions",
    "grid",
    "overrides",
    "chain",
    "test",
    "resume",
    "preload",
    "start",
    "max_versions",
)
TEST_SECONDS = 10.0


class VersionText:
    """A version as it is written: what it adds to the command, and its parameters."""

    __slots__ = ("arguments", "env", "hydra", "line", "name", "overrides", "parameters", "texts")

    def __init__(
        self,
        line: int,
        name: str = "",
        *,
        overrides: Sequence[str] = (),
        parameters: Mapping[str, Any] = {},
        texts: Mapping[str, str] = {},
    ):
        self.line = line
        self.name = name
        self.arguments: Sequence[str] = ()
        self.overrides = overrides
        self.env: Mapping[str, str] = {}
        self.hydra: dict[str, Any] = {}  # what the launcher says of a job of Hydra's
        self.parameters = parameters
        self.texts = texts  # of the parameters, as they are written, where that is one word

    @classmethod
    def read(cls, node: Node) -> VersionText:
        """One of ``versions``; raises FileError."""
        pairs = pairs_of(node, "a version", "name, arguments or parameters: - lr: 0.1")
        own = {key: value for key, value in pairs.items() if key not in VERSION_KEYS}
        for key, value in own.items():
            if key in KEYS:
                raise FileError(
                    f"{key} is for all versions", value.line, "put it at the top of the file"
                )
        text = cls(
            node.line,
            text_of(pairs.get("name"), "name"),
            overrides=_overrides(pairs.get("overrides")),
            parameters={key: each.value() for key, each in own.items()},
            texts={key: each.text for key, each in own.items() if each.is_scalar},
        )
        text.arguments = words_of(pairs.get("arguments"), "arguments")
        text.env = env_of(pairs.get("env"))
        text.hydra = _hydra(pairs.get("hydra"))
        return text


class CommandFile:
    """What the file says; raises FileError for what can't be meant."""

    def __init__(self, content: bytes):
        document = parse(content)
        if document is None:
            raise FileError("it is empty", remedy=_EXAMPLE)
        pairs = pairs_of(document, "the file", "command: python train.py")
        for key, value in pairs.items():
            if key not in KEYS and key not in STANDARD:
                raise FileError(
                    f"unknown key {key}{nearest(key, (*KEYS, *STANDARD))}",
                    value.line,
                    "parameters of your own go into versions or grid",
                )
        if "command" not in pairs:
            raise FileError("it has no command", remedy=_EXAMPLE)
        self.command = words_of(pairs["command"], "command")
        self.line = pairs["command"].line
        if not self.command or not self.command[0]:
            raise FileError("command is empty", self.line, _EXAMPLE)
        self.cwd = text_of(pairs.get("cwd"), "cwd")
        self.cwd_line = pairs["cwd"].line if "cwd" in pairs else None
        self.env = env_of(pairs.get("env"))
        self.metrics = metrics_of(pairs.get("metrics"))
        self.versions = [
            VersionText.read(each) for each in items_of(pairs.get("versions"), "versions")
        ]
        self.grid, self.grid_texts = _grid(pairs.get("grid"))
        self.grid_line = pairs["grid"].line if "grid" in pairs else self.line
        self.overrides = _overrides(pairs.get("overrides"))
        self.overrides_line = pairs["overrides"].line if "overrides" in pairs else self.line
        self.chain = text_of(pairs.get("chain"), "chain")
        self.chain_line = pairs["chain"].line if "chain" in pairs else self.line
        self.resume = words_of(pairs.get("resume"), "resume")
        self.preload = modules_of(pairs.get("preload"))
        self.is_cold = is_cold(pairs.get("start"))
        self.max_versions = whole_of(pairs.get("max_versions"), "max_versions")
        self.test_arguments, self.test_seconds = test_of(pairs.get("test"))
        self.standard = {key: pairs[key].value() for key in STANDARD if key in pairs}


_EXAMPLE = "say what is to run: command: python train.py"


def _overrides(node: Node | None) -> list[str]:
    """A list of Hydra's overrides, or a line with blanks between them."""
    if node is not None and node.is_scalar and not node.is_empty:
        return listed.split(without_nul(node, "overrides").text)
    overrides = list_of(node, "overrides")
    for override in overrides:
        if not listed.looks_like_override(override):
            assert node is not None
            raise FileError(
                f"{override} is no override",
                node.line,
                "write key=value, and put what has commas in quotes: overrides: ['lr=0.1,0.01']",
            )
    return overrides


def _hydra(node: Node | None) -> dict[str, Any]:
    """What the launcher says of a job of Hydra's: its number, dir, config and handover."""
    if node is None or node.is_empty:
        return {}
    said = {
        key: value.value() if key == "number" else text_of(value, f"hydra's {key}")
        for key, value in pairs_of(node, "hydra", "hydra: {number: 0, dir: …}").items()
    }
    number = said.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or not said.get("dir"):
        raise FileError(
            "hydra needs the number and the dir of a job", node.line, "its launcher writes them"
        )
    return said


def metrics_of(node: Node | None) -> dict[str, str]:
    """The expressions by the metrics' names; each has been compiled once. Raises FileError."""
    if node is None or node.is_empty:
        return {}
    metrics = {}
    for name, value in pairs_of(node, "metrics", "metrics: {loss: 'loss: *([0-9.]+)'}").items():
        if not value.is_scalar:
            raise FileError(f"the metric {name} must be an expression", value.line)
        if name == "time":
            raise FileError("a metric can't be called time", value.line)
        try:
            count = re.compile(value.text).groups
        except re.error as error:
            raise FileError(
                f"the expression of the metric {name} can't be used: {error}", value.line
            ) from None
        if count != 1:
            raise FileError(
                f"the expression of the metric {name} has {count} groups",
                value.line,
                f"put (…) around the number alone, and (?:…) around other parts: "
                f"'{name}: *([0-9.]+)'",
            )
        metrics[name] = value.text
    return metrics


def _grid(node: Node | None) -> tuple[dict[str, Any], dict[str, dict[Any, str]]]:
    """The values of each parameter, and by parameter and repr how each is written."""
    if node is None or node.is_empty:
        return {}, {}
    values: dict[str, Any] = {}
    texts: dict[str, dict[Any, str]] = {}
    for key, each in pairs_of(node, "grid", "grid: {lr: [0.1, 0.01]}").items():
        if key in (*KEYS, *VERSION_KEYS):
            raise FileError(f"{key} can't be a parameter of the grid", each.line)
        if each.is_list and not each.items():
            raise FileError(f"the list of values for {key} is empty", each.line)
        values[key] = each.value()
        scalars = [item for item in (each.items() if each.is_list else [each]) if item.is_scalar]
        texts[key] = {repr(item.value()): item.text for item in scalars}
    return values, texts


def test_of(node: Node | None) -> tuple[list[str], float]:
    """What a rehearsal adds to the arguments, and its seconds, after which it passes; raises
    FileError.
    """
    if node is None or node.is_empty:
        return [], TEST_SECONDS
    pairs = pairs_of(node, "test", "test: {arguments: [--steps, 1], seconds: 10}")
    check_keys(pairs, ("arguments", "seconds"), "test")
    seconds = pairs["seconds"].value() if "seconds" in pairs else TEST_SECONDS
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds < 1e9:
        raise FileError(
            "test's seconds must be a number above 0", pairs["seconds"].line, "write seconds: 10"
        )
    return words_of(pairs.get("arguments"), "arguments"), float(seconds)
