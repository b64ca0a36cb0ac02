"""What the shell offers for an argument; never an error, never a word on the screen."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click


def complete_models(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The model files of the project."""
    # an import here costs only the one who presses Tab
    with suppress(Exception):
        from mlpipeline.service import lists
        from mlpipeline.service.project import open_project

        return _fitting(lists.models(open_project(_folder(ctx))), incomplete)
    return []


def complete_model_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Models that ran or are listed, by the names that they have in runs."""
    with suppress(Exception):
        from mlpipeline.service.naming import known_models
        from mlpipeline.service.project import open_project
        from mlpipeline.service.queue import Onlooker

        queue = Onlooker(open_project(_folder(ctx))).look(trust=True)
        return _fitting(known_models(queue.ledger, queue.versions), incomplete)
    return []


def complete_versions(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The versions of the MODEL before it, less those that are written already."""
    with suppress(Exception):
        from mlpipeline.service import lists
        from mlpipeline.service.project import open_project

        known = lists.versions(open_project(_folder(ctx)), ctx.params["model"])
        written = ctx.params.get("versions") or ()
        return _fitting([name for name in known if name not in written], incomplete)
    return []


def complete_runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Versions by their full names, those that ran and those that are listed."""
    with suppress(Exception):
        from mlpipeline.service.naming import known_names
        from mlpipeline.service.project import open_project
        from mlpipeline.service.queue import Onlooker

        queue = Onlooker(open_project(_folder(ctx))).look(trust=True)
        names = known_names(queue.ledger, queue.versions)
        if "#" in incomplete:
            names += [str(run.id) for run in queue.ledger]
        return _fitting(names, incomplete)
    return []


def complete_runs_and_models(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Models that ran or are listed, then versions by their full names."""
    models = complete_model_names(ctx, parameter, incomplete)
    return [*models, *complete_runs(ctx, parameter, incomplete)]


def complete_metrics(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The metrics that the newest runs have logged."""
    with suppress(Exception):
        from mlpipeline.service import results
        from mlpipeline.service.project import open_project

        project = open_project(_folder(ctx))
        logged = [
            results.summaries(project.layout, run, attempts)
            for run, attempts in results.newest_runs(project)
        ]
        return _fitting(dict.fromkeys(name for each in logged for name in each), incomplete)
    return []


def complete_values(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What runs can be compared by: facts, parameters, results and metrics."""
    with suppress(Exception):
        from mlpipeline.service import results, selection
        from mlpipeline.service.project import open_project

        found = results.results(open_project(_folder(ctx)))
        return _fitting([each.name for each in selection.columns(found.runs)], incomplete)
    return []


def _folder(ctx: click.Context) -> Path:
    """The project that ``-C`` names, before or after the subcommand."""
    contexts = [ctx, ctx.parent] if ctx.parent else [ctx]
    folders = [each.params.get("project") for each in contexts]
    return next((folder for folder in folders if folder and folder != Path()), Path())


def _fitting(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
