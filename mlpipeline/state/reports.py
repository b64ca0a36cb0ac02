"""The records that people read: log-<hostname>, output-<hostname> and each run's run.yaml.

All can be made again from the history and the run folders.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mlpipeline.core.launch import Spec
from mlpipeline.core.listening import Ended, Launched, Level, Listener
from mlpipeline.core.runs import Run, RunId
from mlpipeline.core.wording import duration, log_line, shown
from mlpipeline.state.files import read_record, storage, write_whole
from mlpipeline.state.layout import Layout, RunFolder


class _Loader(yaml.SafeLoader):
    """Plain data only, and no key twice: of two, one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} is there twice")
        return super().construct_mapping(node, deep)


_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Reports(Listener):
    """Writes the records of one host's scheduler."""

    def __init__(
        self,
        layout: Layout,
        *,
        log: bool = True,
        gpu_use: Callable[[RunId], dict[str, float]] = lambda _: {},
    ):
        """``log=False`` leaves log-<hostname> alone (``--no-log``).

        ``gpu_use`` tells what a run that ends has made of its GPUs.
        """
        self._gpu_use = gpu_use
        self._layout = layout
        self._log = log
        self._beginnings: dict[RunId, dict[str, Any]] = {}
        self._unwritten: set[RunId] = set()  # whose beginnings are not on the disk yet

    def message(self, at: datetime, level: Level, text: str) -> None:
        """Add a line to the log."""
        self._write_log([log_line(at, level, text)])

    def logged(self, run: Run, lines: list[str]) -> None:
        """Add a script's own lines to the log."""
        self._write_log(lines)

    def started(self, launched: Launched) -> None:
        """Say so in the log; run.yaml is written when the run goes on for longer than a moment."""
        run = launched.run
        how = "resumed" if run.resume else "started"
        self.message(run.started_at, Level.INFO, f"{run.id} {how}")
        self._beginnings[run.id] = _beginning(launched)
        self._unwritten.add(run.id)

    def tick(self) -> None:
        """Write what is known of the runs that go on."""
        while self._unwritten:
            run = self._unwritten.pop()
            self._write_record(run, self._beginnings[run])

    def ended(self, ended: Ended) -> None:
        """Write the log's line (with tracebacks), the output's block and the whole run.yaml."""
        run, report = ended.run, ended.report
        assert run.verdict is not None
        assert run.ended_at is not None
        level = Level.ERROR if run.verdict.outcome.is_failure else Level.INFO
        failures = report.failures if report else []
        tracebacks = "".join(f"\nin {each.part}:\n{each.traceback}" for each in failures)
        self.message(run.ended_at, level, f"{run.id} {run.verdict}{tracebacks.rstrip()}")
        beginning = self._beginnings.pop(run.id, None) or run_record(self._layout, run.id)
        self._unwritten.discard(run.id)
        self._write_record(run.id, {**beginning, **_ending(ended), **self._gpu_use(run.id)})
        _append(self._layout.output, output_block(ended, beginning.get("parameters")))

    def _write_log(self, lines: list[str]) -> None:
        if self._log and lines:
            _append(self._layout.log, "\n".join(lines) + "\n")

    def _write_record(self, run: RunId, record: dict[str, Any]) -> None:
        told = {key: value for key, value in record.items() if value not in (None, {}, [])}
        text = yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        write_whole(self._layout.run_folder(run).record, text.encode())


def read_run_record(folder: RunFolder) -> dict[str, Any] | None:
    """What run.yaml says; None when it is missing or can't be read."""
    try:
        record = yaml.load(folder.record.read_text("utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return record if isinstance(record, dict) else None


def run_record(layout: Layout, run: RunId) -> dict[str, Any]:
    """What run.yaml says; when that can't be read, as much of it as spec.json tells."""
    folder = layout.run_folder(run)
    record = read_run_record(folder)
    if record is not None:
        return record
    spec = read_record(folder.spec, Spec)
    if spec is None:
        return {"run": str(run)}
    return {
        "run": str(run),
        "model": run.model,
        "version": run.version,
        "attempt": run.attempt,
        "resumed": not spec.fresh,
        "parameters": spec.parameters,
        "signature": spec.signature,
        "script": os.path.relpath(spec.script, layout.models_dir),
        "model_dir": Path(spec.model_dir).name,
    }


def rebuild_output(layout: Layout, ended: Iterable[Ended]) -> int:
    """Make output-<hostname> again, of ``ended`` runs in their order; returns how many."""
    blocks = [
        output_block(each, run_record(layout, each.run.id).get("parameters")) for each in ended
    ]
    with storage(f"{layout.output} can't be written"):
        write_whole(layout.output, "".join(blocks).encode())
    return len(blocks)


def output_block(ended: Ended, parameters: object) -> str:
    """The readable block of one finished run."""
    run, report = ended.run, ended.report
    assert run.verdict is not None
    trained = run.succeeded and run.steps is not None  # a command does not say
    steps = f", {run.steps} steps trained" if trained else ""
    if run.steps and not run.succeeded:
        steps = f", it had {run.steps} steps to train"
    lines = [
        f"[{run.ended_at.isoformat() if run.ended_at else ''}] {run.id}",
        f"    outcome: {run.verdict}",
        f"    took: {duration(run.seconds or 0)}{steps}",
    ]
    lines += [f"    result on {part}: {shown(value)}" for part, value in run.results.items()]
    if parameters:
        lines.append(f"    parameters: {shown(parameters)}")
    for subject, text in (report.summary if report else {}).items():
        lines += [f"    {subject} summary:", textwrap.indent(text, " " * 8)]
    return _printable("\n".join(lines)) + "\n\n"


def _printable(text: str) -> str:
    """Control characters, but line ends and tabs, as they are written in Python."""
    return "".join(x if x.isprintable() or x in "\n\t" else ascii(x)[1:-1] for x in text)


def _beginning(launched: Launched) -> dict[str, Any]:
    run, model, version = launched.run, launched.model, launched.version
    return {
        "run": str(run.id),
        "outcome": "running",
        "model": run.id.model,
        "version": run.id.version,
        "attempt": run.id.attempt,
        "resumed": run.resume,
        "step": version.step or None,
        "pipeline": version.pipeline or None,
        "after": list(version.after),
        "parameters": version.parameters,
        "signature": run.signature,
        "script": model.path,
        "sources_sha256": model.sources_of(version, model.sources),
        "git": launched.git,
        "host": run.host,
        "cpus": run.holds.cpus or None,
        "memory": run.holds.memory or None,
        "gpus": None if run.holds.gpus is None else ",".join(run.holds.gpus),
        "model_dir": run.model_dir,
        "started": run.started_at.isoformat(),
    }


def _ending(ended: Ended) -> dict[str, Any]:
    run, report, exit = ended.run, ended.report, ended.exit
    assert run.verdict is not None
    record: dict[str, Any] = {
        "outcome": run.verdict.outcome.value,
        "reason": run.verdict.reason or None,
        "ended": run.ended_at.isoformat() if run.ended_at else None,
        "seconds": run.seconds,
    }
    if exit:
        record["exit"] = {"signal": exit.signal} if exit.signal else {"status": exit.status}
        record["cpu_seconds"] = round(exit.cpu_seconds, 3)
        record["peak_memory_mb"] = round(exit.peak_memory / 1e6, 1)
    if report:
        environment = dict(report.environment)
        record["gpus"] = environment.pop("CUDA_VISIBLE_DEVICES", None)
        record["seeds"] = {"PYTHONHASHSEED": environment.pop("PYTHONHASHSEED", None)}
        record["steps"] = report.steps
        record["steps_before"] = report.trained_before
        record["results"] = report.results
        record |= report.step
        record["metrics"] = msgspec.to_builtins(report.metrics)
        record["summary"] = report.summary
        record["environment"] = environment
        record["failures"] = [
            {"part": each.part, "error": each.line, "traceback": each.traceback}
            for each in report.failures
        ]
    return record


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
