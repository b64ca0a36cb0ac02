"""``mlpipeline new``: a project, a model or a step from a template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, parse_parameters, project_option
from mlpipeline.cli.render import show_json
from mlpipeline.service import scaffolding
from mlpipeline.service.scaffolding import KINDS, New


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--template", metavar="DIR|GIT", default="", help="A template of your own, for cookiecutter."
)
@click.option("-v", "--version", metavar="VERSION", help="With a git address: a tag or branch.")
@click.option(
    "-P",
    "answers",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parse_parameters,
    help="An answer to what the template asks.",
)
@click.option("--no-input", is_flag=True, help="Ask nothing: defaults count.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The folder that it goes into.  [default: src for steps, the models' folder for models]",
)
@json_option("one object")
@project_option
def new(
    kind: str,
    name: str,
    template: str,
    version: str | None,
    answers: Mapping[str, str],
    no_input: bool,
    output: Path | None,
    as_json: bool,
    project: Path,
) -> None:
    """Make a new project, model or step, called NAME, from a template.

    A project is what `mlpipeline init` makes; a step is a folder in src with an MLproject and its
    script. A template may be any of cookiecutter's: a folder, or a git address with #folder in it.

    \b
      mlpipeline new project digits
      mlpipeline new step basic_cleaning -P parameters=input,output
      mlpipeline new model resnet --no-input
      mlpipeline new step audit --template https://host/team/kit.git#step
    """
    made = scaffolding.make(
        New(
            kind=kind,
            name=name,
            template=template,
            version=version,
            answers=answers,
            ask=not no_input,
            into=output,
        ),
        project,
    )
    if as_json:
        show_json(made)
        return
    for path in made.wrote:
        click.echo(f"wrote  {path}")
    click.echo(f"Next: {_next(kind, name, made.folder)}")


def _next(kind: str, name: str, folder: str) -> str:
    match kind:
        case "model":
            return f"mlpipeline add --test {name} && mlpipeline"
        case "step":
            return f"mlpipeline run {folder}"
    return f"cd {folder} && mlpipeline"
