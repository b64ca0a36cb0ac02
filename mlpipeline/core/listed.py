"""What the list asks for: models with their versions, as the inspector read them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from hashlib import sha256
from typing import Any

import msgspec

from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.runs import Run
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
    imported: tuple[str, ...] = ()  # of sources, modules that a command's scripts import
    others: dict[str, tuple[str, ...]] = {}  # of sources, by step: what only other steps are of
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
        return self._digest_without(())

    def digest_of(self, version: ListedVersion) -> str:
        """``digest``; of a step, without what only other steps of its pipeline are made of."""
        return self._of_steps.get(version.step, self.digest) if self.others else self.digest

    def sources_of(self, version: ListedVersion, sources: dict[str, str]) -> dict[str, str]:
        """Of ``sources``, as a run of ``version`` had them, those that it is made of."""
        others = self.others.get(version.step, ())
        return {path: each for path, each in sources.items() if path not in others}

    @cached_property
    def _of_steps(self) -> dict[str, str]:
        return {step: self._digest_without(others) for step, others in self.others.items()}

    @cached_property
    def _digest_of_scripts(self) -> str:
        """As ``digest`` was before it was known what the scripts of commands import."""
        return self._digest_without(self.imported) if self.imported else self.digest

    def is_as_for(self, run: Run, version: ListedVersion) -> bool:
        """Whether the code of ``version`` is what its ``run`` had, as far as that was noted.

        Of steps, the digest of all code was recorded before.
        """
        return run.script in (self.digest_of(version), self.digest, self._digest_of_scripts)

    def _digest_without(self, left_out: Collection[str]) -> str:
        code = {
            path: digest
            for path, digest in self.sources.items()
            if not is_command_file(path) and path not in left_out
        }
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
