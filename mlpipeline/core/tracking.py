"""Runs in the words of MLflow: its names, its limits, and what a helper process is told of runs."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from mlpipeline.core.runs import Moment, Outcome, Run
from mlpipeline.core.wording import shown

# As mlflow/utils/validation.py has them.
LONGEST_NAME = 250  # characters of the name of a parameter, a metric or a tag
LONGEST_PARAMETER = 6_000  # characters of its value
LONGEST_TAG = 5_000  # of its value; servers before 2.16 take no more
LONGEST_RUN_NAME = 250
LONGEST_EXPERIMENT = 500
AT_ONCE = 100  # parameters, or tags, in one request
_NAME = re.compile(r"[/\w.\- :]+")

FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"
_KILLED = (Outcome.INTERRUPTED, Outcome.KILLED, Outcome.LOST)

ID = "mlpipeline.id"  # the tag that names an attempt for all time
PIPELINE = "mlpipeline.pipeline"  # the tag of what the runs of a pipeline are the children of
PARENT = "mlflow.parentRunId"


class Over(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    outcome: Outcome
    reason: str
    at: Moment
    steps: int | None = None
    results: dict[str, Any] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All that the helper is told of one attempt; the rest it reads in the run's folder."""

    folder: str  # absolute
    model: str
    version: str
    attempt: int
    host: str
    started: Moment
    resumed: str = ""  # the folder of the attempt that it goes on from
    is_new: bool = False  # nobody can have sent anything of it
    over: Over | None = None

    @property
    def run(self) -> str:
        """The run's name."""
        return f"{self.model}/{self.version}#{self.attempt}"

    @property
    def id(self) -> str:
        """What names the attempt for all time, on all servers."""
        text = f"{self.host}:{self.run}@{self.started.isoformat()}"
        return digest_of(text)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the helper says of itself: a line each time that it changes."""

    is_up: bool = True  # whether the server takes what is sent
    problem: str = ""  # why not
    left: int = 0  # attempts that are over, and not wholly sent
    warning: str = ""  # of something that is left out, once
    done: str = ""  # the folder of an attempt that is wholly sent now


def told(run: Run, folder: str, resumed: str = "", *, is_new: bool = False) -> Told:
    """What the helper is told of ``run``."""
    over = None
    if run.verdict is not None:
        over = Over(
            outcome=run.verdict.outcome,
            reason=run.verdict.reason,
            at=run.ended_at or run.started_at,
            steps=run.steps,
            results=run.results,
        )
    return Told(
        folder=folder,
        model=run.id.model,
        version=run.id.version,
        attempt=run.id.attempt,
        host=run.host,
        started=run.started_at,
        resumed=resumed,
        is_new=is_new,
        over=over,
    )


def status(outcome: Outcome) -> str:
    """What MLflow calls such an end."""
    if outcome is Outcome.SUCCEEDED:
        return FINISHED
    return KILLED if outcome in _KILLED else FAILED


def entity_name(name: str) -> str:
    """``name`` as MLflow takes it for a parameter, a metric or a tag: distinct for distinct names.

    What MLflow refuses becomes ``_``, and a digest tells such names apart.
    """
    if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME and _is_path(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    cleaned = "_".join(filter(None, re.split(r"[^\w.\- :]+", name))).strip(". ")
    return f"{cleaned[: LONGEST_NAME - 7]}-{digest}"


def _is_path(name: str) -> bool:
    """Whether it stays what it is when it is taken for a file's path, as some stores do."""
    return posixpath.normpath(name) == name and not name.startswith(("/", "..")) and name != "."


def parameters(given: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as MLflow has them: text by dotted names, ``optim.lr`` of a mapping's key."""
    return {
        entity_name(name): shortened(text, LONGEST_PARAMETER) for name, text in _flat(given, "")
    }


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shortened(text: str, most: int) -> str:
    """``text`` within MLflow's limit, with an ellipsis where something is left out."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"


def first_tags(attempt: Told, signature: str) -> dict[str, str]:
    """The tags that are known when a run starts."""
    return {
        ID: attempt.id,
        "mlpipeline.run": attempt.run,
        "mlpipeline.model": attempt.model,
        "mlpipeline.version": attempt.version,
        "mlpipeline.attempt": str(attempt.attempt),
        "mlpipeline.host": attempt.host,
        "mlpipeline.state": "running",
        "mlpipeline.signature": signature,
        "mlflow.source.type": "LOCAL",
    }


def record_tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The tags that run.yaml gives."""
    git = record.get("git")
    summary = record.get("summary")
    tags = {
        "mlflow.source.name": record.get("script"),
        "mlpipeline.resumed": "true" if record.get("resumed") else None,
        "mlpipeline.gpus": record.get("gpus"),
        "mlpipeline.step": record.get("step"),
        "mlflow.note.content": _note(summary) if isinstance(summary, Mapping) else None,
    }
    if isinstance(git, Mapping):
        tags["mlflow.source.git.commit"] = git.get("commit")
        tags["mlpipeline.git_dirty"] = str(bool(git.get("dirty"))).lower()
    return {name: shortened(str(value), LONGEST_TAG) for name, value in tags.items() if value}


def last_tags(over: Over) -> dict[str, str]:
    """The tags that say how a run ended."""
    tags = {"mlpipeline.state": over.outcome.value}
    if over.reason:
        tags["mlpipeline.reason"] = over.reason
    for part, value in over.results.items():
        if not isinstance(value, (int, float, Mapping)):
            tags[entity_name(f"mlpipeline.result.{part}")] = shown(value)
    return {name: shortened(text, LONGEST_TAG) for name, text in tags.items()}


def _note(summary: Mapping[str, Any]) -> str:
    """What MLflow shows as the description of a run."""
    return "\n\n".join(str(text) for text in summary.values() if text)


def pipeline_of(record: Mapping[str, Any]) -> str:
    """The digest of the pipeline that the run is a step of; empty for none."""
    pipeline = record.get("pipeline")
    return str(pipeline) if pipeline and record.get("step") else ""


def digest_of(text: str) -> str:
    """16 hex digits, by which a run can be asked for."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def milliseconds(at: datetime) -> int:
    """As MLflow counts time: since the epoch."""
    return int(at.timestamp() * 1000)
