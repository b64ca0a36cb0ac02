"""Child process: reads the versions of one model script.

Called by inspection.py as ``main()`` with the arguments SCRIPT MODELS_DIR NAME FD; the result, an
``inspection.Findings`` as JSON, goes to the file descriptor FD, since the script may print.
"""

from __future__ import annotations

import hashlib
import os
import sys

from mlpipeline.core.plain import plain, safe_text
from mlpipeline.errors import ModelError
from mlpipeline.execution.writing import to_json
from mlpipeline.sources.script import (
    asked,
    console_limit,
    load_model,
    model_dir_name,
    ordered_versions,
    shown_parameters,
    signature,
    time_limit,
)

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Inspect the script and end the process."""
    script, models_dir, name, descriptor = sys.argv[1:]
    sys.argv = [script]
    me = os.getpid()
    findings = _findings(script, models_dir, name)
    if os.getpid() != me:  # the script forked while it was imported; only one of us may answer
        os._exit(0)
    with os.fdopen(int(descriptor), "wb") as file:
        file.write(to_json(findings))
    sys.stdout.flush()
    os._exit(0)  # threads and exit handlers of the script must not keep the queue waiting


def _findings(script: str, models_dir: str, name: str) -> dict[str, Any]:
    try:
        with open(script, "rb") as file:
            stat = os.fstat(file.fileno())
    except OSError as error:
        return {"problem": f"it can't be read: {error.strerror}", "files": {script: [0, 0]}}
    stamp = [stat.st_mtime_ns, stat.st_size]
    findings: dict[str, Any] = {"stamp": stamp}
    try:
        versions = ordered_versions(load_model(script, models_dir))
        findings["versions"] = [
            {
                "name": version.name,
                "signature": signature(version),
                "model_dir": model_dir_name(name, version),
                "parameters": shown_parameters(version),
                "asks": asked(version),
                "timeout": time_limit(version),
                "console_limit": console_limit(version),
            }
            for version in versions
        ]
    except ModelError as error:
        findings["problem"] = safe_text(error)
    except SystemExit as error:
        code = plain(error.code)
        findings["problem"] = f"it calls sys.exit({code!r}) when it is imported"
    except BaseException as error:
        from mlpipeline.sources.user_code import user_traceback  # costs 10 ms, and few raise

        kind = type(error).__name__
        findings["problem"] = f"it raises {kind} when it is imported: {_first_line(error)}"
        findings["traceback"] = user_traceback(error)
    files = {**_local_files(models_dir), script: stamp}
    sources = {os.path.relpath(path, models_dir): _sha256(path) for path in sorted(files)}
    return {**findings, "files": files, "sources": sources}


def _first_line(error: BaseException) -> str:
    return next(iter(safe_text(error).splitlines()), "")


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def _local_files(models_dir: str) -> dict[str, list[int]]:
    """The modules below ``models_dir`` that are loaded now, each with its mtime (ns) and size."""
    files = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(models_dir + os.sep):
            try:
                stat = os.stat(path)
            except OSError:
                continue
            files[path] = [stat.st_mtime_ns, stat.st_size]
    return files
