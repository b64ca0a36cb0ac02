"""``mlpipeline run``: an MLproject's entry point, run by the queue and followed to its end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import click
import msgspec

from mlpipeline.cli.options import (
    json_option,
    parallel_option,
    parse_parameters,
    project_option,
)
from mlpipeline.cli.render import show_json
from mlpipeline.cli.streams import complain
from mlpipeline.core.runs import Run
from mlpipeline.core.standings import State
from mlpipeline.core.wording import duration, plural, shortened
from mlpipeline.errors import short
from mlpipeline.service.following import Began, Ended, Following, Printed, Said, Settled
from mlpipeline.service.keeping import Keeper
from mlpipeline.service.project_runs import Asked, Prepared, prepare
from mlpipeline.service.sweeps import RERUNS
from mlpipeline.service.views import last_line

INTERRUPTED = 130
LONGEST = 200  # columns of the last line that a run has printed
ENVIRONMENTS = ("local", "virtualenv", "conda", "uv")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline run --json` prints of each version."""

    model: str
    version: str
    state: str  # as in `mlpipeline status`; empty for what is not listed any more
    attempt: int | None = None  # the newest one; null: none was followed
    seconds: float | None = None  # that it took
    reason: str = ""  # why it is not done
    commit: str = ""  # of the git repository that it comes from


def _environment(ctx: click.Context, _: click.Parameter, name: str | None) -> str | None:
    if name not in (None, *ENVIRONMENTS[:1]):
        raise click.BadParameter(
            f"mlpipeline makes no {name} environment; activate one, start mlpipeline from there, "
            "and say local",
            ctx,
        )
    return name


@click.command()
@click.argument("uri")
@click.option("-e", "--entry-point", default="main", metavar="NAME", help="[default: main]")
@click.option(
    "-P",
    "--param-list",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parse_parameters,
    help="A parameter; one that MLproject does not name is passed on as --NAME VALUE.",
)
@click.option("-v", "--version", metavar="VERSION", help="A tag, branch or commit of git.")
@click.option("-m", "--multirun", is_flag=True, help="Run each combination: -P lr=0.1,0.01.")
@click.option(
    "--rerun",
    type=click.Choice(RERUNS),
    help="What runs again of what is done.  [default: all of one, what is missing of several]",
)
@click.option(
    "--env-manager",
    metavar="NAME",
    callback=_environment,
    help="local: the packages that are here, whatever MLproject asks for.",
)
@click.option("-y", "--yes", is_flag=True, help="A sweep may have any number of runs.")
@click.option("--no-wait", is_flag=True, help="List it, and leave it to a session.")
@parallel_option("So many runs at a time, in a session that is started.  [default: mlp.config]")
@json_option("one array of objects")
@project_option
def run(
    uri: str,
    entry_point: str,
    parameters: Mapping[str, str],
    version: str | None,
    multirun: bool,
    rerun: str | None,
    env_manager: str | None,
    yes: bool,
    no_wait: bool,
    parallel: str | None,
    as_json: bool,
    project: Path,
) -> None:
    """Run the MLproject at URI, as mlflow run does: a folder, or a git address, with #folder in it.

    It becomes a command file in the models' folder and is listed; a session is started for it where
    none works. Several runs go through the queue like any others, and the same command
    goes on with them. The exit code is 1 where a run failed.

    \b
      mlpipeline run .
      mlpipeline run . -P steps=download,basic_cleaning
      mlpipeline run . -P hydra_options="depth=10,15 lr=range(1,9,2) -m"
      mlpipeline run https://github.com/user/repo.git -v 1.0.0
    """
    asked = Asked(
        uri=uri,
        entry=entry_point,
        parameters=parameters,
        version=version,
        multirun=multirun,
        environment=env_manager,
        rerun=rerun,
        any_number=yes,
    )
    prepared = prepare(asked, None if project == Path() else project, complain)
    ends: dict[str, Settled] = {}
    code = 0
    if no_wait:
        _say_how_to_follow(prepared)
    else:
        code = _follow(prepared, parallel, ends, shows_output=not as_json)
    if as_json:
        show_json([_outcome(prepared, name, ends.get(name)) for name in prepared.names])
    sys.exit(code)


def _follow(
    prepared: Prepared, parallel: str | None, ends: dict[str, Settled], *, shows_output: bool
) -> int:
    """Tell what becomes of it, and put that into ``ends``; returns the exit code."""
    keeper = Keeper(prepared.project, prepared.model, parallel=parallel)
    following = Following(prepared.project, prepared.model, prepared.left, keeper)
    told: set[str] = set()  # the attempts whose end was
    try:
        for news in following.news():
            match news:
                case Began(_, run):
                    complain(f"{run.id} began")
                case Printed(_, lines) if shows_output:
                    click.echo("".join(f"{line}\n" for line in lines), nl=False)
                case Ended(_, run):
                    complain(f"{run.id} {_end(prepared, run)}")
                    told.add(str(run.id))
                case Said(text):
                    complain(text)
                case Settled(name):
                    ends[name] = news
    except KeyboardInterrupt:
        return _stopped(keeper, len(following.pending))
    finally:
        keeper.part()
    failed = [each for each in ends.values() if not each.is_done]
    _say_what_failed(prepared, failed, told)
    return 1 if failed else 0


def _outcome(prepared: Prepared, name: str, end: Settled | None) -> Outcome:
    if end is None:
        state = "queued" if name in prepared.left else "done"
        return Outcome(model=prepared.model, version=name, state=state, commit=prepared.commit)
    return Outcome(
        model=prepared.model,
        version=name,
        state=end.state,
        attempt=end.run.id.attempt if end.run else None,
        seconds=end.run.seconds if end.run else None,
        reason="" if end.is_done else end.reason,
        commit=prepared.commit,
    )


def _stopped(keeper: Keeper, left: int) -> int:
    """As Ctrl-C in a session."""
    if keeper.stop():
        complain("runs are asked to stop; Ctrl-C once more kills them")
        try:
            keeper.wait()
        except KeyboardInterrupt:
            keeper.stop()
            keeper.wait()
        complain(f"{plural(left, 'run')} left: the same command goes on")
    else:
        complain(f"a session goes on with {plural(left, 'run')}; the same command follows it")
    return INTERRUPTED


def _end(prepared: Prepared, run: Run) -> str:
    """What became of an attempt; where it failed, with the last line that it printed."""
    if run.succeeded:
        return f"succeeded in {duration(run.seconds or 0.0)}"
    verdict = run.verdict
    reason = str(verdict)
    said = (
        shortened(last_line(prepared.project, run), LONGEST)
        if verdict and verdict.outcome.is_failure
        else ""
    )
    return f"{reason}; last line: {said}" if said and said not in reason else reason


def _say_what_failed(prepared: Prepared, failed: list[Settled], told: Collection[str]) -> None:
    """What was not told yet of ``failed``, their number, and what can be done."""
    for each in failed:
        is_told = each.run and str(each.run.id) in told and each.state == State.FAILED.value
        if not is_told:
            complain(f"{prepared.model}/{each.name}: {each}")
    ran = [each for each in failed if each.run]
    total = len(prepared.names)
    if failed and total > 1:
        complain(
            f"{len(failed)} of {total} runs did not end well; the same command runs those again"
        )
    if not ran:
        return
    run, where = ran[0].run, _where(prepared)
    assert run is not None
    name = shlex.quote(str(run.id))
    complain(f"`mlpipeline{where} logs {name}` has what it printed")
    if all(each.state for each in ran):  # they are listed
        version = f" {shlex.quote(ran[0].name)}" if total == 1 else ""
        what = "it stays" if total == 1 else "they stay"
        forgotten = f"`mlpipeline{where} remove {shlex.quote(prepared.model)}{version}`"
        complain(f"{what} in the queue, for the next session, too: {forgotten} takes that back")


def _say_how_to_follow(prepared: Prepared) -> None:
    where = _where(prepared)
    complain(f"listed {prepared.model} with {plural(len(prepared.left), 'run')} to come")
    complain(f"`mlpipeline{where} -r -u` runs what is listed, where no session does")


def _where(prepared: Prepared) -> str:
    folder = prepared.project.layout.project
    return "" if folder == Path.cwd() else f" -C {short(folder)}"
