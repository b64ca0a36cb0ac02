"""One job of a Hydra sweep, in the process of its run.

The app is run as it is. Where it calls its decorated main, the config is there already, as the
launcher has composed it, and the task runs on it as a job of Hydra's own launchers would. Where
what was handed over is gone, or does not fit, the app composes it from the overrides.

hydra_app.py runs an app whose script can't be run again, or that is executed, not forked.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys

from mlpipeline.api.config_copies import quicken_deep_copies
from mlpipeline.api.handover import load_handover
from mlpipeline.api.hydra_adapter import (
    Callbacks,
    GlobalHydra,
    Hydra,
    HydraConfig,
    HydraContext,
    JobStatus,
    OmegaConf,
    RunMode,
    hydra_main,
    hydra_utils,
    open_dict,
    read_write,
    run_job,
)
from mlpipeline.core.hydra_jobs import VARIABLE
from mlpipeline.core.plain import plain, safe_text
from mlpipeline.core.returned import packed
from mlpipeline.core.run_files import RESULTS, RETURNED
from mlpipeline.execution.writing import write_at_last
from mlpipeline.sources.user_code import user_frames, user_traceback

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mlpipeline.api.hydra_adapter import ConfigLoader, DictConfig, JobReturn

KEYS = ("hydra.sweep.dir", "hydra.sweep.subdir")  # where a job's folder stands in its config
MULTIRUN = "hydra.mode=MULTIRUN"  # as all jobs of a sweep have it


class Job:
    """What a run is told of its job."""

    def __init__(self, *, number: int, folder: str, config: str, handover: str, results: str):
        """``number``: the job's place in its sweep, from 0. ``folder``: its output_dir.

        ``config``: digest of its config, which is made of the file ``handover``. ``results``:
        folder for what the task returns.
        """
        self.number = number
        self.folder = folder
        self.config = config
        self.handover = handover
        self.results = results


def meet(job: Job) -> None:
    """Have the app's decorated main run ``job``, and end the process, when it is called."""
    main: Any = sys.modules[hydra_main.__module__]  # hydra.main is the function's name, too
    main._run_hydra = _Meeting(job, main._run_hydra).run


def meet_as_told() -> None:
    """Meet the job that the worker names; nothing in a process that has none."""
    text = os.environ.pop(VARIABLE, "")  # no process that the app starts is this job
    if text:
        meet(Job(**json.loads(text)))


class _Meeting:
    """In the place of ``hydra.main._run_hydra``."""

    def __init__(self, job: Job, original: Callable[..., None]):
        self._job = job
        self._original = original

    def run(
        self,
        args: Any,
        args_parser: Any,
        task_function: Callable[..., Any],
        config_path: str | None,
        config_name: str | None,
        caller_stack_depth: int = 2,
    ) -> None:
        """Run the job; does not return."""
        gc.disable()  # until the task begins: what comes before makes objects, and no garbage

        def app() -> tuple[Hydra, str | None]:
            """As Hydra sets it up, with the name of its config."""
            depth = caller_stack_depth + 3  # the frames between the app's and Hydra's
            arguments = (args, args_parser, task_function, config_path, config_name, depth)
            return _captured(self._original, arguments)

        overrides = list(args.overrides)
        handed = load_handover(self._job.handover, overrides, self._job.config)
        if handed is None:
            hydra, name = app()
            loader: ConfigLoader = hydra.config_loader
            config = hydra_utils.run_and_report(
                lambda: loader.load_configuration(name, [*overrides, MULTIRUN], RunMode.RUN)
            )
        else:
            config, task = handed
            loader = _LateLoader(lambda: app()[0].config_loader)  # type: ignore[assignment]
            hydra = Hydra(task_name=task, config_loader=loader)
        GlobalHydra.instance().clear()
        GlobalHydra.instance().initialize(hydra)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = self._job.number
        self._place(config)
        callbacks = _Callbacks(config)
        callbacks.end_quick_copies = quicken_deep_copies()  # run_job makes four
        returned = run_job(
            hydra_context=HydraContext(config_loader=loader, callbacks=callbacks),
            task_function=task_function,
            config=config,
            job_dir_key=KEYS[0],
            job_subdir_key=KEYS[1],
        )
        keep(returned, config.hydra.runtime.output_dir, self._job.results)
        hydra_utils.run_and_report(lambda: returned.return_value)  # says what was raised, and exits
        sys.exit(0)

    def _place(self, config: DictConfig) -> None:
        """Have the job's folder be the one that it was given when it was first listed."""
        # For ${hydra:…}; run_job sets it once more, by a copy that takes its time.
        HydraConfig.instance().cfg = config  # type: ignore[assignment]
        composed, within = (str(OmegaConf.select(config, key)) for key in KEYS)
        folder = os.path.normpath(self._job.folder)
        if os.path.abspath(os.path.join(composed, within)) == os.path.abspath(folder):
            return
        with read_write(config.hydra):
            end = os.sep + os.path.normpath(within)
            if folder.endswith(end):  # it was another time, say
                config.hydra.sweep.dir = folder.removesuffix(end)
            else:
                config.hydra.sweep.dir, config.hydra.sweep.subdir = os.path.split(folder)


class _Callbacks(Callbacks):
    """Those of the config."""

    end_quick_copies: Callable[[], None]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called right before the task."""
        self.end_quick_copies()
        super().on_job_start(config, **kwargs)
        gc.freeze()
        gc.enable()


class _LateLoader:
    """The app's own config loader, made where somebody asks for something that it knows."""

    def __init__(self, make: Callable[[], ConfigLoader]):
        self._make = make
        self._made: ConfigLoader | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)


def _captured(
    original: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[Hydra, str | None]:
    """What Hydra's own main sets up, up to where it would run the app."""
    found: list[tuple[Hydra, str | None]] = []

    def stop(*_: Any, hydra: Hydra, config_name: str | None, **__: Any) -> None:
        found.append((hydra, config_name))

    run_app, before = hydra_utils._run_app, GlobalHydra.instance().hydra
    hydra_utils._run_app = stop  # type: ignore[assignment]
    try:
        GlobalHydra.instance().clear()
        original(*arguments)
    finally:
        hydra_utils._run_app = run_app
        GlobalHydra.instance().hydra = before
    return found[0]


def keep(returned: JobReturn, output_dir: str, folder: str) -> None:
    """Put down what the task returned or raised, for the launcher and for the results.

    The exception of a job that has failed comes with its traceback, as text and as places.
    """
    kept: dict[str, Any] = {"output_dir": output_dir, "working_dir": returned.working_dir}
    value = returned._return_value
    if returned.status is JobStatus.FAILED:
        at = value.__traceback__
        value.__traceback__ = at.tb_next if at and at.tb_next else at  # without run_job's frame
        kept["traceback"] = user_traceback(value)
        kept["frames"] = user_frames(value)
        value.__traceback__ = at  # Hydra cuts it there, too
    elif shown := _shown(value):
        write_at_last(folder, RESULTS, shown)
    pack, lost = packed(value)
    if lost and returned.status is JobStatus.FAILED:
        pack, _ = packed(RuntimeError(f"{type(value).__qualname__}: {safe_text(value)}"))
    elif lost:
        print(f"mlpipeline: {lost}", file=sys.stderr)
    content = pickle.dumps({**kept, **pack})
    write_at_last(folder, RETURNED, content)


def _shown(value: Any) -> dict[str, Any]:
    """A returned value as results, where it says something to people."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if value is None:
        return {}
    if isinstance(value, (str, list, tuple)) or hasattr(value, "__float__"):
        return {"returned": plain(value.item() if hasattr(value, "item") else value)}
    return {}
