"""Copies of OmegaConf's nodes, made in a tenth of the time that a deep copy takes."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from enum import Enum
from pathlib import PurePath

from mlpipeline.api.hydra_adapter import DictConfig, ListConfig, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

UNCHANGING = (str, int, float, bytes, type(None), Enum, PurePath)


def copy_of(node: Any, parent: Any) -> Any:
    """A node of OmegaConf's below ``parent``, with all that is below it.

    It is quicker since of what a config is made of, little can be changed: the rest is shared.
    """
    copied = object.__new__(type(node))
    state = copied.__dict__
    state.update(node.__dict__)
    state["_parent"] = parent
    if "_flags_cache" in state:
        state["_flags_cache"] = None
    metadata = state["_metadata"]
    state["_metadata"] = known = object.__new__(type(metadata))
    known.__dict__.update(metadata.__dict__)
    if metadata.flags is not None:
        known.flags = dict(metadata.flags)
    if "_content" in state:
        cache = metadata.resolver_cache
        known.resolver_cache = deepcopy(cache) if cache else defaultdict(dict)
        content = state["_content"]
        if isinstance(content, dict):
            state["_content"] = {key: copy_of(each, copied) for key, each in content.items()}
        elif isinstance(content, list):
            state["_content"] = [copy_of(each, copied) for each in content]
        elif isinstance(content, Node):  # of a union
            state["_content"] = copy_of(content, copied)
    elif not isinstance(state["_val"], UNCHANGING):
        state["_val"] = deepcopy(state["_val"])
    return copied


def quicken_deep_copies() -> Callable[[], None]:
    """Have deep copies of configs made by :func:`copy_of`; returns what ends that."""
    containers: tuple[Any, ...] = (DictConfig, ListConfig)
    before = [each.__deepcopy__ for each in containers]

    def copied(self: Any, _: object) -> Any:
        return copy_of(self, self.__dict__["_parent"])

    def end() -> None:
        for each, deep_copy in zip(containers, before, strict=True):
            each.__deepcopy__ = deep_copy

    for each in containers:
        each.__deepcopy__ = copied
    return end


def texts_in(node: Any) -> list[str]:
    """The texts in a list of OmegaConf's, unresolved."""
    return [each._value() for each in node.__dict__["_content"]]
