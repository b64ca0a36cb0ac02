"""From an entry point of an MLproject, and the values of its parameters, to words of a command.

``mlflow run`` puts each value, quoted for a shell, where the command has its name in braces, adds
what else is given as ``--name value``, and has bash run the line. Here the words of a line that
needs no shell are the command file's, with the parameters in braces; bash gets any other line,
and the values as its arguments.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence

import msgspec

from mlpipeline.api import words
from mlpipeline.api.keys import AFTER, version_parameters
from mlpipeline.api.versions import ALIASES
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError
from mlpipeline.service.shell_text import HEREDOC, NONE, NotForValues, Places, places
from mlpipeline.state.mlproject import EntryPoint, MLproject

# What stands for itself in a line for bash, with and without quotes; quotes are looked at one by
# one. No * ? [ ] ~ { } ! # ( ) $ ` and so on: bash would do something with these.
_SIMPLE = re.compile(r"[\w\s@%+=:,./'\"-]*")
# A value where it stands in such quotes. mlflow's own quotes would end them; a value that needs no
# quotes is itself.
_AS = {NONE: '"{}"', HEREDOC: "{}", '"': "{}", "'": "'\"{}\"'", "$'": "'\"{}\"$'"}
_ASSIGNMENT = re.compile(r"\s*\w+=")
_BUILTIN = re.compile(
    r"\s*(\.|alias|case|cd|declare|eval|exec|exit|export|for|function|if|let|read|return|set|source|"
    r"time|trap|ulimit|umask|unset|until|wait|while)\b"
)
# What a version of a command file says otherwise: docs/commands.md.
TAKEN = frozenset(
    {
        *("name", "arguments", "overrides", "env", "hydra", "command", "cwd", "metrics"),
        *("versions", "grid", "chain", "test", "resume", "preload", "start", "max_versions"),
        *("timeout", "cpus", "memory", "gpus", "console_limit", "batch_size", "epoch_count"),
        *("model_dir", "run_dir", "version", "project", "python", "commit", "source"),
        *ALIASES,
        AFTER,
        *(value for key, value in vars(version_parameters).items() if key.isupper()),
    }
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A command as a command file has it."""

    command: tuple[str, ...]  # with parameters in braces
    keys: Mapping[str, str]  # by parameter: what a version calls it
    env: Mapping[str, str] = {}  # variables that secrets are in, for bash


def line_of(project: MLproject, entry: EntryPoint, *, has_more: bool = False) -> Line:
    """The command of an entry point; ``has_more``: something is given beside its parameters.

    Raises ConfigError for what can't be meant.
    """
    keys = _keys(list(entry.parameters))
    parts = _parts(project, entry)
    marks = {name: chr(0xE000 + at) for at, name in enumerate(entry.parameters)}  # in no file
    text = "".join(literal + marks.get(name, "") for literal, name in parts)
    try:
        found = places(text.strip(), "".join(marks.values()))
        if has_more and found.ends_in_heredoc:
            raise NotForValues(
                "what is given beside its parameters can't stand behind a here-document",
                "name it among the parameters, or put the here-document further up",
            )
    except NotForValues as error:
        raise ConfigError(
            project.path or project.folder,
            f"the command of {entry.name} can't be used: {error}",
            line=entry.line,
            remedy=error.remedy,
        ) from None
    simple = _simple_words(parts, keys)
    if simple is not None:
        return Line(command=tuple(simple), keys=keys)
    return _for_bash(entry, parts, keys, found)


def extra_words(extra: Mapping[str, str]) -> list[str]:
    """What is given beside the parameters of the entry point, as ``mlflow run`` adds it."""
    return [words.escaped(word) for key, value in extra.items() for word in (f"--{key}", value)]


Part = tuple[str, str]  # literal text, and the parameter behind it (empty: none)


def _parts(project: MLproject, entry: EntryPoint) -> list[Part]:
    """The command, taken apart as str.format does."""
    where = project.path or project.folder
    parts: list[Part] = []
    before = ""  # a literal brace ends a piece
    try:
        for piece, name, form, conversion in string.Formatter().parse(entry.command):
            text = before + piece
            before = ""
            if name is None:
                before = text
            elif form or conversion:
                raise ValueError(f"{{{name}}} must stand alone between its braces")
            elif name not in entry.parameters:
                raise ValueError(
                    f"{{{name}}} is no parameter of {entry.name}{nearest(name, entry.parameters)}"
                )
            else:
                parts.append((text, name))
    except ValueError as error:
        raise ConfigError(
            where,
            f"the command of {entry.name} can't be used: {error}",
            line=entry.line,
            remedy="literal braces are doubled: {{ }}",
        ) from None
    return [*parts, (before, "")] if before else parts


def _simple_words(parts: Sequence[Part], keys: Mapping[str, str]) -> list[str] | None:
    """The words of the command; None where it takes a shell to tell them."""
    text = ""
    marks: dict[str, str] = {}  # a letter that no file has, for each parameter
    for literal, name in parts:
        if not _SIMPLE.fullmatch(literal):
            return None
        if not name:
            text += literal
            continue
        mark = marks.setdefault(name, chr(0xE000 + len(marks)))
        text += literal + mark
    if _ASSIGNMENT.match(text) or _BUILTIN.match(text):
        return None
    try:
        found = words.split(text.strip())  # with several lines there are several commands
    except ValueError:
        return None
    if not found or any(mark in found[0] for mark in marks.values()):
        return None
    meaning = str.maketrans({mark: f"{{{keys[name]}}}" for name, mark in marks.items()})
    return [words.escaped(word).translate(meaning) for word in found]


def _for_bash(
    entry: EntryPoint, parts: Sequence[Part], keys: Mapping[str, str], found: Places
) -> Line:
    """The line for bash, which gets the parameters as $1, $2 …, and those that are secret as
    variables, so that no record of the command has them.
    """
    used = list(dict.fromkeys(name for _, name in parts if name))
    secret = {name for name in used if words.is_secret(name, "x")}
    plain = [name for name in used if name not in secret]
    variables = {name: f"MLP_{keys[name].upper()}" for name in secret}
    quotes = iter(found.quotes)
    line = ""
    for literal, name in parts:
        line += words.escaped(literal)
        if not name:
            continue
        # In doubled braces, since a letter may follow it.
        reference = (
            f"${{{{{variables[name]}}}}}" if name in secret else f"${{{plain.index(name) + 1}}}"
        )
        line += _AS[next(quotes)].format(reference)
    line = line.strip()
    if not found.ends_in_heredoc:
        line += f' "${{@:{len(plain) + 1}}}"'
    return Line(
        command=(
            *("bash", "-c", line, entry.name),
            *(f"{{{keys[name]}}}" for name in plain),
        ),
        keys=keys,
        env={variables[name]: f"{{{keys[name]}}}" for name in sorted(secret)},
    )


def _keys(names: Sequence[str]) -> dict[str, str]:
    """What each parameter is called in a command file: itself, where that may be in braces, and
    says nothing else there.
    """
    found: dict[str, str] = {}
    for name in names:
        key = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not re.match(r"[A-Za-z_]", key):
            key = f"_{key}"
        while key in TAKEN or key in found.values():
            key += "_"
        found[name] = key
    return found
