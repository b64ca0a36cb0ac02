"""Sweeps: from axes to jobs, with their names and their order. Pure, and knows nothing of Hydra.

An *axis* is one override with its values, as a list of strings ``key=value``; a *job* is one
combination of them, the first axis slowest. ``hydra_adapter.axes`` makes axes out of overrides.
"""

from __future__ import annotations

import re
from itertools import chain, product

from mlpipeline.api.keys import holds_secret
from mlpipeline.errors import ModelError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    Axis = Sequence[str]
    Job = tuple[str, ...]

MOST = 10_000  # jobs that one sweep may have, unless somebody says otherwise
SIGNS = "+~"  # that an override may begin with: what is added or deleted
HIDDEN = 6  # hex digits of the digest that stands for a secret, as in Versions.add_grid


class TooManyJobs(ModelError, ValueError):
    """A sweep has more jobs than it may: ``count`` (None: without end) instead of ``most``."""

    def __init__(self, count: int | None, most: int):
        self.count = count
        self.most = most
        what = "more jobs than can be counted" if count is None else f"{count:,} jobs"
        super().__init__(
            f"this sweep has {what}, and max_versions is {most:,}: if that is meant, "
            "raise max_versions in mlp.config, or say --yes for this once"
        )


class EmptySweep(ModelError, ValueError):
    """An override of a sweep has no values, so that there would be no job."""


class NoStages(ModelError, ValueError):
    """No job says anything of what a chain's stages are to be told by."""


class DuplicateJobs(ModelError, ValueError):
    """Two jobs of a sweep are the same."""


def count(axes: Iterable[Axis]) -> int:
    """The number of jobs."""
    number = 1
    for axis in axes:
        number *= len(axis)
    return number


def check(axes: Iterable[Axis], most: int | None = MOST) -> None:
    """Raise TooManyJobs, EmptySweep or DuplicateJobs where the axes give such; None: any number."""
    axes = list(axes)
    for axis in axes:
        if not axis:
            raise EmptySweep("an override of this sweep has no values")
        if len(set(axis)) < len(axis):
            twice = next(each for i, each in enumerate(axis) if each in axis[:i])
            raise DuplicateJobs(f"{shown(twice)} is there twice, so that jobs would be the same")
    number = count(axes)
    if most is not None and number > most:
        raise TooManyJobs(number, most)


def jobs(axes: Iterable[Axis]) -> list[Job]:
    """Each combination of the values, the last axis quickest: the order that Hydra runs them in."""
    return list(product(*axes))


def key_of(override: str) -> str:
    """What an override is for: ``lr`` of ``lr=0.1``, ``+lr=0.1`` and ``~lr``."""
    return override.partition("=")[0].lstrip(SIGNS)


def shown(override: str) -> str:
    """An override as it may stand in a name: of a secret, a digest; one printable line."""
    key, sign, value = override.partition("=")
    if sign and is_secret(override):
        from hashlib import sha256  # costs each run 5 ms, and few sweeps have secrets

        value = sha256(value.encode()).hexdigest()[:HIDDEN]
    text = f"{key}{sign}{value}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def is_secret(override: str) -> bool:
    """Whether an override's value is kept out of names and records: by its key, or one in it."""
    key, _, value = override.partition("=")
    if value in ("", "null", "???") or value.startswith(("${", "$\\{")):  # there is none in it
        return False
    is_number = value.replace(".", "", 1).isdecimal()  # of tokens, say
    if holds_secret(re.split(r"[./@]", key)[-1].lstrip(SIGNS), 0 if is_number else value):
        return True
    inner = re.findall(r"([\w.-]+)['\"]?\s*:", value) if value[:1] in ("{", "[") else ()
    return any(holds_secret(word, "") for word in inner)


def override_dirnames(
    axes: Iterable[Axis],
    *,
    item_sep: str = ",",
    kv_sep: str = "=",
    exclude_keys: Collection[str] = (),
    default: str = "default",
) -> list[str]:
    """The name of each job, in the order of :func:`jobs`, as Hydra's ``override_dirname`` is made.

    All overrides but those of ``exclude_keys``, in alphabetical order; of secrets, a digest. Where
    nothing is left, ``default``.
    """
    axes = list(axes)
    kept = [i for i, axis in enumerate(axes) if axis and key_of(axis[0]) not in exclude_keys]
    # No such text begins another, so this is the order of the whole overrides in each job.
    kept.sort(key=lambda i: axes[i][0].partition("=")[0] + "=")
    return _names(axes, kept, item_sep, kv_sep, default)


def short_names(axes: Iterable[Axis], *, default: str = "main") -> list[str]:
    """The name of each job, in the order of :func:`jobs`, by what differs: ``lr=0.1,depth=2``."""
    axes = list(axes)
    return _names(axes, [i for i, axis in enumerate(axes) if len(axis) > 1], ",", "=", default)


def chained(jobs: Sequence[Job], names: Sequence[str], key: str) -> list[tuple[str, ...]]:
    """For each job, the names of those that it comes after: a chain of stages for each combination.

    Jobs that differ only in ``key`` are the stages of one chain, in the order they are in. Raises
    NoStages where no job says anything of ``key``.
    """
    stages = {each: key_of(each) == key for each in chain.from_iterable(jobs)}
    if jobs and not any(stages.values()):
        known = ", ".join(dict.fromkeys(map(key_of, chain.from_iterable(jobs))))
        raise NoStages(
            f"chain: {key} is not among the overrides, so there are no stages"
            + (f"; these are of {known}" if known else "")
        )
    lasts: dict[Job, str] = {}
    befores: list[tuple[str, ...]] = []
    for job, name in zip(jobs, names, strict=True):
        rest = tuple([each for each in job if not stages[each]])
        is_stage = len(rest) < len(job)
        befores.append((lasts[rest],) if is_stage and rest in lasts else ())
        if is_stage:
            lasts[rest] = name
    return befores


def _names(
    axes: list[Axis], kept: list[int], item_sep: str, kv_sep: str, default: str
) -> list[str]:
    number = count(axes)
    if not kept:
        return [default] * number
    parts = [[shown(each).replace("=", kv_sep) for each in axes[i]] for i in kept]
    join = item_sep.replace("=", kv_sep).join
    if kept == list(range(len(axes))):
        return list(map(join, product(*parts)))
    # All axes are gone through in their own order, each with what it says in the place it has.
    by_axis = dict(zip(kept, parts, strict=True))
    indices = product(*(by_axis.get(i, [""] * len(axis)) for i, axis in enumerate(axes)))
    if len(kept) == 1:
        only = kept[0]
        return [job[only] for job in indices]
    from operator import itemgetter

    return list(map(join, map(itemgetter(*kept), indices)))
