"""Several runs at once: what ``-m`` makes of parameters, and of ``hydra_options`` in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mlpipeline.api import listed, sweeps, words
from mlpipeline.errors import MlpipelineError, ModelError

HYDRA_OPTIONS = "hydra_options"
FLAGS = ("-m", "--multirun")
ONLY = "main"  # the name of a version that there is nothing to say of


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One run that is asked for."""

    name: str  # what tells it from the others
    whole_name: str  # all that is given
    parameters: Mapping[str, str]  # as they are given to the entry point
    overrides: tuple[str, ...] = ()  # of hydra_options, each ``key=value``


def wanted(given: Mapping[str, str], *, multirun: bool, most: int | None) -> list[Wanted]:
    """The runs that ``given`` parameters ask for: one, or with ``-m`` each combination.

    ``multirun``: -m is said of all parameters; behind hydra_options it is of these. ``most``: runs
    that there may be; None: any number. Raises MlpipelineError.
    """
    options = listed.split(given.get(HYDRA_OPTIONS, ""))
    flags = [each for each in options if each in FLAGS]
    own = [each for each in options if each not in FLAGS]
    overrides = [each for each in own if listed.looks_like_override(each)]
    others = [each for each in own if not listed.looks_like_override(each)]
    if not multirun and not flags:
        name = _name(given, overrides, others)
        return [Wanted(name=name, whole_name=name, parameters=given, overrides=tuple(overrides))]
    swept = [key for key in given if key != HYDRA_OPTIONS] if multirun else []
    # Parameters and overrides may have the same names; a sweep is of all of them.
    lines = [*(f"{_key(at)}={given[key]}" for at, key in enumerate(swept)), *overrides]
    axes = _axes(lines, given, swept, most)
    differing = [at for at, axis in enumerate(axes) if len(axis) > 1]
    found, names = [], []
    for job in sweeps.jobs(axes):
        values = dict(each.split("=", 1) for each in job[: len(swept)])
        ours = job[len(swept) :]
        parameters = {
            key: _unquoted(values[_key(swept.index(key))]) if key in swept else value
            for key, value in given.items()
            if key != HYDRA_OPTIONS
        }
        if HYDRA_OPTIONS in given:
            parameters[HYDRA_OPTIONS] = " ".join([*others, *ours])
        name = _name(parameters, ours, others)
        found.append(Wanted(name=name, whole_name=name, parameters=parameters, overrides=ours))
        said = [*(f"{key}={parameters[key]}" for key in swept), *ours]
        names.append([said[at] for at in differing])
    return (
        [
            msgspec.structs.replace(run, name=name)
            for run, name in zip(found, _short_names(names), strict=True)
        ]
        if differing
        else found
    )


def _short_names(jobs: Sequence[Sequence[str]]) -> list[str]:
    """A name for each job of a sweep by what it says that differs, keys as short as they may be."""
    keys = [sweeps.key_of(each) for each in jobs[0]]
    short = [_short_key(key, keys) for key in keys]
    return [
        words.version_name(
            [f"{key}={each.partition('=')[2]}" for key, each in zip(short, job, strict=True)]
        )
        for job in jobs
    ]


def _short_key(key: str, keys: Sequence[str]) -> str:
    """The end of ``key``, from a dot on, that no other one of ``keys`` has."""
    parts = key.split(".")
    for count in range(1, len(parts)):
        end = ".".join(parts[-count:])
        if sum(each == end or each.endswith(f".{end}") for each in keys) == 1:
            return end
    return key


def _axes(
    lines: Sequence[str], given: Mapping[str, str], swept: Sequence[str], most: int | None
) -> list[list[str]]:
    from mlpipeline.api.hydra_adapter import HydraProblem, axes  # takes 0.2 s, and needs hydra

    for at, key in enumerate(swept):
        try:
            axes(lines[at : at + 1], most=None)
        except HydraProblem as error:
            said = str(error).replace(_key(at), key)
            raise MlpipelineError(f"{key}={given[key]}: {said}; nothing was listed") from None
    try:
        return axes(lines, most=most)
    except ModelError as error:
        what = f"{HYDRA_OPTIONS}={given[HYDRA_OPTIONS]}" if HYDRA_OPTIONS in given else "-m"
        raise MlpipelineError(f"{what}: {error}; nothing was listed") from None


def _key(at: int) -> str:
    return f"mlp_parameter_{at}"


def _unquoted(value: str) -> str:
    """A value without the quotes of Hydra's grammar."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1].replace(f"\\{value[0]}", value[0])
    return value


def _name(given: Mapping[str, str], overrides: Sequence[str], others: Sequence[str]) -> str:
    """A name for the version: what is given."""
    own = [f"{key}={value}" for key, value in given.items() if key != HYDRA_OPTIONS]
    return words.version_name([*own, *others, *overrides]) or ONLY
