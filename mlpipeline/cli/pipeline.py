"""``mlpipeline pipeline``: components and pipelines for Vertex AI."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mlpipeline.cli.options import json_option, parse_parameters
from mlpipeline.cli.pipeline_show import show
from mlpipeline.cli.render import show_json
from mlpipeline.cli.streams import complain
from mlpipeline.service import pipelines

EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)
OUT = click.Path(path_type=Path, dir_okay=False)


@click.group()
def pipeline() -> None:
    """Work on pipelines of steps, and take them to Vertex AI.

    \b
      mlpipeline pipeline show flow
      mlpipeline pipeline convert component.yaml -o component.yaml
      mlpipeline pipeline compile configs/pipeline.yaml -o pipeline.json
      mlpipeline pipeline submit configs/pipeline.yaml
    """


pipeline.add_command(show)


@pipeline.command()
@click.argument("component", type=EXISTING)
@click.option(
    "-o",
    "--out",
    type=OUT,
    help="Write it there, which may be COMPONENT itself.  [default: print it]",
)
@json_option("one object")
def convert(component: Path, out: Path | None, as_json: bool) -> None:
    """Rewrite a component's arguments for a program that uses Hydra.

    `--x, {inputValue: X}` becomes `x={{$.inputs.parameters['X']}}`, and likewise inputPath and
    outputPath; `--k=v` and `--k, v` become `k=v`. Comments stay, and what is in Hydra's style
    already is left alone. Notes say what a person should look at.

    \b
      mlpipeline pipeline convert components/train.yaml
      mlpipeline pipeline convert components/train.yaml -o components/train.yaml
    """
    made = pipelines.convert(component, out)
    if as_json:
        show_json(made)
        return
    if out is None:
        click.echo(made.text, nl=False)
    for note in made.notes:
        complain(note)
    if out is not None:
        what = f"{made.count} arguments rewritten" if made.count else "nothing was to be rewritten"
        click.echo(f"wrote {out}: {what}")


@pipeline.command("compile")
@click.argument("file", type=EXISTING)
@click.option("-o", "--out", type=OUT, required=True, help="The compiled file: .yaml or .json.")
@json_option("one object")
def compile_(file: Path, out: Path, as_json: bool) -> None:
    """Compile a pipeline file for Vertex AI Pipelines or Kubeflow.

    Through the kfp SDK, to schema 2.1.0. What comes out is checked here, without a network: against
    kfp-pipeline-spec, for steps that read what nothing makes, for unknown parameters, and as a job
    of google-cloud-aiplatform. Nothing is written where a check fails.

    \b
      pip install 'mlpipeline[vertex]'
      mlpipeline pipeline compile configs/pipeline.yaml -o pipeline.json
    """
    made = pipelines.compile_pipeline(file, out)
    if as_json:
        show_json(made)
        return
    for note in made.notes:
        complain(note)
    steps = ", ".join(step.name for step in made.steps)
    click.echo(f"wrote {out}: the pipeline {made.pipeline} ({steps})")


@pipeline.command()
@click.argument("file", type=EXISTING)
@click.option(
    "-P",
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=parse_parameters,
    help="A parameter of the pipeline; may be given more than once.",
)
@click.option("--to", metavar="PROJECT", help="The project of Google Cloud.")
@click.option("--location", metavar="REGION", help="Where it runs: us-central1 …")
@click.option("--root", metavar="gs://…", help="Where artifacts go.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds that each job may take; then it gives up.",
)
@click.option("--again", is_flag=True, help="Send also what was sent before.")
@click.option("-y", "--yes", is_flag=True, help="Send more jobs than max_versions.")
@json_option("one object")
def submit(
    file: Path,
    parameters: Mapping[str, str],
    to: str | None,
    location: str | None,
    root: str | None,
    timeout: float,
    again: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Send a pipeline file to Vertex AI, a job for each combination of its grid.

    It is compiled and checked first. A job that was sent before, with the same pipeline and values,
    is not sent again, so that the same command sends what is left of a grid. Credentials are those
    that Google's tools find, from GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default
    login` or the machine. Options go before what the file says under `vertex`. The exit code is 1
    when not all jobs were taken.

    \b
      mlpipeline pipeline submit configs/pipeline.yaml
      mlpipeline pipeline submit configs/pipeline.yaml -P lr=0.01 --to my-project
    """
    given = {"project": to, "location": location, "pipeline_root": root}
    sent = pipelines.submit(
        file,
        parameters,
        {key: each for key, each in given.items() if each},
        timeout,
        any_number=yes,
        again=again,
        tell=_tell_sent,
    )
    if as_json:
        show_json(sent)
    else:
        for job in sent.jobs:
            before = " (sent before, and not again: --again does)" if job.was_there else ""
            click.echo(f"✓ {sent.pipeline}{_said(job.parameters)}: {job.url}{before}")
        if sent.problem:
            complain(sent.problem)
        if sent.unsure:
            complain(f"whether Vertex AI has taken {sent.unsure} is not known")
        if sent.problem and not again:
            complain("the same command sends what is missing, and nothing twice")
    sys.exit(1 if sent.problem else 0)


def _tell_sent(job: str, parameters: Mapping[str, Any]) -> None:
    click.echo(f"sending {job}{_said(parameters)}", err=True)


def _said(parameters: Mapping[str, Any]) -> str:
    return "".join(f" {key}={value}" for key, value in parameters.items())
