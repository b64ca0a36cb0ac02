"""What ``hydra/launcher=mlpipeline`` does: a sweep's jobs become versions of one model, which the
queue runs; they are followed, and what they return goes back to the sweeper.
"""

from __future__ import annotations

import atexit
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, configure_log, filter_overrides, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins import _mlpipeline_settings as settings_of
from hydra_plugins._mlpipeline_jobs import Namer, Placer, app_command, model_name, own_overrides
from hydra_plugins._mlpipeline_returns import Returns
from mlpipeline.api.composing import FastLoader
from mlpipeline.api.handover import Handovers
from mlpipeline.api.sweeps import NoStages, chained
from mlpipeline.api.words import escaped, masked
from mlpipeline.core.wording import duration, plural
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service import sweeps
from mlpipeline.service.following import Began, Ended, Following, Printed, Said, Settled
from mlpipeline.service.keeping import Keeper
from mlpipeline.service.project import Project, nearest_project
from mlpipeline.service.queue import Onlooker
from mlpipeline.service.sweep_files import Sweep, SweptJob

log = logging.getLogger(__name__)

PRELOADED = ("mlpipeline.execution.hydra_warm",)  # hydra, and what a job needs of ours
STANDARD = ("timeout", "cpus", "memory", "gpus")  # what may be set for each job
NAMED = 5  # jobs that a sentence names


@contextmanager
def ending_in_a_line() -> Iterator[None]:
    """End the app with a line for what people can mend, as Hydra would, but without its hint."""
    try:
        yield
    except MlpipelineError as error:
        if _is_all_to_be_shown():
            raise
        raise SystemExit(f"mlpipeline: {error}") from None


class Sweeps:
    """The sweep of one app, launched in one batch or in several."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ):
        """As Launcher.setup; ``settings`` are what ``hydra.launcher`` says."""
        self._settings = dict(settings)
        self._config = config
        self._task_function = task_function
        loader = hydra_context.config_loader
        # The sweeper composes each job, too, to see whether that can be done: quickly, from now.
        self._loader = loader if isinstance(loader, FastLoader) else FastLoader(loader)
        hydra_context.config_loader = self._loader
        with ending_in_a_line():
            settings_of.check_count(self._settings, config, self._loader)
        self._jobs: dict[str, SweptJob] = {}  # of all batches so far, by name
        self._handovers: Handovers | None = None
        self._namer = Namer(self._loader, self._config)
        self._earlier: Mapping[str, SweptJob] = {}  # by name
        self._keeper: Keeper | None = None
        self._told: set[str] = set()  # jobs that have failed, with what they printed shown

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Run the jobs of a batch, whose numbers begin with ``first``; as Launcher.launch."""
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        with ending_in_a_line():
            return self._launch([tuple(each) for each in batch], first)

    def _launch(self, batch: Sequence[tuple[str, ...]], first: int) -> Sequence[JobReturn]:
        settings_of.check(self._settings)
        made = sweeps.project_for(Path.cwd(), self._settings.get("project"))
        project = made.project
        if made.is_new:
            log.info(f"Made {short(project.layout.project)} a project of mlpipeline, for its queue")
        sweeps.check_count(project, len(self._jobs if first else ()) + len(batch))
        self._warn_of_preload()
        command = app_command(self._task_function, self._config)
        cwd = os.path.relpath(Path.cwd(), project.layout.project)
        model = model_name(self._config, [cwd, *command], self._settings.get("name"))
        names = self._list(project, model, command, cwd, batch, first)
        log.info(
            f"Launching {plural(len(batch), 'job')} as {model} of {short(project.layout.project)}"
        )
        wanted = list(dict.fromkeys(names))
        if same := len(names) - len(wanted):
            log.info(
                f"{same} of them {'is' if same == 1 else 'are'} the same as another one: what is "
                "the same is run once for all"
            )
        sight = sweeps.look(project, model, Onlooker(project, model=model))
        again = self._again(sight, wanted)
        if again:  # in folders of their own: those of the last time stay as they are
            self._move(project, model, command, cwd, again)
        sweeps.run_again(project, model, [*again, *sight.failed(wanted)])
        left = [name for name in wanted if name in again or name not in sight.done(wanted)]
        self._say_what_is_done(sight, wanted, again)
        returns = Returns(project, self._loader, self._config)
        if not self._settings.get("wait", True):
            self._say_how_to_follow(project, model, sight, len(left))
            return [returns.unknown(self._jobs[name]) for name in names]
        ends = {name: _end_of(sight, name) for name in wanted if name not in left}
        signatures = {
            name: version.signature
            for name in left
            if (standing := sight.standings.get(name)) and (version := standing.version)
        }
        ends |= {
            name: Settled(name, None, "", "is not listed")
            for name in left
            if name not in signatures
        }
        ends |= self._follow(project, model, signatures)
        self._say_what_failed(model, [each for each in ends.values() if not each.is_done], wanted)
        return [returns.of(self._jobs[name], ends[name]) for name in names]

    # ----------------------------------------------------------------------- list

    def _list(
        self,
        project: Project,
        model: str,
        command: Sequence[str],
        cwd: str,
        batch: Sequence[tuple[str, ...]],
        first: int,
    ) -> list[str]:
        """Put the jobs into the queue; returns their names. Jobs that are the same share one."""
        if first == 0 or self._handovers is None:
            self._jobs = {}
            said = own_overrides(self._config)
            self._handovers = Handovers(self._loader, self._config, said)
            self._namer = Namer(self._loader, self._config)
            # As it was before the first batch: with each, the file is written anew.
            self._earlier = sweeps.earlier(project, model)
        placer = Placer(self._loader, self._config)
        names = []
        for number, overrides in enumerate(batch, start=first):
            name = self._namer.name_of(overrides)
            names.append(name)
            if name in self._jobs:
                continue
            digest, handover = self._handovers.add(overrides)
            before = self._earlier.get(name)
            is_same = before is not None and before.config == digest
            self._jobs[name] = SweptJob(
                name=name,
                overrides=overrides,
                number=number,
                dir=before.dir if before and is_same else placer.place(number, overrides),
                config=digest,
                handover=handover,
            )
        if chain := self._settings.get("chain"):
            try:
                chained(
                    [job.overrides for job in self._jobs.values()], list(self._jobs), str(chain)
                )
            except NoStages as error:
                raise MlpipelineError(f"hydra.launcher.{error}; nothing was listed") from None
        Path(str(self._config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        self._put(project, model, command, cwd)
        return names

    def _put(self, project: Project, model: str, command: Sequence[str], cwd: str) -> None:
        assert self._handovers is not None
        settings = self._settings
        sweeps.put(
            project,
            Sweep(
                model=model,
                said=_said(),
                command=tuple(command),
                cwd=escaped(cwd),
                jobs=tuple(self._jobs.values()),
                preload=(*PRELOADED, *map(str, settings.get("preload") or ())),
                chain=str(settings.get("chain") or ""),
                settings={key: settings[key] for key in STANDARD if settings.get(key) is not None},
            ),
            self._handovers.files,
            priority=settings.get("priority"),
        )

    def _again(self, sight: sweeps.Sight, names: Sequence[str]) -> list[str]:
        """The jobs that are to run although they are done."""
        match self._settings.get("rerun"):
            case "all":
                return sight.done(names)
            case "changed":
                return sight.outdated(names)
        return []

    def _move(
        self, project: Project, model: str, command: Sequence[str], cwd: str, names: Sequence[str]
    ) -> None:
        """Give jobs other folders, where they have used theirs."""
        placer = Placer(self._loader, self._config)
        for name in names:
            job = self._jobs[name]
            if placer.is_used(job.dir):
                new = placer.place(job.number, job.overrides)
                self._jobs[name] = SweptJob(**{**_fields(job), "dir": new})
        self._put(project, model, command, cwd)

    # --------------------------------------------------------------------- follow

    def _follow(
        self, project: Project, model: str, signatures: Mapping[str, str]
    ) -> dict[str, Settled]:
        """What became of each job; says meanwhile what happens."""
        keeper = self._keeper
        if keeper is None:  # of the first batch
            parallel = self._settings.get("parallel")
            keeper = Keeper(project, model, parallel=None if parallel is None else str(parallel))
            self._keeper = keeper
            atexit.register(keeper.part)
        following = Following(project, model, signatures, keeper)
        ends: dict[str, Settled] = {}
        try:
            for news in following.news():
                match news:
                    case Began(name):
                        log.info(f"\t#{self._jobs[name].number} : {self._line(name)}")
                    case Printed(_, lines):
                        sys.stdout.write("".join(f"{line}\n" for line in lines))
                        sys.stdout.flush()
                    case Ended(name, run) if not run.succeeded:
                        if run.host == project.layout.host:
                            self._told.add(name)
                        log.info(f"\t#{self._jobs[name].number} {run.verdict}")
                    case Ended(name, run) if not following.shows_output:
                        took = duration(run.seconds or 0.0)
                        log.info(f"\t#{self._jobs[name].number} succeeded in {took}")
                    case Said(text):
                        log.info(text)
                    case Settled(name):
                        ends[name] = news
        except KeyboardInterrupt:
            self._stop(keeper, following)
        return ends

    def _stop(self, keeper: Keeper, following: Following) -> None:
        """As Ctrl-C in a session; does not return."""
        if keeper.stop():
            log.info("Jobs are asked to stop; Ctrl-C once more kills them")
            try:
                keeper.wait()
            except KeyboardInterrupt:
                keeper.stop()
                keeper.wait()
            left = plural(following.left(), "job")
            log.info(f"{left} left: the same command goes on with them")
        else:
            left = plural(following.left(), "job")
            log.info(f"A session goes on with {left}; the same command follows them")
        sys.exit(130)

    def _line(self, name: str) -> str:
        return " ".join(filter_overrides(self._jobs[name].overrides))

    # ------------------------------------------------------------------------ say

    def _warn_of_preload(self) -> None:
        """Once for the sweep."""
        missing = settings_of.missing_modules(self._settings) if self._keeper is None else ()
        if missing:
            log.warning(
                f"hydra.launcher.preload: {sys.executable} has no {', '.join(missing)}; "
                "jobs go on without"
            )

    def _say_what_is_done(
        self, sight: sweeps.Sight, names: Sequence[str], again: Sequence[str]
    ) -> None:
        done = [name for name in sight.done(names) if name not in again]
        if not done:
            return
        log.info(f"{len(done)} of them have run already: hydra.launcher.rerun=all runs them again")
        if outdated := [name for name in sight.outdated(names) if name not in again]:
            log.info(
                f"{len(outdated)} of these with a script that was edited since: "
                "hydra.launcher.rerun=changed runs those again"
            )

    def _say_how_to_follow(
        self, project: Project, model: str, sight: sweeps.Sight, left: int
    ) -> None:
        folder = project.layout.project
        is_found = folder == nearest_project(Path.cwd())
        where = "" if is_found else f" -C {shlex.quote(short(folder))}"
        log.info(f"`mlpipeline{where} status -m {model}` shows them")
        if left and not sight.queue.pid:
            log.info(
                f"No session works on this project: `mlpipeline{where} -r -u` runs what is listed"
            )

    def _say_what_failed(self, model: str, failed: Sequence[Settled], names: Sequence[str]) -> None:
        if not failed:
            return
        log.info(f"{len(failed)} of {plural(len(names), 'job')} did not run well:")
        for each in failed[:NAMED]:
            log.info(f"\t#{self._jobs[each.name].number} {model}/{each.name}: {each}")
        if len(failed) > NAMED:
            log.info(f"\tand {len(failed) - NAMED} more")
        remedy = "the same command runs what is missing again"
        is_told = all(each.run is None or each.name in self._told for each in failed)
        if is_told and settings_of.is_basic(self._config) and not _is_all_to_be_shown():
            # Else Hydra shows one traceback, which stands above, once more.
            raise SystemExit(f"mlpipeline: not all jobs ran well; {remedy}")
        log.info(remedy.capitalize())


def _is_all_to_be_shown() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


def _end_of(sight: sweeps.Sight, name: str) -> Settled:
    standing = sight.standings[name]
    return Settled(name, standing.success, standing.state.value)


def _fields(job: SweptJob) -> dict[str, Any]:
    return {key: getattr(job, key) for key in job.__struct_fields__}


def _said() -> str:
    return shlex.join([Path(sys.argv[0]).name, *masked(sys.argv[1:])])
