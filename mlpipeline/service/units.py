"""What starts a session at boot: systemd's user unit and launchd's job, as text."""

from __future__ import annotations

import hashlib
import os
import plistlib
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from mlpipeline.errors import MlpipelineError
from mlpipeline.service.background import command_line, daemon_arguments
from mlpipeline.service.project import Project
from mlpipeline.state.layout import HOST_VARIABLE

KEPT_VARIABLES = ("PATH", HOST_VARIABLE)  # of the environment that it is printed in


class Manager(StrEnum):
    """Who starts the session."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A file for a service manager."""

    manager: Manager
    name: str  # of the service
    path: str  # where the file belongs
    text: str


def usual_manager() -> Manager:
    """The service manager of this system."""
    return Manager.LAUNCHD if sys.platform == "darwin" else Manager.SYSTEMD


def unit(project: Project, manager: Manager) -> Unit:
    """The file that has ``manager`` start a session of ``project`` at boot or login.

    Raises MlpipelineError for a path that the file can't hold.
    """
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if os.environ.get(name)}
    name = service_name(project.layout.project)
    run = command_line(project, *daemon_arguments())
    if manager is Manager.LAUNCHD:
        text = launchd_job(name, run, project.layout.project, environment)
        path = f"~/Library/LaunchAgents/{name}.plist"
    else:
        stop = command_line(project, "stop", "--detach", "--wait")
        text = systemd_unit(name, run, stop, project.layout.project, environment)
        path = f"~/.config/systemd/user/{name}.service"
    return Unit(manager=manager, name=name, path=path, text=text)


def service_name(project: Path) -> str:
    """``mlpipeline-FOLDER-DIGEST``: distinct for projects whose folders have one name."""
    word = re.sub(r"[^A-Za-z0-9_]+", "-", project.name).strip("-")[:40]
    digest = hashlib.sha256(os.fsencode(project)).hexdigest()[:6]
    return "-".join(filter(None, ["mlpipeline", word, digest]))


def systemd_unit(
    name: str,
    run: list[str],
    stop: list[str],
    project: Path,
    environment: Mapping[str, str],
) -> str:
    """A user unit (systemd.service(5)); ``run`` and ``stop`` are command lines."""
    shown = _one_line(str(project))
    variables = "\n".join(
        f"Environment={_quoted(f'{variable}={value}')}" for variable, value in environment.items()
    )
    return f"""\
# A session of mlpipeline for {shown}, by systemd.
#
#   mkdir -p ~/.config/systemd/user
#   mlpipeline service > ~/.config/systemd/user/{name}.service
#   systemctl --user daemon-reload
#   systemctl --user enable --now {name}
#   loginctl enable-linger            # to have it start at boot, and outlive your logout
#
#   systemctl --user stop {name}      # ends the session; runs go on, the next one adopts them
#   journalctl --user -u {name}       # what it said

[Unit]
Description=mlpipeline for {shown.replace("%", "%%")}

[Service]
ExecStart={_command(run)}
# Runs go on without a session. The minus: where there is none any more, nothing is to be ended.
ExecStop=-{_command(stop)}
# Only the session is ever killed, never the runs, which live beside it. SIGTERM would ask them to
# stop; SIGKILL, if the session does not end by itself, costs nothing: the next one adopts them.
KillMode=process
KillSignal=SIGKILL
# A run that takes all the memory is an ending of that run, and none of the session.
OOMPolicy=continue
# A session ends with 1 when it was asked to and a run had failed, with 129, 130 and 143 by a signal
# that someone sent. 2 (a config can't be used) and 3 (another session) are for a person to mend.
SuccessExitStatus=1 129 130 143
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2 3
{variables}

[Install]
WantedBy=default.target
"""


def launchd_job(name: str, run: list[str], project: Path, environment: Mapping[str, str]) -> str:
    """A property list (launchd.plist(5))."""
    log = str(Path.home() / "Library" / "Logs" / f"{name}.log")
    job = {
        "Label": name,
        "ProgramArguments": run,
        "WorkingDirectory": str(project),
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": {"Crashed": True},
        "AbandonProcessGroup": True,
        "ProcessType": "Interactive",
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    try:
        lines = plistlib.dumps(job, sort_keys=False).decode().split("\n")
    except ValueError as error:
        raise MlpipelineError(
            f"{str(project)!r} can't be named in a property list ({error}); rename the folder"
        ) from None
    comment = f"""\
<!-- A session of mlpipeline, by launchd.

  mlpipeline service > ~/Library/LaunchAgents/{name}.plist
  launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/{name}.plist
  launchctl bootout gui/$(id -u)/{name}

It starts at login, and again after a crash; not when it was ended, or can't work. What ends it asks
its runs to stop, which resume first next time; `mlpipeline stop` can detach them instead.
-->"""
    return "\n".join([lines[0], comment, *lines[1:]])


def _command(words: list[str]) -> str:
    """A command line for ExecStart= and ExecStop=, where a ``$`` would begin a variable.

    systemd takes no program whose path has quotes, backslashes or a ``$``; the shell does.
    """
    if re.search(r"""["'\\$\x00-\x1f\x7f]""", words[0]):
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(word: str) -> str:
    """``word`` as systemd.syntax(7) and systemd.unit(5) quote it: ``%`` begins a specifier."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    safe = "".join(x if x >= " " and x != "\x7f" else f"\\x{ord(x):02x}" for x in escaped)
    return f'"{safe}"' if re.search(r"[^A-Za-z0-9_./=:@%+,$-]", safe) or not safe else safe


def _one_line(text: str) -> str:
    return "".join(x if x.isprintable() else "?" for x in text)
