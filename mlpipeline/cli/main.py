"""The command ``mlpipeline``: its options, and where its subcommands live."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

import mlpipeline
from mlpipeline.cli import streams
from mlpipeline.cli.options import parallel_option
from mlpipeline.errors import MlpipelineError

# heading in the help -> name -> (where it is, what the help says): a subcommand is imported only
# when it is used
GROUPS = {
    "See what goes on": {
        "status": ("status", "Show the queue and past runs in one table."),
        "plan": ("plan", "Show the next starts, and why."),
        "explain": ("inquiry", "Say why a run is not running, or what ran."),
        "logs": ("logs", "Print what a run printed."),
        "digest": ("digest", "Tell what happened since you last looked."),
    },
    "Compare what came of it": {
        "results": ("results", "Show what runs came to, side by side."),
        "plot": ("plot", "Draw learning curves."),
        "show": ("inquiry", "Show all that is recorded of a run."),
        "diff": ("inquiry", "Show what differs between two runs."),
    },
    "Edit the list": {
        "add": ("lists", "Add a model, or versions of it, to models.config."),
        "remove": ("lists", "Take a model, or versions of it, off models.config."),
        "move": ("lists", "Put a model in another place in models.config."),
        "pause": ("lists", "Have nothing more started, until resume."),
        "resume": ("lists", "Have what is listed started again."),
    },
    "Steer sessions and runs": {
        "run": ("project_run", "Run an MLproject: a folder, or a git address."),
        "start": ("daemon", "Work on the list in the background."),
        "stop": ("steer", "End the session that works on this project."),
        "cancel": ("steer", "End runs, and start them no more."),
        "skip": ("steer", "Leave queued versions out."),
        "retry": ("steer", "Have versions run again."),
    },
    "Take it elsewhere": {
        "pipeline": ("pipeline", "Convert, compile and send pipelines of steps."),
    },
    "Set up and care": {
        "init": ("init", "Make the files of a new project."),
        "new": ("new", "Make a project, model or step from a template."),
        "doctor": ("doctor", "Say what is wrong with the project, and what to do."),
        "notify": ("notify", "Send a test message to where mlp.config says."),
        "track": ("track", "Send to MLflow what is missing there."),
        "service": ("service", "Print a unit that starts a session at boot."),
    },
}
COMMANDS = {name: place for group in GROUPS.values() for name, place in group.items()}

# historic spelling of an option -> the option
HISTORIC = {"use-history": "unattended", "use_history": "unattended", "no_log": "no-log"}

BUG = (
    f"that is a bug of mlpipeline {mlpipeline.__version__}: please report it with the lines above. "
    "Runs go on, and nothing is lost: the next `mlpipeline -r -u` goes on with them"
)


class Commands(click.Group):
    """A group whose subcommands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mlpipeline.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; raises UsageError with the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from mlpipeline.core.spelling import nearest  # only who mistypes pays for it

            hint = nearest(args[0], COMMANDS) or "; `mlpipeline --help` lists them"
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands in the help, in groups, without importing them."""
        width = max(map(len, COMMANDS))
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in group.items()])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As any command, but --help may be left unread."""
        with streams.ending_unread():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As any group, but what a command prints may be left unread."""
        with streams.ending_unread():
            return super().invoke(ctx)


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
@parallel_option("With -r: so many runs at a time, or auto: one a CPU.  [default: mlp.config]")
@click.option("-y", "--yes", is_flag=True, help="Let sweeps have more versions than max_versions.")
@click.option(
    "--only",
    metavar="MODEL",
    multiple=True,
    help="With -r: start nothing but this model; may be given more than once.",
)
@click.option("--until-eof", is_flag=True, hidden=True)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@click.option("-n", "--no-log", is_flag=True, help="With -r: write no log-<hostname>.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one for each event.")
@click.option(
    "-C",
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The project's folder, or one in it.  [default: this folder]",
)
@click.version_option(
    mlpipeline.__version__, prog_name="mlpipeline", message="%(prog)s %(version)s"
)
@click.pass_context
def cli(ctx: click.Context, /, project: Path, as_json: bool, **options: Any) -> None:
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
    if not streams.has_colours():
        ctx.color = False
    given = [f"--{name.replace('_', '-')}" for name, is_set in options.items() if is_set]
    if ctx.invoked_subcommand is not None:
        if given:
            raise click.UsageError(f"{', '.join(given)} does not go with {ctx.invoked_subcommand}")
        return
    execute = options.pop("run")
    idle = [name for name in given if name not in ("--run", "--quiet", "--yes")]
    if idle and not execute:
        click.echo(
            f"mlpipeline: without -r this is test mode, where {', '.join(idle)} changes nothing",
            err=True,
        )
    from mlpipeline.cli import run as session  # a --help needs no scheduler

    sys.exit(session.run(project, session.Options(execute=execute, as_json=as_json, **options)))


def main() -> None:
    """Run the command and end the process with its exit code."""
    streams.settle()
    # What a command makes lives as long as it does: the collector would look at it in vain.
    gc.set_threshold(50_000, 20, 50)
    if "_MLPIPELINE_COMPLETE" in os.environ:
        from mlpipeline.cli import bash  # only where somebody presses Tab

        bash.register()
    try:
        sys.exit(cli.main(prog_name="mlpipeline", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C in a command that shows something
        sys.exit(130)
    except MlpipelineError as error:
        streams.complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        streams.complain(str(error))
        sys.exit(2)
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        click.echo(f"mlpipeline: {BUG}", err=True)
        sys.exit(os.EX_SOFTWARE)
