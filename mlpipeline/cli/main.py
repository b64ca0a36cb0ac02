"""The command ``mlpipeline``: its options, and where its subcommands live."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path

import click

import mlpipeline
from mlpipeline.errors import MlpipelineError

# name -> (where it is, what the help says): a subcommand is imported only when it is used
COMMANDS = {
    "add": ("mlpipeline.cli.lists", "Add a model, or versions of it, to models.config."),
    "cancel": ("mlpipeline.cli.steer", "End runs, and start them no more."),
    "doctor": ("mlpipeline.cli.doctor", "Say what is wrong with the project, and what to do."),
    "digest": ("mlpipeline.cli.digest", "Tell what happened since you last looked."),
    "diff": ("mlpipeline.cli.inquiry", "Show what differs between two runs."),
    "explain": ("mlpipeline.cli.inquiry", "Say why a run is not running, or what ran."),
    "init": ("mlpipeline.cli.init", "Make the files of a new project."),
    "logs": ("mlpipeline.cli.logs", "Print what a run printed."),
    "move": ("mlpipeline.cli.lists", "Put a model in another place in models.config."),
    "notify": ("mlpipeline.cli.notify", "Send a test message to where mlp.config says."),
    "pause": ("mlpipeline.cli.lists", "Have nothing more started, until resume."),
    "plan": ("mlpipeline.cli.plan", "Show the next starts, and why."),
    "plot": ("mlpipeline.cli.plot", "Draw learning curves."),
    "remove": ("mlpipeline.cli.lists", "Take a model, or versions of it, off models.config."),
    "results": ("mlpipeline.cli.results", "Compare what runs came to."),
    "resume": ("mlpipeline.cli.lists", "Have what is listed started again."),
    "retry": ("mlpipeline.cli.steer", "Have versions run again."),
    "service": ("mlpipeline.cli.service", "Print a unit that starts a session at boot."),
    "show": ("mlpipeline.cli.inquiry", "Show all that is recorded of a run."),
    "skip": ("mlpipeline.cli.steer", "Leave queued versions out."),
    "start": ("mlpipeline.cli.daemon", "Work on the list in the background."),
    "status": ("mlpipeline.cli.status", "Show the queue and past runs in one table."),
    "stop": ("mlpipeline.cli.steer", "End the session that works on this project."),
}

# historic spelling of an option -> the option
HISTORIC = {"use-history": "unattended", "use_history": "unattended", "no_log": "no-log"}


class Commands(click.Group):
    """A group whose subcommands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands in the help without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda name: HISTORIC.get(name, name),
    },
)
@click.option("-r", "--run", is_flag=True, help="Execution mode: run models.config for real.")
@click.option(
    "-u",
    "--unattended",
    is_flag=True,
    help="With -r: skip what is done and resume what was interrupted.",
)
@click.option("-w", "--watch", is_flag=True, help="With -r: stay, and start what is listed later.")
@click.option(
    "--rehearse",
    is_flag=True,
    help="With -r: first try each new version in test mode; hold back what fails.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@click.option("-n", "--no-log", is_flag=True, help="With -r: write no log-<hostname>.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one for each event.")
@click.option(
    "-C",
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The project's folder, which holds mlp.config.  [default: this folder]",
)
@click.version_option(
    mlpipeline.__version__, prog_name="mlpipeline", message="%(prog)s %(version)s"
)
@click.pass_context
def cli(ctx: click.Context, /, project: Path, as_json: bool, **options: bool) -> None:
    """The experiment queue you edit in a text file.

    Without a command: rehearse every version of the models in models_test.config, one step each,
    recording nothing (test mode). With -r: run the models in models.config.

    \b
      mlpipeline init            make a project
      mlpipeline                 rehearse its versions in seconds
      mlpipeline -r -u           run them, skipping what is done
      mlpipeline status          see what is queued, running and done
    """
    ctx.obj = project
    given = [f"--{name.replace('_', '-')}" for name, is_set in options.items() if is_set]
    if ctx.invoked_subcommand is not None:
        if given:
            raise click.UsageError(f"{', '.join(given)} does not go with {ctx.invoked_subcommand}")
        return
    execute = options.pop("run")
    idle = [name for name in given if name not in ("--run", "--quiet")]
    if idle and not execute:
        click.echo(
            f"mlpipeline: without -r this is test mode, where {', '.join(idle)} changes nothing",
            err=True,
        )
    from mlpipeline.cli import run as session  # a --help needs no scheduler

    sys.exit(session.run(project, session.Options(execute=execute, as_json=as_json, **options)))


def main() -> None:
    """Run the command and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have what an ASCII terminal has not
            stream.reconfigure(errors="replace")
    try:
        sys.exit(cli.main(prog_name="mlpipeline", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C in a command that shows something
        sys.exit(130)
    except MlpipelineError as error:
        click.echo(f"mlpipeline: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        click.echo(f"mlpipeline: {error}", err=True)
        sys.exit(2)
