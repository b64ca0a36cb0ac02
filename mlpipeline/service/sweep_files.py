"""The model file of a sweep that another program has put into the queue: written, read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mlpipeline.api.sweeps import is_secret
from mlpipeline.state.yaml_flow import flow

SUFFIX = ".yaml"


class SweptJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job of a sweep, which is a version of its model."""

    name: str
    overrides: tuple[str, ...]
    number: int  # its place in the sweep, from 0
    dir: str  # the folder that the job has for itself; relative to the command's cwd
    config: str  # digest of its config
    handover: str = ""  # name of the file that its config is made of


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep as a model of the queue."""

    model: str  # its name
    said: str  # the command line that it comes from, without secrets
    command: tuple[str, ...]
    cwd: str  # relative to the project, or absolute
    jobs: tuple[SweptJob, ...]
    preload: tuple[str, ...] = ()
    chain: str = ""  # the key whose values are the stages of a chain
    settings: Mapping[str, Any] = {}  # standard parameters of all jobs, such as timeout

    @property
    def has_secrets(self) -> bool:
        """Whether overrides, which are written as they are, have some."""
        return any(is_secret(each) for job in self.jobs for each in job.overrides)


def text_of(sweep: Sweep) -> str:
    """The model file of ``sweep``: one line a job."""
    return "".join(f"{line}\n" for line in _lines(sweep))


def earlier_jobs(path: Path) -> dict[str, SweptJob]:
    """The jobs in the file of an earlier launch, by name; none where it can't be read.

    What a person has edited in it counts as it stands.
    """
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(path.read_text("utf-8"), loader)
        versions = content["versions"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError):
        return {}
    found = {}
    for each in versions if isinstance(versions, list) else ():
        try:
            job = msgspec.convert({**each, **each["hydra"]}, SweptJob)
        except (msgspec.ValidationError, LookupError, TypeError):
            continue
        found[job.name] = job
    return found


def _lines(sweep: Sweep) -> Iterator[str]:
    yield "# Written by mlpipeline for a sweep; the same command works on it again:"
    yield f"#   {sweep.said if sweep.said.isprintable() else repr(sweep.said)}"
    yield f"command: {flow(sweep.command)}"
    if sweep.cwd not in ("", "."):
        yield f"cwd: {flow(sweep.cwd)}"
    if sweep.preload:
        yield f"preload: {flow(sweep.preload)}"
    if sweep.chain:
        yield f"chain: {flow(sweep.chain)}"
    for key, value in sweep.settings.items():
        yield f"{key}: {flow(value)}"
    yield "versions:"
    for job in sweep.jobs:
        hydra = {"number": job.number, "dir": job.dir, "config": job.config}
        if job.handover:
            hydra["handover"] = job.handover
        row = {"name": job.name, "overrides": job.overrides, "hydra": hydra}
        yield f"- {flow(row)}"
