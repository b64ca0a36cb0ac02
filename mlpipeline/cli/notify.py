"""``mlpipeline notify``: a test message to where mlp.config says."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.service import messages


@click.command()
@json_option("one array of objects")
@project_option
def notify(as_json: bool, project: Path) -> None:
    """Send a test message now, and say whether that worked.

    It goes to what the section [NOTIFY] of mlp.config names: a command, addresses, or both. The
    exit code is 1 when one of them did not take it.

    \b
      mlpipeline notify

    \b
      [NOTIFY]
      command = notify-send "$MLP_TITLE" "$MLP_MESSAGE"
      url = $CHAT_URL
      on = failed, empty, best
    """
    sent = messages.send_test(open_project(project))
    if as_json:
        show_json(sent)
    else:
        for each in sent:
            click.echo(f"✗ {each.problem}" if each.problem else f"✓ {each.target}: sent")
    sys.exit(0 if all(each.sent for each in sent) else 1)
