"""``mlpipeline new``: a project, a model or a step from a template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import click

from mlpipeline.cli.options import json_option, parse_parameters, project_option
from mlpipeline.cli.render import show_json
from mlpipeline.core.model_files import is_model_file, model_name
from mlpipeline.service import scaffolding
from mlpipeline.service.new_project import Made
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
    click.echo(f"Next: {_next(kind, name, made)}")


def _next(kind: str, name: str, made: Made) -> str:
    folder = quote(made.folder)
    match kind:
        case "model":
            return f"mlpipeline add --test {quote(_model(name, made))} && mlpipeline"
        case "step":
            return f"mlpipeline run {folder}{_needed(Path(made.folder))}"
    return f"cd {folder} && mlpipeline"


def _model(name: str, made: Made) -> str:
    """What the model is called; a team's template may call it otherwise."""
    paths = [Path(path).relative_to(made.folder) for path in made.wrote]
    names = [model_name(str(path)) for path in paths if is_model_file(str(path))]
    return name if name in names or not names else names[0]


def _needed(step: Path) -> str:
    return "".join(f" -P {quote(each)}=…" for each in scaffolding.needed_parameters(step))
