"""``mlpipeline service``: a unit that starts a session at boot."""

from __future__ import annotations

from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.service import units
from mlpipeline.service.units import Manager


@click.command()
@click.option(
    "--systemd", "manager", flag_value=Manager.SYSTEMD.value, help="A user unit; usual on Linux."
)
@click.option(
    "--launchd", "manager", flag_value=Manager.LAUNCHD.value, help="A job; usual on macOS."
)
@json_option("one object")
@project_option
def service(manager: str | None, as_json: bool, project: Path) -> None:
    """Print a unit that starts a session at boot, and again when it crashes.

    The session is the one of `mlpipeline start`. The unit names this project, this Python and this
    PATH (and MLPIPELINE_HOST); comments at its top say how to install it. Nothing is changed here.

    \b
      mlpipeline service > ~/.config/systemd/user/mlpipeline-digits.service
      systemctl --user daemon-reload
      systemctl --user enable --now mlpipeline-digits
    """
    made = units.unit(open_project(project), Manager(manager or units.usual_manager()))
    if as_json:
        show_json(made)
    else:
        click.echo(made.text.encode(), nl=False)  # UTF-8, whatever the terminal's encoding
