"""What starts a step here: its component's words with the values and paths of one run."""

from __future__ import annotations

import os
import re

from mlpipeline.api import hydra_words, words
from mlpipeline.api.hydra_words import Value
from mlpipeline.sources.command import Job
from mlpipeline.sources.local_files import code_of
from mlpipeline.sources.placeholders import VALUE, Reference, Word
from mlpipeline.sources.port_types import as_text
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mlpipeline.sources.pipeline_file import Step
    from mlpipeline.sources.placeholders import Element

_MEETS_HYDRA = re.compile(
    rb"^[ \t]*(?:from[ \t]+hydra\b|import[ \t](?:[^#\n]*[ \t,])?hydra\b)", re.MULTILINE
)
LONGEST_SCRIPT = 1 << 20  # bytes that are looked at for that


class Given:
    """What one run of a step is given: values of parameters by their keys, and paths by kind and
    key.
    """

    __slots__ = ("paths", "values")

    def __init__(self, values: Mapping[str, Any], paths: Mapping[tuple[str, str], str]):
        self.values = values
        self.paths = paths

    def of(self, reference: Reference) -> Value:
        """What a reference stands for."""
        if reference.kind == VALUE:
            value = self.values.get(reference.key)
            return Value(value, "" if value is None else as_text(value))
        path = self.paths.get((reference.kind, reference.key), "")  # of an optional one: none
        return Value(path, path)

    def has(self, key: str) -> bool:
        """Whether there is something for the input of that key."""
        return key in self.values or any(of == key for _, of in self.paths)


class _File:
    """What a step says of how its program runs, as a command file says it."""

    def __init__(self, step: Step):
        settings = step.settings
        self.is_cold = settings.is_cold
        self.metrics = settings.metrics
        self.resume = settings.resume
        self.test_arguments, self.test_seconds = settings.test


class StepCommand:
    """One step in one run, for program.py: like a CommandModel with one version."""

    def __init__(self, step: Step, given: Given):
        self.file = _File(step)
        self._step = step
        self._given = given

    def job(self, name: str, at_run: Mapping[str, str], more: Sequence[str] = ()) -> Job:
        """What it takes to start it; raises FileError for a value that it can't be given."""
        return job_of(self._step, self._given, at_run, more)  # which looks at the script as it is

    def hydra_job(self, name: str) -> dict[str, Any]:
        """It is no job of a sweep of Hydra's."""
        return {}


def job_of(
    step: Step,
    given: Given,
    at_run: Mapping[str, str],
    more: Sequence[str] = (),
    meets: dict[str, bool] | None = None,
) -> Job:
    """What it takes to start ``step``, given values and paths; raises FileError.

    ``at_run``: what words in braces stand for, in what the pipeline file itself says. ``meets``
    keeps which steps' programs are Hydra's, for who asks for many versions of a step.
    """

    def meaning(word: str) -> str:
        return at_run.get(word, f"{{{word}}}")

    settings, component = step.settings, step.component
    cwd = words.filled(settings.cwd, meaning)
    own = [words.filled(each, meaning) for each in step.command]
    before = [] if own else _filled(component.command, given)
    pairs = [*before, *_filled(component.args, given)]
    argv = [*own, *(word for word, _ in pairs)]
    if any(parts for _, parts in pairs):
        meets = {} if meets is None else meets
        if step.name not in meets:
            meets[step.name] = _meets_hydra(step, argv, cwd, at_run["project"])
    if meets and meets.get(step.name):
        try:
            quoted = [hydra_words.filled(parts) if parts else word for word, parts in pairs]
        except ValueError as error:
            raise FileError(
                f"step {step.name} can't be given to a Hydra program: {error}"
            ) from None
        argv = [*own, *quoted]
    env = {name: _text(word, given) for name, word in component.env.items()}
    env |= {name: words.filled(value, meaning) for name, value in settings.env.items()}
    return Job(argv=[*argv, *more], cwd=cwd, env=env)


def _meets_hydra(step: Step, argv: Sequence[str], cwd: str, project: str) -> bool:
    """Whether the program takes Hydra's overrides: said by the step, or seen in its script."""
    if step.settings.hydra is not None:
        return step.settings.hydra
    folder = os.path.join(project, os.path.expanduser(cwd))
    for path in code_of(argv, os.path.normpath(folder)):
        try:
            with open(path, "rb") as file:
                if _MEETS_HYDRA.search(file.read(LONGEST_SCRIPT)):
                    return True
        except OSError:  # it is no file, or not there
            continue
    return False


def _filled(
    elements: Sequence[Element], given: Given
) -> list[tuple[str, list[str | Value] | None]]:
    """The words, and the parts of each that Hydra may take for an override with values."""
    found: list[tuple[str, list[str | Value] | None]] = []
    for each in elements:
        if not isinstance(each, Word):
            found += _filled(each.then if given.has(each.key) else each.otherwise, given)
            continue
        parts = _parts(each, given)
        text = "".join(part if isinstance(part, str) else part.text for part in parts)
        has_values = any(isinstance(part, Value) for part in parts)
        found.append((text, parts if has_values and hydra_words.is_override(parts) else None))
    return found


def _parts(word: Word, given: Given) -> list[str | Value]:
    parts: list[str | Value] = []
    for part in word.parts:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, Reference):
            parts.append(given.of(part))
        else:
            for each in part.then if given.has(part.key) else part.otherwise:
                assert isinstance(each, Word)  # as placeholders.py has it
                parts += _parts(each, given)
    return parts


def _text(word: Word, given: Given) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in _parts(word, given))
