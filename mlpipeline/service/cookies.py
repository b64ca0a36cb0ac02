"""Cookiecutter, which renders templates: the one module that imports it, which takes 0.3 s."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import yaml

from mlpipeline.errors import MlpipelineError
from mlpipeline.service.template_answers import flaw_of

try:
    from click import Abort, echo
    from cookiecutter import prompt
    from cookiecutter.exceptions import CookiecutterException, UndefinedVariableInTemplate
    from cookiecutter.main import cookiecutter
    from jinja2 import TemplateError
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("cookiecutter", "jinja2"):
        raise
    raise MlpipelineError("cookiecutter is not installed: pip install 'mlpipeline[new]'") from None

_read = prompt.read_user_variable
ANSWERS_NEEDED = "it asks, and nobody answers: say --no-input, or give answers with -P name=value"


def render(
    template: str,
    target: Path,
    answers: Mapping[str, str],
    *,
    version: str | None = None,
    ask: bool,
    own: bool,
) -> Path:
    """What ``template`` comes to, in a folder of ``target``; returns that folder.

    ``template``: a folder, or what cookiecutter has an abbreviation for, with ``version``. ``ask``
    for what has no answer, and for that only; else its defaults count. ``own``: a template of ours,
    whose answers are checked, and nothing is left in anybody's home. Raises MlpipelineError,
    and OSError.
    """
    config = None
    if own:
        config = target / "cookiecutter.yaml"
        config.write_text(
            yaml.safe_dump({"cookiecutters_dir": str(target), "replay_dir": str(target / "replay")})
        )
    try:
        with _asking(answers, own):
            return Path(
                cookiecutter(
                    template,
                    checkout=version,
                    no_input=not ask,
                    extra_context=dict(answers),
                    output_dir=str(target / "made"),
                    config_file=None if config is None else str(config),
                )
            )
    except (Abort, EOFError):
        if sys.stdin is not None and sys.stdin.isatty():
            raise KeyboardInterrupt from None
        raise MlpipelineError(ANSWERS_NEEDED) from None
    except UndefinedVariableInTemplate as error:
        raise MlpipelineError(f"{template}: {error.message}: {error.error}") from None
    except (CookiecutterException, CalledProcessError, TemplateError, ValueError) as error:
        said = " ".join(str(error).split()).replace(str(target) + os.sep, "")
        raise MlpipelineError(f"{template} can't be used: {said}") from None


@contextmanager
def _asking(answers: Mapping[str, str], own: bool) -> Iterator[None]:
    """Have cookiecutter ask once, for what has no answer; in a template of ours until it is one."""

    def ask(name: str, default: Any, *arguments: Any, **settings: Any) -> Any:
        if name in answers:
            return default  # which is that answer
        while True:
            answer = _read(name, default, *arguments, **settings)
            flaw = flaw_of(name, answer) if own else ""
            if not flaw:
                return answer
            echo(flaw, err=True)

    prompt.read_user_variable = ask  # it has no other way to be told
    try:
        yield
    finally:
        prompt.read_user_variable = _read
