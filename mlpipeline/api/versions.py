"""Versions: the named sets of parameters that a model is run with."""

from __future__ import annotations

from itertools import product

from mlpipeline.api.keys import AFTER, holds_secret, version_parameters

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

# The modern spelling of a parameter -> the word that historic scripts read.
ALIASES = {"epoch_count": version_parameters.EPOC_COUNT}


class Version(dict):  # type: ignore[type-arg]  # dict[str, Any] would need typing at run time
    """One named set of parameters: a dict keyed by the values of ``version_parameters``."""

    job: Any = None  # of a sweep, as Versions.from_hydra puts it there

    @property
    def cfg(self) -> Any:
        """The composed config of a version that :meth:`Versions.from_hydra` made: a DictConfig."""
        if self.job is None:
            raise AttributeError(f"version {self.name} has no cfg: it is not made from_hydra")
        return self.job.cfg

    @property
    def name(self) -> str:
        """The version's name."""
        return str(self[version_parameters.NAME])

    def get(self, key: str, default: Any = None) -> Any:
        """As for any dict, with the modern spellings too."""
        if key in self:
            return self[key]
        if self.job is not None and self.job.fill(self):
            return self.get(key, default)
        return super().get(ALIASES.get(key, key), default)

    def __missing__(self, key: str) -> Any:
        if key in ALIASES and ALIASES[key] in self:
            return self[ALIASES[key]]
        if self.job is not None and self.job.fill(self):
            return self[key]
        raise KeyError(f"{key!r} (this version has: {', '.join(map(str, self))})")


class Versions:
    """The versions of a model, in the order they were added.

    Every argument is a default that a version can override; any further keyword is a default for
    the parameter of that name. Versions without a ``model_dir_suffix`` share their model's folder
    of checkpoints; ``model_dir_suffix=True`` gives each a folder called after its name.
    """

    def __init__(
        self,
        learning_rate: float | None = None,
        dataloader: Any = None,
        batch_size: int | None = None,
        epoc_count: int | None = None,
        model_dir_suffix: str | bool | None = None,
        order: int | None = None,
        **defaults: Any,
    ):
        self.defaults = {
            version_parameters.LEARNING_RATE: learning_rate,
            version_parameters.DATALOADER: dataloader,
            version_parameters.BATCH_SIZE: batch_size,
            version_parameters.EPOC_COUNT: epoc_count,
            version_parameters.MODEL_DIR_SUFFIX: model_dir_suffix,
            version_parameters.ORDER: order,
            **modern(defaults),
        }
        self.versions: dict[str, Version] = {}

    def __iter__(self) -> Iterator[Version]:
        return iter(self.versions.values())

    def __len__(self) -> int:
        return len(self.versions)

    def add(self, name: str, **parameters: Any) -> Version:
        """Add the version ``name``; a parameter that is None or not given takes its default.

        Raises ValueError when the name is already there, or could not stand in a list of models.
        """
        return self._add(name, self.defaults, self._given(parameters))

    def _given(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """``parameters`` without those that are None and have a default."""
        if ALIASES.keys().isdisjoint(parameters):  # each run adds all versions: it shall be quick
            for value in parameters.values():
                if value is None:
                    break
            else:
                return parameters
        spelled = modern(parameters)
        return {k: v for k, v in spelled.items() if v is not None or k not in self.defaults}

    def _add(self, name: str, shared: Mapping[str, Any], own: Mapping[str, Any]) -> Version:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ValueError(
                f"a version's name must be a printable, non-empty string, got {name!r}"
            )
        if name in self.versions:
            raise ValueError(f"there are two versions named {name!r}; names tell runs apart")
        version = Version({version_parameters.NAME: name, **shared, **own})
        if version[version_parameters.ORDER] is None:
            version[version_parameters.ORDER] = len(self.versions)
        if version[version_parameters.MODEL_DIR_SUFFIX] is True:
            version[version_parameters.MODEL_DIR_SUFFIX] = name
        self.versions[name] = version
        return version

    def addV(  # noqa: N802 - historic name
        self,
        name: str,
        dataloader: Any = None,
        batch_size: int | None = None,
        epoc_count: int | None = None,
        learning_rate: float | None = None,
        model_dir_suffix: str | None = None,
        order: int | None = None,
        custom_paramters: Mapping[str, Any] | None = None,
        custom_parameters: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> Version:
        """Historic form of :meth:`add`, with the standard parameters by position."""
        return self.add(
            name,
            **{
                version_parameters.DATALOADER: dataloader,
                version_parameters.BATCH_SIZE: batch_size,
                version_parameters.EPOC_COUNT: epoc_count,
                version_parameters.LEARNING_RATE: learning_rate,
                version_parameters.MODEL_DIR_SUFFIX: model_dir_suffix,
                version_parameters.ORDER: order,
                **modern(parameters),
                **modern(custom_paramters or {}),
                **modern(custom_parameters or {}),
            },
        )

    def add_grid(
        self,
        names: Sequence[str] | None = None,
        combining_parameters: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **more_parameters: Any,
    ) -> list[Version]:
        """Add one version for each combination of the values of ``combining_parameters``.

        The values are looked up in ``parameters`` (or further keywords); what is not combined is
        shared by all. Without ``combining_parameters`` every list is combined, but for ``after``,
        whose value is one. Without ``names`` a version is called after what differs:
        ``lr=0.1,depth=2``.

        Raises ValueError for too few or too many names, a combined parameter without values, or
        two combinations of one name.
        """
        values = {**modern(parameters or {}), **modern(more_parameters)}
        if combining_parameters is None:
            combined = [
                key for key, value in values.items() if isinstance(value, list) and key != AFTER
            ]
        else:
            combined = [ALIASES.get(key, key) for key in combining_parameters]
        missing = [key for key in combined if key not in values]
        if missing:
            raise ValueError(f"no values are given for {', '.join(missing)}")
        axes = [_as_axis(key, values[key]) for key in combined]
        combinations = [dict(zip(combined, choice, strict=True)) for choice in product(*axes)]
        if names is None:
            names = [_grid_name(choice) for choice in combinations]
        elif len(names) != len(combinations):
            raise ValueError(
                f"{len(names)} names are given for {len(combinations)} combinations; "
                f"give {len(combinations)} names, or none"
            )
        shared = {key: value for key, value in values.items() if key not in combined}
        base = {**self.defaults, **self._given(shared)}
        return [
            self._add(name, base, choice) for name, choice in zip(names, combinations, strict=True)
        ]

    rangeOnParameters = add_grid  # noqa: N815 - historic name

    @classmethod
    def from_hydra(
        cls,
        config_dir: str,
        config_name: str = "config",
        overrides: Sequence[str] = (),
        *,
        version_base: str | None = None,
        chain: str | None = None,
        model_dir_suffix: str | bool | None = True,
        **parameters: Any,
    ) -> Versions:
        """One version for each job of a sweep with Hydra, called by its ``override_dirname``.

        ``config_dir`` is relative to the calling script. ``overrides`` are as on the command line
        of a Hydra app; those with several values sweep. What a line of the list says behind the
        script's name is added to them. ``version_base`` is as that of ``@hydra.main``.

        A version has the composed config as :attr:`Version.cfg`, and its values as parameters, by
        their dotted keys. ``parameters`` are those of :class:`Versions`; where one of them should
        be a number (``batch_size``, ``epoch_count``, ``learning_rate``, ``order``, ``timeout``,
        ``cpus``, ``memory``, ``gpus``, ``console_limit``), a text says where in the config it
        stands: ``batch_size="params.batch_size"``. Jobs that differ only in ``chain`` come after
        one another.

        Raises HydraProblem, with Hydra's own words; TooManyJobs, EmptySweep, DuplicateJobs or
        NoStages, with what to do; HydraMissing where hydra is not installed. All of them are
        ModelErrors.
        """
        import os
        import sys

        # Hydra takes 0.2 s, and most scripts have none.
        from mlpipeline.api.hydra_versions import Sweep, parameters_of, where_is

        script = sys._getframe(1).f_code.co_filename
        task = os.path.splitext(os.path.basename(script))[0]
        if isinstance(overrides, str):
            raise TypeError(f"overrides must be a list of texts, such as [{overrides!r}]")
        sweep = Sweep(where_is(config_dir, script), config_name, overrides, task, version_base)
        versions = cls(model_dir_suffix=model_dir_suffix, **parameters)
        for name, job, own in parameters_of(sweep, parameters, chain):
            version = versions._add(name, versions.defaults, versions._given(own))
            version.job = job
            job.leave_out(version)
        return versions

    def get(self, name: str) -> Version:
        """The version ``name``; raises ValueError, listing the known ones, when there is none."""
        try:
            return self.versions[name]
        except KeyError:
            known = ", ".join(self.versions) or "none"
            raise ValueError(f"there is no version {name!r}; known versions: {known}") from None

    getVersion = get  # noqa: N815 - historic name


def modern(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters`` with aliases replaced by the words that versions are keyed by."""
    return {ALIASES.get(key, key): value for key, value in parameters.items()}


def _as_axis(key: str, value: Any) -> list[Any]:
    if hasattr(value, "tolist"):  # an array
        value = value.tolist()
    axis = list(value) if isinstance(value, (list, tuple, range)) else [value]
    if not axis:
        raise ValueError(f"the list of values for {key} is empty")
    return axis


def _grid_name(choice: Mapping[str, Any]) -> str:
    if not choice:
        raise ValueError("nothing to combine: give at least one list of values, or use add()")
    return ",".join(f"{key}={_short(key, value)}" for key, value in choice.items())


def _short(key: str, value: Any) -> str:
    """``value`` for a name, the same in every process; of a secret, a digest."""
    text = str(getattr(value, "__name__", value))
    if holds_secret(key, value):
        from hashlib import sha256  # costs each run 5 ms, and few combine secrets

        return sha256(text.encode()).hexdigest()[:6]
    return type(value).__name__ if " at 0x" in text else text
