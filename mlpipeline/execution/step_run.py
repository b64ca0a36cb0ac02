"""One run of a step of a pipeline: what it is given, and what it makes, if that is not made yet."""

from __future__ import annotations

import json
import os
import sys

from mlpipeline.api.keys import SECRET, looks_secret
from mlpipeline.core import endings
from mlpipeline.core.plain import plain
from mlpipeline.execution import step_outputs, step_sources, trees
from mlpipeline.execution.artifacts import Made, Workshop
from mlpipeline.execution.program import Program, at_run
from mlpipeline.execution.step_outputs import Problem
from mlpipeline.sources.local_files import code_of
from mlpipeline.sources.placeholders import (
    INPUT_PATH,
    INPUT_URI,
    OUTPUT_FILE,
    OUTPUT_PATH,
    OUTPUT_URI,
)
from mlpipeline.sources.port_types import METRICS
from mlpipeline.sources.step_command import Given, StepCommand
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mlpipeline.execution.reporter import FolderReporter
    from mlpipeline.sources.arguments import Source
    from mlpipeline.sources.component import Port
    from mlpipeline.sources.pipeline import PipelineModel


class _NothingToRead(Exception):
    """In a rehearsal: what it reads is not made in rehearsals."""


class StepRun:
    """One version of a pipeline in one run."""

    def __init__(
        self,
        model: PipelineModel,
        spec: dict[str, Any],
        reporter: FolderReporter,
        end: Callable[[int], object] | None,
    ):
        """``spec`` is a ``launch.Spec``; ``end`` a Lifecycle's."""
        self._model = model
        self._row = model.rows[spec["version"]]
        self._ports = self._row.step.component
        self._spec = spec
        self._reporter = reporter
        self._end = end
        self._workshop = Workshop(spec)
        self._sources: dict[Source, Made] = {}

    def run(self) -> dict[str, Any]:
        """Run it, or find it made; returns what the report is to say. Raises Diverged, OSError."""
        try:
            return self._run()
        except _NothingToRead as reason:
            print(f"mlpipeline: not rehearsed: {reason}", file=sys.stderr)
            self._workshop.record(self._record("") | {"missing": list(self._ports.outputs)})
            return {"ending": endings.RETURNED}
        except (Problem, FileError, trees.NotKept) as problem:
            print(f"mlpipeline: {problem}", file=sys.stderr)
            return {"ending": endings.EXITED, "detail": str(problem)}

    def _run(self) -> dict[str, Any]:
        arguments = self._row.arguments(self._meaning)
        given = Given(self._values(arguments), self._paths(arguments))
        command = StepCommand(self._row.step, given)
        key = self._key(arguments, command) if self._is_cacheable else ""
        if key and not self._spec.get("anew"):
            made = self._workshop.made_of(key)
            if made:
                return self._cached(made, key)
        self._workshop.clear()
        program = Program(command, self._spec, self._reporter, self._end)
        report = program.run()
        if report["ending"] in (endings.EXITED, endings.RAISED):
            self._workshop.make_room()
        if report["ending"] != endings.RETURNED:
            return {**report, "step": {"command": program.line, "inputs": self._inputs()}}
        if program.is_cut:  # what there is may be half-made
            self._workshop.record(self._record("") | {"missing": list(self._ports.outputs)})
            return report
        told = self._finish(key)
        return {**report, **told, "step": {"command": program.line, **told["step"]}}

    @property
    def _is_cacheable(self) -> bool:
        return self._row.step.settings.cache and not self._spec["test"]

    # --------------------------------------------------------------------- given

    def _meaning(self, source: Source) -> Any:
        """The value of an output, or the path where it is an artifact; raises Problem."""
        if source not in self._sources:
            row = self._row.sources[source.step]
            made, flaw = self._workshop.newest(row.name, row.signature, source.name)
            name = f"{self._spec['model']}/{row.name}"
            if made is None:
                remedy = f"`mlpipeline retry '{name}'` makes it anew"
                if self._spec["test"] and not flaw:
                    remedy = f"list {row.name} as well: what it makes in its rehearsal is read then"
                why = flaw or "no run of it has made that"
                raise Problem(f"{source.name} of {name} can't be read: {why}; {remedy}")
            self._sources[source] = made
        record = self._sources[source].record
        if source.name in record["missing"]:
            maker = self._row.sources[source.step].name
            raise _NothingToRead(
                f"{source.name} is not made where the rehearsal of {maker} is cut short"
            )
        if source.name in record["parameters"]:
            return record["parameters"][source.name]
        return self._sources[source].path(source.name)

    def _values(self, arguments: dict[str, Any]) -> dict[str, Any]:
        inputs = self._ports.inputs
        return {key: each for key, each in arguments.items() if inputs[key].is_parameter}

    def _paths(self, arguments: dict[str, Any]) -> dict[tuple[str, str], str]:
        paths: dict[tuple[str, str], str] = {}
        for key, value in arguments.items():
            if not self._ports.inputs[key].is_parameter:
                paths[INPUT_PATH, key] = paths[INPUT_URI, key] = value
        for key in self._ports.outputs:
            for kind in (OUTPUT_PATH, OUTPUT_URI, OUTPUT_FILE):
                paths[kind, key] = self._workshop.on_bench(key)
        return paths

    def _inputs(self) -> dict[str, Any]:
        """What it reads of other steps, by the input: which run made each, and what it is."""
        inputs: dict[str, Any] = {}
        for key, argument in self._row.step.arguments.items():
            for source in dict.fromkeys(argument.sources()):  # a text may have several
                if source in self._sources:
                    said = self._input(key, source, self._sources[source])
                    inputs.setdefault(key, []).append(said)
        return inputs

    @staticmethod
    def _input(name: str, source: Source, made: Made) -> dict[str, Any]:
        record = made.record
        said = {"from": made.run, "output": source.name}
        if source.name in record["parameters"]:
            value = record["parameters"][source.name]
            return {**said, "value": _masked(name, _masked(source.name, value))}
        if source.name in record["artifacts"]:
            return {**said, "sha256": record["artifacts"][source.name]["sha256"]}
        return said

    def _key(self, arguments: dict[str, Any], command: StepCommand) -> str:
        """Names what this run makes, by all that goes into it: SHA-256, in hex."""
        from hashlib import sha256  # costs a run 5 ms, and only steps are cached

        step, spec = self._row.step, self._spec
        said = dict(arguments)
        for key, argument in step.arguments.items():
            source = argument.whole
            if source is not None and source in self._sources:
                made = self._sources[source].record["artifacts"].get(source.name)
                said[key] = {"sha256": made["sha256"]} if made else said[key]
        job = command.job(spec["version"], at_run(spec))
        cwd = os.path.normpath(os.path.join(spec["project"], os.path.expanduser(job.cwd)))
        parts = {
            "component": step.component.plain(),
            "command": step.command,
            "cwd": step.settings.cwd,
            "hydra": step.settings.hydra,
            "env": {
                name: "" if looks_secret(name, value) else value
                for name, value in step.settings.env.items()
            },
            "arguments": {name: plain(value) for name, value in said.items()},
            "sources": step_sources.digest(
                job.argv, cwd, spec["project"], spec["models_dir"], self._other_programs()
            ),
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def _other_programs(self) -> set[str]:
        """What the other steps name as theirs, which is none of this one's code."""
        project = self._spec["project"]
        programs: dict[str, set[str]] = {}
        for row in self._model.rows.values():
            if row.step.name not in programs:
                job = self._model.described(row, project)
                cwd = os.path.normpath(os.path.join(project, os.path.expanduser(job.cwd)))
                programs[row.step.name] = set(code_of(job.argv, cwd))
        own = programs.pop(self._row.step.name, set())
        return set().union(*programs.values()) - own

    # ---------------------------------------------------------------------- made

    def _cached(self, made: Made, key: str) -> dict[str, Any]:
        """Nothing is executed: what another run made is this one's, too."""
        self._workshop.link(made)
        record = self._record(key) | {
            name: made.record[name] for name in ("made_by", "artifacts", "parameters", "results")
        }
        record["results"] = self._with_numbers(record, record["results"])
        self._workshop.record(record)
        print(f"mlpipeline: cached: {made.run} has made the same of the same", flush=True)
        return {
            "ending": endings.RETURNED,
            "detail": f"cached: made by {made.run}",
            "results": record["results"],
            "step": {"cached": made.run, **self._told(record)},
        }

    def _finish(self, key: str) -> dict[str, Any]:
        """Look at what it has made, put it in place and record it; raises Problem, OSError."""
        self._reporter.enter("keep")
        ports, workshop = self._ports.outputs, self._workshop
        missing = [name for name in ports if not os.path.exists(workshop.on_bench(name))]
        if missing:
            raise Problem("; ".join(step_outputs.lacks(ports[name]) for name in missing))
        trees.make_links_relative(workshop.bench)
        record = self._record(key)
        results: dict[str, Any] = {}
        for name, port in ports.items():
            if port.is_parameter:
                path = workshop.on_bench(name)
                record["parameters"][name] = step_outputs.parameter(port, path)
                continue
            record["artifacts"][name] = {
                "type": port.type,
                "path": workshop.relative(workshop.in_place(name)),
                **trees.described(workshop.on_bench(name)),
            }
            if port.type == METRICS:
                results[name] = self._metrics(port)
        numbers = {name: each for name, each in results.items() if each}
        found = next(iter(numbers.values())) if len(numbers) == 1 else numbers
        record["results"] = self._with_numbers(record, found)
        workshop.put_in_place()
        workshop.record(record)
        told: dict[str, Any] = {"step": self._told(record)}
        return {**told, "results": record["results"]} if record["results"] else told

    def _with_numbers(self, record: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
        return step_outputs.with_numbers(self._ports.outputs, record["parameters"], results)

    def _metrics(self, port: Port) -> dict[str, Any]:
        numbers = step_outputs.metrics(self._workshop.on_bench(port.key))
        if not numbers:
            self._reporter.warn_once(
                f"the output {port.name} is called Metrics, and is no JSON object of numbers: "
                'write {"accuracy": 0.9}'
            )
        return numbers

    def _record(self, key: str) -> dict[str, Any]:
        spec = self._spec
        run = f"{spec['model']}/{spec['version']}#{spec['attempt']}"
        return {
            "run": run,
            "made_by": run,
            "step": self._row.step.name,
            "signature": self._row.signature,
            "key": key,
            "inputs": self._inputs(),
            "artifacts": {},
            "parameters": {},
            "results": {},
            "missing": [],
        }

    @staticmethod
    def _told(record: dict[str, Any]) -> dict[str, Any]:
        """What of the record run.yaml has as well."""
        shown = ("type", "path", "sha256", "size", "files")
        artifacts = {
            name: {key: each[key] for key in shown} for name, each in record["artifacts"].items()
        }
        return {
            "inputs": record["inputs"],
            "artifacts": artifacts,
            "outputs": {key: _masked(key, each) for key, each in record["parameters"].items()},
        }


def _masked(name: str, value: Any) -> Any:
    return SECRET if looks_secret(name, value) else value
