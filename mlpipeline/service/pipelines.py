"""Pipelines for other places: components converted, pipelines compiled, checked and sent.

The files are read by child processes, as all model files are.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.api.sweeps import MOST
from mlpipeline.errors import MlpipelineError, StorageError, short
from mlpipeline.execution.processes import child_command
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.layout import CONFIG
from mlpipeline.state.list_writing import replace_text

READER = child_command("mlpipeline.execution.pipeline_child", "main")
JOBS = child_command("mlpipeline.execution.pipeline_child", "jobs")
FORMATS = (".yaml", ".json")
LONGEST = 300.0  # seconds that reading and compiling may take; it takes one
NOT_COMPILED = "reading and compiling takes a few; is this machine very busy?"
NO_ANSWER = "is Google Cloud to be reached from here? --timeout has it wait longer"


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline pipeline convert --json` prints."""

    component: str  # its file
    out: str | None  # where the converted one was written; null: it is in text
    count: int  # words that were rewritten; 0: there was nothing to do
    notes: tuple[str, ...]  # what a person should look at, each with its line
    text: str  # the converted file


class CompiledStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a compiled pipeline."""

    name: str
    image: str
    after: tuple[str, ...] = ()  # steps
    cpus: float | None = None
    memory: float | None = None  # GB
    accelerator: str = ""
    gpus: float | None = None


class Compilation(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline pipeline compile --json` prints."""

    pipeline: str  # its name on Vertex AI
    out: str  # the compiled file
    steps: tuple[CompiledStep, ...]
    parameters: dict[str, Any]  # with their defaults; null: there is none
    notes: tuple[str, ...]  # what a person should look at
    is_checked_as_job: bool  # false where google-cloud-aiplatform is not installed


class SentJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that Vertex AI has taken."""

    job: str  # its resource name
    url: str  # where it can be watched
    parameters: dict[str, Any]  # that are not the defaults
    was_there: bool = False  # since it was sent before; nothing was sent now


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline pipeline submit --json` prints."""

    pipeline: str
    jobs: tuple[SentJob, ...]
    problem: str | None = None  # why there are not all of them
    unsure: str | None = None  # the id of one that Vertex AI may have taken, or not


def convert(component: Path, out: Path | None) -> Conversion:
    """Rewrite the arguments of a component file to Hydra's style, into ``out`` where that is given.

    Raises ModelError for what is no component, StorageError where it can't be written.
    """
    with _child(READER) as child:
        (answer,) = child.ask({"do": "convert", "path": str(component)})
    made = Conversion(
        component=str(component),
        out=None if out is None else str(out),
        count=answer["count"],
        notes=tuple(answer["notes"]),
        text=answer["text"],
    )
    if out is not None:
        _put(out, made.text)
    return made


def compile_pipeline(file: Path, out: Path) -> Compilation:
    """Compile a pipeline file into ``out``, which is written only when all checks have passed.

    Raises ModelError for what can't be compiled, MlpipelineError where kfp is not installed,
    StorageError where ``out`` can't be written.
    """
    if out.suffix not in FORMATS:
        raise MlpipelineError(f"{out} must end with {' or '.join(FORMATS)}, which says its format")
    if out.exists() and out.samefile(file):
        raise MlpipelineError(f"{out} is the pipeline file itself; give another one to -o")
    _check_folder(out)
    with (
        tempfile.TemporaryDirectory() as folder,
        _child(JOBS) as job,  # begins to import while the other one compiles
        _child(READER) as reader,
    ):
        temporary = Path(folder, f"pipeline{out.suffix}")
        answer = _compiled(reader, file, temporary, {}, jobs=1)
        checked = Path(folder, "checked.json")
        checked.write_text(json.dumps(answer["spec"]))
        (found,) = job.ask(
            {
                "do": "check",
                "path": str(checked),
                "vertex": answer["vertex"],
                "values": answer["jobs"][0],
            }
        )
        _put(out, temporary.read_text(encoding="utf-8"))
    notes = [*answer["notes"], *found.get("notes", ())]
    if "missing" in found:
        notes.append(f"it was not checked as a job: {found['missing']}")
    return Compilation(
        pipeline=answer["name"],
        out=str(out),
        steps=tuple(msgspec.convert(each, CompiledStep) for each in answer["steps"]),
        parameters=answer["parameters"],
        notes=tuple(notes),
        is_checked_as_job="missing" not in found,
    )


def submit(
    file: Path,
    values: Mapping[str, str],
    settings: Mapping[str, str],
    timeout: float,
    *,
    any_number: bool = False,
    again: bool = False,
    tell: Callable[[str, Mapping[str, Any]], object] = lambda job, parameters: None,
) -> Submission:
    """Compile a pipeline file and send it to Vertex AI, a job for each combination of its grid.

    ``values``: of parameters, as they are typed; ``settings`` go before the file's ``vertex``.
    ``timeout``: seconds that each job may take, and the credentials. ``any_number``: of jobs,
    whatever max_versions says. ``again``: also what was sent before. ``tell`` is given each job's
    id and parameters when it is sent. Raises ModelError and MlpipelineError before anything is
    sent; after that, ``problem`` says why not all of it was.
    """
    from mlpipeline.service.project import nearest_project  # takes as long as all else here
    from mlpipeline.state.config import read_settings

    project = nearest_project(file.absolute().parent)
    most = read_settings(project).max_versions if (project / CONFIG).is_file() else MOST
    with (
        tempfile.TemporaryDirectory() as folder,
        _child(JOBS, timeout, NO_ANSWER) as job,
        _child(READER) as reader,
    ):
        path = Path(folder, "pipeline.json")
        answer = _compiled(reader, file, path, values, most=None if any_number else most)
        vertex = {**answer["vertex"], **settings}
        if answer["lacking"]:
            raise MlpipelineError(
                f"{short(file)}: no value is known for {', '.join(answer['lacking'])}; "
                f"say -P {answer['lacking'][0]}=VALUE"
            )
        if not vertex.get("pipeline_root"):
            raise MlpipelineError(
                f"{short(file)}: where are artifacts to go? Write "
                "vertex: {pipeline_root: gs://BUCKET/FOLDER}, or say --root"
            )
        jobs: Sequence[dict[str, Any]] = answer["jobs"]
        request = {
            "do": "submit",
            "path": str(path),
            "vertex": vertex,
            "jobs": jobs,
            "timeout": timeout,
            "again": again,
        }
        sent: list[SentJob] = []
        problem = unsure = None
        try:
            for each in job.ask(request):
                if "missing" in each:
                    raise MlpipelineError(each["missing"])
                if "sending" in each:
                    unsure = each["sending"]
                    tell(unsure, each["parameters"])
                    continue
                unsure = None
                if "refused" not in each:
                    sent.append(SentJob(**each, parameters=jobs[len(sent)]))
        except (MlpipelineError, RuntimeError) as error:
            if not sent and not unsure:
                raise
            problem = str(error)
    return Submission(pipeline=answer["name"], jobs=tuple(sent), problem=problem, unsure=unsure)


def _compiled(
    reader: _Child,
    file: Path,
    out: Path,
    values: Mapping[str, str],
    *,
    jobs: int | None = None,
    most: int | None = None,
) -> dict[str, Any]:
    """``jobs``: how many of them are wanted; ``most``: how many there may be."""
    request = {"path": str(file), "out": str(out), "values": dict(values), "jobs": jobs}
    (answer,) = reader.ask({"do": "compile", "most": most, **request})
    return answer


class _Child:
    """A process that is asked one thing; it ends with ``close``, whatever it does then."""

    def __init__(self, command: Sequence[str], timeout: float, remedy: str):
        """``timeout``: seconds for each answer; ``remedy`` is said where there is none."""
        self._timeout = timeout
        self._remedy = remedy
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "GRPC_VERBOSITY": "NONE"},
        )

    def ask(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What it answers, as it comes; raises MlpipelineError with the problem that it tells, or
        when it takes too long over one.
        """
        import selectors

        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with suppress(BrokenPipeError):  # it is gone, which shows below
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.close()
        text, deadline = b"", time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise MlpipelineError(f"gave up after {self._timeout:g} s; {self._remedy}")
                said = os.read(stdout.fileno(), 1 << 16)
                *lines, text = (text + said).split(b"\n")
                for line in lines:
                    answer: dict[str, Any] = json.loads(line)
                    if "problem" in answer:
                        raise MlpipelineError(answer["problem"])
                    yield answer
                    deadline = time.monotonic() + self._timeout
                if not said:
                    break
        if self._process.wait():
            raise RuntimeError(f"it ended with status {self._process.returncode}: {self._said()}")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


@contextmanager
def _child(
    command: Sequence[str], timeout: float = LONGEST, remedy: str = NOT_COMPILED
) -> Iterator[_Child]:
    child = _Child(command, timeout, remedy)
    try:
        yield child
    finally:
        child.close()


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise StorageError(f"{short(path)} can't be written: there is no folder {path.parent}")


def _put(path: Path, text: str) -> None:
    """Write a file as a whole or not at all; raises StorageError."""
    if path.exists():
        replace_text(path, text)
        return
    _check_folder(path)
    with storage(f"{short(path)} can't be written"):
        write_whole(path, text.encode())
