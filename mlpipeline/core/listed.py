"""What the list asks for: models with their versions, as the inspector read them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from typing import Any

import msgspec

from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.slots import Asks
from mlpipeline.core.stages import Stages


class ListedVersion(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # it holds no cycles
    """One version of a model, as the inspector read it from the model file."""

    name: str
    signature: str
    model_dir: str  # its name in model_ckpts/
    parameters: dict[str, Any] = {}
    asks: Asks = Asks()  # of its host
    timeout: float | None = None  # seconds that a run of it may take, where it says so itself
    console_limit: float | None = None  # GB of its output that are kept, likewise; 0: all
    after: tuple[str, ...] = ()  # versions of the same model file that must be done before it
    step: str = ""  # that it is, of a pipeline
    pipeline: str = ""  # 8 hex digits of that one's definition


class ListedModel(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A listed model file with those of its versions that are listed, in the order of the queue."""

    name: str
    path: str  # relative to models_dir
    sources: dict[str, str] = {}  # SHA-256 of the file and of the local modules it imports
    priority: int = 0  # higher ones start first
    stamp: tuple[int, int] = (0, 0)  # the file's mtime (ns) and size when it was inspected
    files: dict[str, tuple[int, int]] = {}  # of all that was read for it: paths and their stamps
    versions: tuple[ListedVersion, ...] = ()
    left_out: tuple[ListedVersion, ...] = ()  # not listed, and one of ``versions`` comes after it
    preload: tuple[str, ...] = ()  # modules that its runs would have at hand
    takes_overrides: bool = False  # so that what the list has behind its name may be such
    overrides: str = ""  # Hydra's, that the list adds to those of the file
    problem: str = ""  # why it has no versions
    traceback: str = ""  # the user's own, when its code raised

    @cached_property
    def digest(self) -> str:
        """Names the state of all its code: SHA-256 over the digests of its sources, in hex.

        Command files, pipelines and components are none: what they say of a version is signed.
        """
        code = {path: each for path, each in self.sources.items() if not is_command_file(path)}
        return sha256(repr(sorted(code.items())).encode()).hexdigest()

    @cached_property
    def stages(self) -> Stages | None:
        """Which of its versions come after which; None where none does."""
        if not any(version.after for version in self.versions):
            return None
        names = [version.name for version in (*self.versions, *self.left_out)]
        return Stages(names, [version.after for version in self.versions])


def all_asks(models: Iterable[ListedModel]) -> set[Asks]:
    """What versions ask for of their host, each once."""
    return {version.asks for model in models for version in model.versions}
